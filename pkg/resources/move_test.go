package resources_test

import (
	"testing"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/pkg/resources"
	"github.com/reconcile-ml/reconcile/pkg/resources/directory"
	"github.com/reconcile-ml/reconcile/pkg/resources/file"
)

// TestMovePath checks a move for each combination of the two paths.
func TestMovePath(t *testing.T) {
	absent := func(p string) facts.Path { return facts.Path{Path: p, Type: facts.Absent} }
	dir := func(p string) facts.Path { return facts.Path{Path: p, Type: facts.Dir, Mode: 0o755} }
	for _, c := range []struct {
		name     string
		from, to facts.Path
		action   resources.Action
		moves    bool
	}{
		{"not moved", dir("old"), absent("new"), resources.Update, true},
		{"gone", absent("old"), absent("new"), resources.Create, false},
		{"already moved", absent("old"), dir("new"), resources.None, false},
		{"both exist", dir("old"), dir("new"), resources.Blocked, false},
		{"another type", facts.Path{Path: "old", Type: facts.Regular}, absent("new"), resources.Create, false},
		{"new parent is a link", dir("old"), facts.Path{Path: "new", Type: facts.Absent, Parent: "link x -> y"}, resources.Blocked, false},
		{"old parent is a link", facts.Path{Path: "old", Type: facts.Dir, Parent: "link x -> y"}, absent("new"), resources.Create, false},
	} {
		spec := &directory.Spec{Path: "new"}
		moved := spec.MovedFrom(resources.Recorded{Left: resources.Left{Path: "old", Type: facts.Dir}})
		if resources.Digest(moved) != resources.Digest(spec) || moved.Owns() != spec.Owns() {
			t.Fatalf("%s: another digest or key", c.name)
		}
		known := facts.Of(c.from, c.to)
		change := moved.Diff(facts.NewView(known, moved.Reads()))
		if change.Action != c.action {
			t.Errorf("%s: action %q, want %q (%v)", c.name, change.Action, c.action, change.Problem)
		}
		first := resources.Step(nil)
		if len(change.Steps) > 0 {
			first = change.Steps[0]
		}
		if want := (resources.Move{From: "old", To: "new", Type: facts.Dir}); (first == resources.Step(want)) != c.moves {
			t.Errorf("%s: steps %v", c.name, change.Steps)
		}
		for _, fact := range change.Predicts {
			known.Set(fact)
		}
		if again := moved.Diff(facts.NewView(known, moved.Reads())); c.moves && again.Action != resources.None {
			t.Errorf("%s: does not settle: %q", c.name, again.Action)
		}
	}
}

// TestMovePathUpdatesContent checks that a file is renamed and then written.
func TestMovePathUpdatesContent(t *testing.T) {
	spec := &file.Spec{Path: "new", Content: "new\n"}
	moved := spec.MovedFrom(resources.Recorded{Left: resources.Left{Path: "old", Type: facts.Regular}})
	known := facts.Of(facts.Path{Path: "old", Type: facts.Regular, Mode: 0o600, Size: 4, SHA256: facts.SHA256{1}}, facts.Path{Path: "new", Type: facts.Absent})
	change := moved.Diff(facts.NewView(known, moved.Reads()))
	if len(change.Steps) != 2 {
		t.Fatalf("steps %v", change.Steps)
	}
	if write := change.Steps[1].(resources.WriteFile); write.Replaces != (facts.SHA256{1}) || write.Mode != 0o600 {
		t.Errorf("writes %+v", write)
	}
}
