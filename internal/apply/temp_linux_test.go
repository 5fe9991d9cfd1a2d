package apply

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestFailedPlace checks that the full file system is the one that is named, not that of the
// project.
func TestFailedPlace(t *testing.T) {
	roomy, full := t.TempDir(), t.TempDir()
	if err := unix.Mount("tmpfs", full, "tmpfs", 0, "size=8k"); err != nil {
		t.Skipf("this user cannot mount a small file system: %v", err)
	}
	defer unix.Unmount(full, unix.MNT_DETACH)
	if err := os.WriteFile(full+"/x", make([]byte, 64<<10), 0o600); err == nil {
		t.Fatal("8 kB hold 64 kB")
	}
	for _, list := range [][]string{{roomy, full}, {full, roomy}, {full + "/not/yet", roomy}} {
		if at := failedPlace(syscall.ENOSPC, list); !strings.HasPrefix(at, full) {
			t.Errorf("%v: %s", list, at)
		}
	}
	if err := unix.Mount("", full, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Skip(err)
	}
	if at := failedPlace(syscall.EROFS, []string{roomy, full}); at != full {
		t.Errorf("read-only: %s", at)
	}
}
