package planner_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/state"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
	"github.com/reconcile-ml/reconcile/pkg/resources/file"
)

// TestConflicts holds what counts as one: somebody changed what a change overwrites.
func TestConflicts(t *testing.T) {
	a, key := resources.Addr{Kind: "file", Name: "notes.txt"}, facts.PathKey("notes.txt")
	asked := &file.Spec{Path: "notes.txt", Content: "desired"}
	left := func(text string, spec facts.SHA256) *state.Entry {
		return &state.Entry{Addr: a, Key: key, Ownership: state.Created, Spec: spec, Left: state.Left{Path: "notes.txt", Type: facts.Regular, SHA256: digest(text)}}
	}
	stands := func(text string) facts.Path {
		return facts.Path{Path: "notes.txt", Type: facts.Regular, Mode: 0o644, Size: int64(len(text)), SHA256: digest(text)}
	}
	for name, c := range map[string]struct {
		was  *state.Entry
		now  facts.Path
		want bool
	}{
		"edited":                         {left("desired", resources.Digest(asked)), stands("mine"), true},
		"edited, and asked anew":         {left("before", digest("another wish")), stands("mine"), true},
		"as left, and asked anew":        {left("before", digest("another wish")), stands("before"), false},
		"adopted as it stood":            {left("mine", facts.SHA256{}), stands("mine"), true},
		"edited to what is asked":        {left("before", digest("another wish")), stands("desired"), false},
		"removed":                        {left("desired", resources.Digest(asked)), facts.Path{Path: "notes.txt", Type: facts.Absent}, false},
		"there before, never managed":    {nil, stands("mine"), false},
		"another type, which is blocked": {left("desired", resources.Digest(asked)), facts.Path{Path: "notes.txt", Type: facts.Dir}, false},
	} {
		t.Run(name, func(t *testing.T) {
			journal, err := state.Open(filepath.Join(t.TempDir(), "state.jsonl"), time.Now)
			if err != nil {
				t.Fatal(err)
			}
			defer journal.Close()
			if c.was != nil {
				if err := journal.Done(*c.was); err != nil {
					t.Fatal(err)
				}
			}
			p, err := planner.Prior{State: &journal.State}.Make([]resources.Resource{{Addr: a, Spec: asked}}, facts.Of(c.now))
			if err != nil {
				t.Fatal(err)
			}
			got := len(p.Items) > 0 && p.Items[0].Conflict
			if got != c.want || p.Totals().Conflicts > 0 != c.want {
				t.Errorf("conflict %v, want %v: %+v", got, c.want, p.Items)
			}
		})
	}
}
