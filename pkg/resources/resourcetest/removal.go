package resourcetest

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Removals runs every case in testdata/removal, each for a resource that is no longer in the
// manifest. A case has the sections
//
//	state.json   the recorded resource, a resources.Recorded
//	facts.json   the facts
//	plan         the change as text; `go test -update` rewrites it
//
// Besides the checks of Run that apply, each case checks that a whole tree is removed only
// in the store, and that any other removal states the expected content.
func Removals(t *testing.T, kind resources.Kind) {
	t.Helper()
	remover, ok := kind.New().(resources.Remover)
	if !ok {
		t.Fatalf("kind %s is not a Remover", kind.Name)
	}
	runFiles(t, filepath.Join("testdata", "removal"), func(t testing.TB, file string) {
		archive, body, known := readCase(t, file, "state.json")
		var recorded resources.Recorded
		decodeStrict(t, "state.json", body, &recorded)
		c := testCase{remover.Removal(recorded), known}
		c.check(t, file, archive)
		checkRemoval(t, diff(t, c.spec, known))
	})
}

func checkRemoval(t testing.TB, change resources.Change) {
	t.Helper()
	if change.Action != resources.None && change.Action != resources.Delete {
		t.Errorf("a removal with the action %q", change.Action)
	}
	for _, s := range change.Steps {
		remove, ok := s.(resources.Remove)
		switch {
		case !ok:
			t.Errorf("a removal with the step %s", resources.StepName(s))
		case remove.Type == "" && !strings.Contains(remove.Path, "/projects/"):
			t.Errorf("the whole of %s, outside of the store, would be removed", remove.Path)
		case remove.Type == facts.Regular && remove.SHA256.IsZero():
			t.Errorf("the file %s would be removed whatever its content", remove.Path)
		case remove.Type == facts.Symlink && remove.Target == "":
			t.Errorf("the link %s would be removed whatever its target", remove.Path)
		}
	}
}
