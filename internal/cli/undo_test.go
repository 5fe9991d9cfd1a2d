package cli

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/reconcile-ml/reconcile/internal/state"
)

// TestUndoIsRefusedAfterAnotherRun lets another run change the state while undo and destroy
// wait for the lock: their plans are made from the state before, and would change the files
// of an older apply.
func TestUndoIsRefusedAfterAnotherRun(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"undo", "destroy"} {
		s, _ := newSavedSite(t)
		s.want(0, "apply", "-y")
		lock := s.acquireLock()
		p := s.start(command, "-y", "--lock-timeout", "1m")
		s.waitFor(p, "Waiting for")
		journals, err := filepath.Glob(s.store("projects/*/state.jsonl"))
		check(t, err)
		journal, err := state.Open(journals[0], time.Now)
		check(t, err)
		check(t, journal.Forget(journal.Sorted()[0].Addr))
		check(t, journal.Close())
		check(t, lock.Release())
		if e := p.wait(); e.code != 1 || !e.contains("state.changed", "nothing was changed") {
			t.Errorf("%s: %s", command, e)
		}
		if _, err := os.Stat(s.path("b.txt")); err != nil {
			t.Errorf("%s removed a file: %v", command, err)
		}
	}
}
