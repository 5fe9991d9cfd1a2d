package resourcetest

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/golden"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Removals runs every case below testdata/removal: what a kind answers of a thing that
// nothing asks for any more. A case has the sections
//
//	state.json   what is remembered, a resources.Recorded
//	facts.json   what is known of the machine
//	plan         the change as text; `go test -update` rewrites it
//
// Beside the golden each case shows that nothing outside of Reads has influence, that
// the answer settles from its own predictions, and what every kind promises: no tree is
// removed as a whole but one below .reconcile, and a removal in a place of the user
// says what must stand there.
func Removals(t *testing.T, kind resources.Kind) {
	t.Helper()
	remover, ok := kind.New().(resources.Remover)
	if !ok {
		t.Fatalf("kind %s is no Remover", kind.Name)
	}
	files, err := filepath.Glob(filepath.Join("testdata", "removal", "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases in testdata/removal: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) { runRemoval(t, remover, file) })
	}
}

func runRemoval(t *testing.T, remover resources.Remover, file string) {
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	remembered, recorded, plan := section(archive, "state.json"), section(archive, "facts.json"), section(archive, "plan")
	if remembered == nil || recorded == nil {
		t.Fatalf("%s needs the sections state.json and facts.json", file)
	}
	var was resources.Recorded
	d := json.NewDecoder(bytes.NewReader(remembered.Data))
	d.DisallowUnknownFields()
	if err := d.Decode(&was); err != nil {
		t.Fatalf("state.json: %v", err)
	}
	spec, known := remover.Removal(was), decodeFacts(t, recorded.Data)
	c := testCase{spec: spec, known: known}
	change := c.diff(t, spec, known)
	got := Text(change)
	if golden.Updating() {
		update(t, file, archive, got)
	} else if plan == nil || string(plan.Data) != got {
		t.Errorf("the plan differs (go test -update rewrites it)\n--- got\n%s", got)
	}
	c.checkChange(t, change)
	c.checkHonestReads(t, got)
	c.checkSettles(t, change)
	c.checkStepsSurvive(t, change)
	checkRemoval(t, change)
}

// checkRemoval holds what is promised of every deletion.
func checkRemoval(t testing.TB, change resources.Change) {
	t.Helper()
	if !slices.Contains([]resources.Action{resources.None, resources.Delete}, change.Action) {
		t.Errorf("a removal answers %q", change.Action)
	}
	for _, s := range change.Steps {
		remove, ok := s.(resources.Remove)
		switch {
		case !ok:
			t.Errorf("a removal wants the step %s", resources.StepName(s))
		case remove.Type == "" && !strings.HasPrefix(remove.Path, layout.Dir+"/"):
			t.Errorf("the whole of %s would go, which is a place of the user", remove.Path)
		case remove.Type == facts.Regular && remove.SHA256.IsZero():
			t.Errorf("the file %s would go whatever it holds", remove.Path)
		case remove.Type == facts.Symlink && remove.Target == "":
			t.Errorf("the link %s would go wherever it leads", remove.Path)
		}
	}
}
