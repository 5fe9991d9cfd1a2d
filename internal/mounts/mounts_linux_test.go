package mounts

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestParse(t *testing.T) {
	for line, want := range map[string]Mount{
		"42 27 0:39 / /mnt/a\\040b rw,noexec,relatime - tmpfs tmpfs rw,size=64k":                       {"/mnt/a b", "tmpfs"},
		"36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 shared:7 - ext3 /dev/root rw,errors=continue":      {"/mnt2", "ext3"},
		"61 27 0:44 / /home rw,relatime shared:30 - nfs4 server:/home rw,vers=4.2,addr=192.0.2.1":      {"/home", "nfs4"},
		"63 27 0:51 / /remote rw,nosuid,nodev - fuse.sshfs me@host:/data rw,user_id=1000,group_id=100": {"/remote", "fuse.sshfs"},
		"": {}, "1 2 0:1 / /x rw": {Point: ""}, "1 2 0:1 / /x rw a -": {Point: "/x"},
	} {
		if _, got, ok := parse(line); got != want || ok != (want.Type != "") {
			t.Errorf("%q: %+v, %v", line, got, ok)
		}
	}
}

func TestIsNetwork(t *testing.T) {
	for name, want := range map[string]bool{
		"nfs4": true, "cifs": true, "lustre": true, "fuse.sshfs": true, "9p": true, "virtiofs": true,
		"ext4": false, "tmpfs": false, "overlay": false, "fuse.ntfs-3g": false, "": false, "apfs": false,
	} {
		if IsNetwork(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
}

// TestOf mounts a file system behind a link, in a directory whose name contains a space.
func TestOf(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a b")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	outside, err := Of(dir)
	if err != nil || outside.Point == "" || outside.Type == "" {
		t.Fatalf("%+v, %v", outside, err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("this user cannot mount a small file system: %v", err)
	}
	defer unix.Unmount(dir, unix.MNT_DETACH)
	os.Mkdir(dir+"/below", 0o700)
	link := filepath.Join(t.TempDir(), "link")
	os.Symlink(dir+"/below", link)
	if m, err := Of(link); err != nil || m != (Mount{dir, "tmpfs"}) {
		t.Errorf("%+v, %v", m, err)
	}
	if at, err := Below(filepath.Dir(dir)); err != nil || at != dir {
		t.Errorf("%q, %v", at, err)
	}
}
