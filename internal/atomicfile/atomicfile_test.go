package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func open(t *testing.T) (*os.Root, string) {
	t.Helper()
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root, dir
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	check(t, err)
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

func TestWriteCreatesAndReplaces(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o077))
	root, dir := open(t)
	for _, content := range []string{"first", "second, longer"} {
		check(t, Write(root, "f", 0o644, []byte(content)))
		got, err := os.ReadFile(filepath.Join(dir, "f"))
		check(t, err)
		if string(got) != content {
			t.Errorf("content is %q, want %q", got, content)
		}
		info, err := os.Stat(filepath.Join(dir, "f"))
		check(t, err)
		if info.Mode() != 0o644 {
			t.Errorf("mode is %v in spite of the umask, want 0644", info.Mode())
		}
	}
	if got := names(t, dir); len(got) != 1 {
		t.Errorf("left behind: %v", got)
	}
}

func TestWriteReplacesALinkNotItsTarget(t *testing.T) {
	root, dir := open(t)
	outside := filepath.Join(t.TempDir(), "victim")
	check(t, os.WriteFile(outside, []byte("safe"), 0o600))
	check(t, os.Symlink(outside, filepath.Join(dir, "f")))
	check(t, Write(root, "f", 0o644, []byte("new")))
	if got, _ := os.ReadFile(outside); string(got) != "safe" {
		t.Errorf("the target of the link holds %q", got)
	}
}

func TestNoSymlinkLeadsOutside(t *testing.T) {
	root, dir := open(t)
	check(t, os.Symlink(t.TempDir(), filepath.Join(dir, "d")))
	if err := Write(root, "d/f", 0o644, nil); err == nil {
		t.Error("a file was written through a symlink to the outside")
	}
	if _, err := MakeAll(root, "d/e", 0o755); err == nil {
		t.Error("a directory was made through a symlink to the outside")
	}
	if err := Write(root, "../f", 0o644, nil); err == nil {
		t.Error("a file was written above the root")
	}
}

func TestKeepsOwnerAndAttributes(t *testing.T) {
	root, dir := open(t)
	name := filepath.Join(dir, "f")
	check(t, os.WriteFile(name, []byte("old"), 0o640))
	if err := unix.Setxattr(name, "user.note", []byte("mine"), 0); err != nil {
		t.Skipf("this file system keeps no extended attributes: %v", err)
	}
	asRoot := os.Geteuid() == 0
	if asRoot {
		check(t, os.Chown(name, 1234, 5678))
	}
	check(t, Write(root, "f", 0o600, []byte("new")))
	value := make([]byte, 16)
	n, err := unix.Getxattr(name, "user.note", value)
	check(t, err)
	if string(value[:n]) != "mine" {
		t.Errorf("attribute is %q", value[:n])
	}
	info, err := os.Stat(name)
	check(t, err)
	if st := info.Sys().(*syscall.Stat_t); asRoot && (st.Uid != 1234 || st.Gid != 5678) {
		t.Errorf("owner is %d:%d, want 1234:5678", st.Uid, st.Gid)
	}
}

func TestRootGivesNewFilesToTheOwnerOfTheDirectory(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can change owners")
	}
	root, dir := open(t)
	check(t, os.Chown(dir, 1234, 5678))
	check(t, Write(root, "f", 0o600, nil))
	_, err := MakeAll(root, "a/b", 0o755)
	check(t, err)
	check(t, Symlink(root, "l", "f"))
	for _, name := range []string{"f", "a", "a/b", "l"} {
		info, err := os.Lstat(filepath.Join(dir, name))
		check(t, err)
		if st := info.Sys().(*syscall.Stat_t); st.Uid != 1234 || st.Gid != 5678 {
			t.Errorf("%s belongs to %d:%d, want 1234:5678", name, st.Uid, st.Gid)
		}
	}
}

func TestCommitRefusesAChangedFile(t *testing.T) {
	root, dir := open(t)
	d, err := OpenDir(root, ".")
	check(t, err)
	defer d.Close()

	check(t, os.WriteFile(filepath.Join(dir, "f"), []byte("seen"), 0o644))
	old, err := d.Stat("f")
	check(t, err)
	check(t, os.WriteFile(filepath.Join(dir, "f"), []byte("edit"), 0o644))
	temp, err := d.Stage("f", 0o644, []byte("ours"), old)
	check(t, err)
	if err := d.Commit(temp, "f", &old); !errors.Is(err, ErrChanged) {
		t.Errorf("an edited file: %v, want ErrChanged", err)
	}
	if err := d.Commit(temp, "f", &FileID{}); !errors.Is(err, ErrChanged) {
		t.Errorf("an unexpected file: %v, want ErrChanged", err)
	}
	if got, _ := os.ReadFile(filepath.Join(dir, "f")); string(got) != "edit" {
		t.Errorf("the edit was lost: %q", got)
	}
	check(t, d.Commit(temp, "g", &FileID{}))
}

