package atomicfile

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestFullDiskLeavesTheOldFile(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("this user cannot mount a small file system: %v", err)
	}
	defer unix.Unmount(dir, 0)
	root, err := os.OpenRoot(dir)
	check(t, err)
	defer root.Close()
	check(t, Write(root, "f", 0o644, []byte("old")))
	if err := Write(root, "f", 0o644, make([]byte, 1<<20)); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("got %v, want ENOSPC", err)
	}
	if got, _ := os.ReadFile(filepath.Join(dir, "f")); string(got) != "old" {
		t.Errorf("the old file holds %q", got)
	}
	if got := names(t, dir); len(got) != 1 {
		t.Errorf("left behind: %v", got)
	}
}
