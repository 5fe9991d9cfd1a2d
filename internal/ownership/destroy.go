package ownership

import (
	"context"
	"path"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/session"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// PlanDestroy plans as if the manifest asked for nothing, so that everything that reconcile
// created is removed, with the directories of .reconcile that can be made again.
func PlanDestroy(ctx context.Context, m *session.Machine) (*planner.Plan, error) {
	if m.StateErr != nil {
		return nil, m.StateErr // without the state it is not known what reconcile created
	}
	plan, err := planDestroy(ctx, m)
	if err == nil && plan.Totals().Changes() > 0 {
		plan.Notices = append(plan.Notices, "contents of files and the records of runs stay in "+m.Prior.StateDir)
	}
	return plan, err
}

func planDestroy(ctx context.Context, m *session.Machine) (*planner.Plan, error) {
	all := m.Prior
	all.Declared, all.DeclaredPaths, all.Moves, all.Reason = nil, nil, nil, "managed by reconcile"
	own := ownFolders(m)
	keys := append(all.Keys(nil), planner.Keys(own)...)
	known := m.Probe(ctx, keys)
	known.Merge(m.Base)
	plan, err := all.Make(nil, known)
	if err != nil {
		return nil, err
	}
	used := slices.ContainsFunc(plan.Items, func(i planner.Item) bool {
		return i.Resource.Addr.Kind != "directory" && i.Change.Action == resources.None && i.Resource.Spec.Owns().Kind == facts.KindEnvironment
	})
	if used {
		return plan, nil // an environment that stays needs its interpreter
	}
	addOwnFolders(plan, own, known)
	for _, e := range all.State.Sorted() {
		if e.Key.Kind == facts.KindTool || e.Key.Kind == facts.KindPython {
			plan.StateChanges.Forget = append(plan.StateChanges.Forget, e)
		}
	}
	return plan, nil
}

// addOwnFolders adds the directories of .reconcile that can be made again. They are removed
// last, since environments are made from them.
func addOwnFolders(plan *planner.Plan, own []resources.Resource, known *facts.Facts) {
	var after []int
	for i := range plan.Items {
		if plan.Items[i].Change.Action == resources.Delete {
			after = append(after, i)
		}
	}
	for i := range own {
		reads := own[i].Spec.Reads()
		if _, _, ok := known.Lookup(reads[0]); !ok {
			continue
		}
		c := own[i].Spec.Diff(facts.NewView(known, reads))
		if c.Action != resources.None || c.Problem != nil {
			plan.Items = append(plan.Items, planner.Item{Resource: &own[i], Change: c, Orphan: true, After: after})
		}
	}
}

// ownFolders returns the directories of .reconcile that can be made again: those of this
// machine and, where no other machine has a part in the project, the shared ones.
func ownFolders(m *session.Machine) []resources.Resource {
	here, _ := m.Local()
	folders := []string{layout.Conda(here.State)}
	alone := true
	for _, name := range session.ListNames(m.Path(layout.Dir)) {
		if part := path.Join(layout.Dir, name); part != here.State && len(session.ListNames(m.Path(part))) > 0 && name != "cache" && name != "tools" {
			alone = false
		}
	}
	if alone {
		folders = append(folders, layout.Tools(m.Selection.Host.Platform), layout.Cache(""))
	}
	list := make([]resources.Resource, len(folders))
	for i, folder := range folders {
		addr := resources.Addr{Kind: "own", Name: strings.TrimPrefix(folder, layout.Dir+"/")}
		w := resources.Recorded{Addr: addr, Key: facts.TreeKey(folder), Left: resources.Left{Path: folder, Type: facts.Dir}, Reason: "can be made again"}
		list[i] = resources.Resource{Addr: addr, Spec: &resources.RemoveTree{Recorded: w}}
	}
	return list
}
