package planner_test

import (
	"slices"
	"testing"

	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
	"github.com/reconcile-ml/reconcile/pkg/resources/file"
)

func TestRelations(t *testing.T) {
	list := append(small(), resources.Resource{
		Addr: addr(t, "file.last.txt"), Spec: &file.Spec{Path: "last.txt"}, DependsOn: []resources.Addr{addr(t, "file.data/notes.txt")},
	})
	waits, needed := planner.Relations(list, addr(t, "file.data/notes.txt"))
	if !slices.Equal(waits, []planner.Relation{{Addr: addr(t, "directory.data"), Why: "lies in it"}}) {
		t.Errorf("waits for %v", waits)
	}
	if !slices.Equal(needed, []planner.Relation{{Addr: addr(t, "file.last.txt"), Why: "depends_on"}}) {
		t.Errorf("needed by %v", needed)
	}
	if waits, needed := planner.Relations(list, addr(t, "file.none")); waits != nil || needed != nil {
		t.Errorf("of nothing: %v %v", waits, needed)
	}
}
