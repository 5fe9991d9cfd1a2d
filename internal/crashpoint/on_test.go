//go:build crashpoints

package crashpoint

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

func TestHereKillsAtTheCountedPassage(t *testing.T) {
	if os.Getenv("CRASHPOINT_CHILD") != "" {
		for range 3 {
			Here(JournalBefore)
		}
		return
	}
	list := filepath.Join(t.TempDir(), "list")
	child := exec.Command(os.Args[0], "-test.run=^TestHereKillsAtTheCountedPassage$")
	child.Env = append(os.Environ(), "CRASHPOINT_CHILD=1", "RECONCILE_CRASH=journal.before:2", "RECONCILE_CRASH_LIST="+list)
	var exit *exec.ExitError
	if err := child.Run(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("the child ended with %v, not SIGKILL", err)
	}
	got, err := os.ReadFile(list)
	if err != nil || string(got) != "journal.before\njournal.before\n" {
		t.Errorf("list is %q, %v", got, err)
	}
}
