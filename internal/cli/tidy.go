package cli

import (
	"context"
	"os"
	"slices"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/pkg/planner"
)

// tidy clears what a killed apply left behind, where there is nothing else to do:
// it may have been killed after its last change. It writes what the plan says of the
// memory alone. Where nothing is left, nothing
// is locked or written. What cannot be cleared harms nobody and is no error.
func (a *app) tidy(ctx context.Context, m *machine, plan *planner.Plan) {
	if !m.leftovers() && plan.StateChanges.IsEmpty() {
		return
	}
	w, err := a.work(ctx, m.project, applyFlags{})
	if code, _ := codeOf(err); code == exitLocked {
		return // whoever holds the lock clears it
	}
	if err == nil {
		w.options.Events = nil
		w.apply(&planner.Plan{StateChanges: plan.StateChanges}) // every apply begins by clearing, and ends with the trash
		err = w.close()
	}
	if err != nil {
		_ = say(a.err, "What an interrupted apply left could not be cleared yet: %v", err)
	}
}

// leftovers reports whether an apply was killed in the middle of something, or
// left anything on its way in or out.
func (m *machine) leftovers() bool {
	here, ok := facts.Find[facts.Project](m.facts, facts.ProjectKey)
	if !ok {
		return false
	}
	if m.blind != nil {
		return false // a journal that cannot be read is for a change to complain of
	}
	if m.before.State != nil && len(m.before.State.Pending()) > 0 {
		return true
	}
	if len(names(m.file(layout.Trash(here.State)))) > 0 {
		return true
	}
	places := []string{layout.Dir, here.State, layout.Kept(here.State), layout.Runs(here.State)}
	for _, dir := range append(places, m.visible()...) {
		if slices.ContainsFunc(names(m.file(dir)), atomicfile.IsTemp) {
			return true
		}
	}
	return false
}

// names lists a directory; one that cannot be read has none.
func names(dir string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	list := make([]string, len(entries))
	for i, e := range entries {
		list[i] = e.Name()
	}
	return list
}
