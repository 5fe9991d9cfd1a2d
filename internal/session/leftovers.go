package session

import (
	"context"
	"slices"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/pkg/planner"
)

// Cleanup removes the temporary files of a killed apply, for a plan without changes: the
// apply may have been killed after its last change. It also records the plan's changes of
// the state. If there is neither, nothing is locked or written. It does nothing if another
// run holds the lock.
func (m *Machine) Cleanup(ctx context.Context, plan *planner.Plan, o LockOptions) error {
	if !m.hasLeftovers() && plan.StateChanges.IsEmpty() {
		return nil
	}
	o.Events = nil
	r, err := m.Lock(ctx, o)
	if code, _ := exit.CodeOf(err); code == exit.Locked {
		return nil // the other run removes the leftovers
	}
	if err != nil {
		return err
	}
	r.Apply(m, &planner.Plan{StateChanges: plan.StateChanges}, nil) // every apply first removes temporary files, and last empties the trash
	return r.Close()
}

// hasLeftovers reports whether an apply was killed within a change, or left temporary
// files or trash.
func (m *Machine) hasLeftovers() bool {
	local, err := m.Local()
	if err != nil || m.StateErr != nil {
		return false // a journal that cannot be read is reported by a run that changes something
	}
	if m.Prior.State != nil && len(m.Prior.State.Pending()) > 0 {
		return true
	}
	if len(ListNames(m.Path(layout.Trash(local.State)))) > 0 {
		return true
	}
	places := []string{local.Store, local.State, layout.Kept(local.State), layout.Runs(local.State)}
	for _, e := range m.places {
		places = append(places, e.Path)
	}
	for _, dir := range places {
		if slices.ContainsFunc(ListNames(m.Path(dir)), atomicfile.IsTemp) {
			return true
		}
	}
	return false
}
