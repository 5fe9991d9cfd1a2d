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

func TestConflicts(t *testing.T) {
	a, key := resources.Addr{Kind: "file", Name: "notes.txt"}, facts.PathKey("notes.txt")
	spec := &file.Spec{Path: "notes.txt", Content: "desired"}
	left := func(text string, spec facts.SHA256) *state.Entry {
		return &state.Entry{Addr: a, Key: key, Ownership: state.Created, Spec: spec, Left: state.Left{Path: "notes.txt", Type: facts.Regular, SHA256: digest(text)}}
	}
	onDisk := func(text string) facts.Path {
		return facts.Path{Path: "notes.txt", Type: facts.Regular, Mode: 0o644, Size: int64(len(text)), SHA256: digest(text)}
	}
	for name, c := range map[string]struct {
		prior *state.Entry
		now   facts.Path
		want  bool
	}{
		"edited":                         {left("desired", resources.Digest(spec)), onDisk("mine"), true},
		"edited, and spec changed":       {left("before", digest("another spec")), onDisk("mine"), true},
		"unchanged, and spec changed":    {left("before", digest("another spec")), onDisk("before"), false},
		"adopted with other content":     {left("mine", facts.SHA256{}), onDisk("mine"), true},
		"edited to the desired content":  {left("before", digest("another spec")), onDisk("desired"), false},
		"removed":                        {left("desired", resources.Digest(spec)), facts.Path{Path: "notes.txt", Type: facts.Absent}, false},
		"existing, never managed":        {nil, onDisk("mine"), false},
		"another type, which is blocked": {left("desired", resources.Digest(spec)), facts.Path{Path: "notes.txt", Type: facts.Dir}, false},
	} {
		t.Run(name, func(t *testing.T) {
			journal, err := state.Open(filepath.Join(t.TempDir(), "state.jsonl"), time.Now)
			if err != nil {
				t.Fatal(err)
			}
			defer journal.Close()
			if c.prior != nil {
				if err := journal.Done(*c.prior); err != nil {
					t.Fatal(err)
				}
			}
			p, err := planner.Prior{State: &journal.State}.Make([]resources.Resource{{Addr: a, Spec: spec}}, facts.Of(c.now))
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
