//go:build failpoints

package failpoint

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

func TestHitKillsAtTheCountedHit(t *testing.T) {
	if os.Getenv("FAILPOINT_CHILD") != "" {
		for range 3 {
			Hit(JournalBefore)
		}
		return
	}
	list := filepath.Join(t.TempDir(), "list")
	child := exec.Command(os.Args[0], "-test.run=^TestHitKillsAtTheCountedHit$")
	child.Env = append(os.Environ(), "FAILPOINT_CHILD=1", "RECONCILE_FAILPOINT=journal.before:2", "RECONCILE_FAILPOINT_LIST="+list)
	var exit *exec.ExitError
	if err := child.Run(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("the child ended with %v, not SIGKILL", err)
	}
	got, err := os.ReadFile(list)
	if err != nil || string(got) != "journal.before\njournal.before\n" {
		t.Errorf("list is %q, %v", got, err)
	}
}