func TestStagedFileIsPrivate(t *testing.T) {
	root, dir := open(t)
	d, err := OpenDir(root, ".")
	check(t, err)
	defer d.Close()
	temp, err := d.Stage("f", 0o600, []byte("secret"), FileID{})
	check(t, err)
	info, err := os.Stat(filepath.Join(dir, temp))
	check(t, err)
	if info.Mode() != 0o600 {
		t.Errorf("mode is %v, want 0600", info.Mode())
	}
	if !IsTemp(temp) || IsTemp(".reconcile-tmp-notes") || IsTemp(prefix+strings.Repeat("z", 16)) {
		t.Error("IsTemp accepts other names")
	}
}

func TestMakeAll(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o077))
	root, dir := open(t)
	made, err := MakeAll(root, "a/b/c", 0o750)
	check(t, err)
	if fmt.Sprint(made) != "[a a/b a/b/c]" {
		t.Errorf("made %v", made)
	}
	for _, name := range made {
		info, err := os.Stat(filepath.Join(dir, name))
		check(t, err)
		if info.Mode().Perm() != 0o750 {
			t.Errorf("%s has %v, want 0750", name, info.Mode())
		}
	}
	if made, err := MakeAll(root, "a/b/c", 0o700); err != nil || made != nil {
		t.Errorf("a second time: %v, %v", made, err)
	}
	check(t, os.WriteFile(filepath.Join(dir, "f"), nil, 0o644))
	if _, err := MakeAll(root, "f", 0o755); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("an existing file: %v", err)
	}
	if _, err := MakeAll(root, "f/g", 0o755); err == nil {
		t.Error("a directory was made below a file")
	}
}

func TestModesKeepInheritedBits(t *testing.T) {
	root, dir := open(t)
	check(t, os.Chmod(dir, 0o755|fs.ModeSetgid))
	_, err := MakeAll(root, "d", 0o777)
	check(t, err)
	check(t, SetMode(root, "d", 0o700))
	info, err := os.Stat(filepath.Join(dir, "d"))
	check(t, err)
	if info.Mode().Perm() != 0o700 || info.Mode()&fs.ModeSetgid == 0 {
		t.Errorf("mode is %v, want setgid and 0700", info.Mode())
	}
}

func TestSetModeRefusesALink(t *testing.T) {
	root, dir := open(t)
	check(t, os.WriteFile(filepath.Join(dir, "f"), nil, 0o600))
	check(t, os.Symlink("f", filepath.Join(dir, "l")))
	if err := SetMode(root, "l", 0o777); err == nil {
		t.Error("the mode of a link was changed")
	}
	info, _ := os.Stat(filepath.Join(dir, "f"))
	if info.Mode() != 0o600 {
		t.Errorf("the target has %v", info.Mode())
	}
}

func TestSymlink(t *testing.T) {
	root, dir := open(t)
	for _, target := range []string{"one", "two"} {
		check(t, Symlink(root, "l", target))
		if got, _ := os.Readlink(filepath.Join(dir, "l")); got != target {
			t.Errorf("target is %q, want %q", got, target)
		}
	}
	check(t, os.WriteFile(filepath.Join(dir, "f"), []byte("kept"), 0o644))
	if err := Symlink(root, "f", "one"); err == nil {
		t.Error("a symlink replaced a file")
	}
	if got := names(t, dir); len(got) != 2 {
		t.Errorf("left behind: %v", got)
	}
}

func TestFlusherWithManyDirectories(t *testing.T) {
	root, dir := open(t)
	var fl Flusher
	defer fl.Close()
	for i := range 3 {
		name := fmt.Sprint("d", i)
		_, err := MakeAll(root, name, 0o755)
		check(t, err)
		d, err := OpenDir(root, name)
		check(t, err)
		check(t, fl.Attach(d))
		temp, err := d.Stage("f", 0o644, []byte(name), FileID{})
		check(t, err)
		check(t, fl.Flush())
		check(t, d.Commit(temp, "f", &FileID{}))
		check(t, d.Sync())
		check(t, d.Close())
	}
	check(t, fl.Flush())
	check(t, SyncTree(root, "."))
	check(t, syncEach(root, "."))
	for i := range 3 {
		if got, err := os.ReadFile(filepath.Join(dir, fmt.Sprint("d", i), "f")); err != nil || string(got) != fmt.Sprint("d", i) {
			t.Errorf("d%d/f: %q, %v", i, got, err)
		}
	}
}
