package probes

import (
	"os"
	"path/filepath"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/facts"
)

// mountTmpfs mounts a file system of 64 kB, or skips the test.
func mountTmpfs(t *testing.T, dir string, flags uintptr) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", flags, "size=64k"); err != nil {
		t.Skipf("this user cannot mount a small file system: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
}

func TestMountOptionsAreFacts(t *testing.T) {
	m := newMachine(t)
	for name, flags := range map[string]uintptr{"plain": 0, "noexec": unix.MS_NOEXEC, "readonly": unix.MS_RDONLY} {
		dir := filepath.Join(m.root, name)
		mountTmpfs(t, dir, flags)
		fact, reason := m.probe(facts.DiskKey(name + "/not/yet"))
		d, ok := fact.(facts.Disk)
		if !ok || d.FileSystem != "tmpfs" || d.MountPoint != dir || d.Network || d.Free != 64<<10 || d.Quota != 0 {
			t.Errorf("%s: %+v %s", name, d, reason)
		}
		if d.NoExec != (name == "noexec") || d.ReadOnly != (name == "readonly") {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

// TestQuotaLayout compares diskQuota with struct if_dqblk of linux/quota.h: eight numbers of
// 64 bits and one of 32.
func TestQuotaLayout(t *testing.T) {
	var q diskQuota
	if unsafe.Sizeof(q) != 72 || unsafe.Offsetof(q.soft) != 8 || unsafe.Offsetof(q.used) != 16 {
		t.Errorf("%d bytes, soft at %d, used at %d", unsafe.Sizeof(q), unsafe.Offsetof(q.soft), unsafe.Offsetof(q.used))
	}
	if _, _, ok := quota(t.TempDir()); ok && os.Geteuid() == 0 {
		t.Error("root has a quota")
	}
}
