package apply

import (
	"context"

	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Do carries out steps that belong to no plan: to go back to an earlier
// generation, to free one. Nobody is asked before or after; the caller has looked
// and holds the lock.
func RunSteps(ctx context.Context, addr resources.Addr, action resources.Action, steps []resources.Step, o Options) error {
	item := planner.Item{Resource: &resources.Resource{Addr: addr}, Change: resources.Change{Action: action, Steps: steps}}
	e := newEngine(&planner.Plan{Items: []planner.Item{item}}, o.withDefaults())
	if err := e.open(ctx); err != nil {
		return err
	}
	defer e.close()
	t := &task{engine: e, item: &item}
	if err := t.runSteps(ctx, steps); err != nil {
		return err
	}
	e.emptyTrash(ctx)
	return nil
}
