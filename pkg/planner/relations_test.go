package planner_test

import (
	"slices"
	"testing"

	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
	"github.com/reconcile-ml/reconcile/pkg/resources/file"
)

func TestRelations(t *testing.T) {
	list := append(smallList(), resources.Resource{
		Addr: addr(t, "file.last.txt"), Spec: &file.Spec{Path: "last.txt"}, DependsOn: []resources.Addr{addr(t, "file.data/notes.txt")},
	})
	dependsOn, neededBy := planner.Relations(list, addr(t, "file.data/notes.txt"))
	if !slices.Equal(dependsOn, []planner.Relation{{Addr: addr(t, "directory.data"), Why: "parent directory"}}) {
		t.Errorf("depends on %v", dependsOn)
	}
	if !slices.Equal(neededBy, []planner.Relation{{Addr: addr(t, "file.last.txt"), Why: "depends_on"}}) {
		t.Errorf("needed by %v", neededBy)
	}
	if dependsOn, neededBy := planner.Relations(list, addr(t, "file.none")); dependsOn != nil || neededBy != nil {
		t.Errorf("unknown address: %v %v", dependsOn, neededBy)
	}
}
