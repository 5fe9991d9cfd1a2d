package ownership

import (
	"context"
	"slices"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/session"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// PlanDestroy plans as if the manifest asked for nothing, so that everything that reconcile
// created is removed. What the store shares between projects stays.
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
	known := m.Probe(ctx, all.Keys(nil))
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
	for _, e := range all.State.Sorted() {
		if e.Key.Kind == facts.KindTool || e.Key.Kind == facts.KindPython {
			plan.StateChanges.Forget = append(plan.StateChanges.Forget, e)
		}
	}
	return plan, nil
}
