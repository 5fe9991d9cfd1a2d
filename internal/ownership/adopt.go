// Package ownership changes what reconcile manages on a machine: it adopts resources,
// forgets them, and removes what reconcile created.
package ownership

import (
	"context"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/session"
	"github.com/reconcile-ml/reconcile/internal/state"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// An Adoption is the result of adopting one resource. Its JSON form is the output of the
// command.
type Adoption struct {
	Addr    resources.Addr `json:"addr"`
	Agrees  bool           `json:"agrees"`  // with the manifest; else the next apply changes it
	Changed bool           `json:"changed"` // it was not managed before
}

// Adopt records that existing objects belong to resources of the manifest. It changes the
// state alone, and nothing at all if one of the resources cannot be adopted.
func Adopt(ctx context.Context, m *session.Machine, addrs []resources.Addr, o session.LockOptions) ([]Adoption, error) {
	plan, err := m.Plan(ctx, planner.Selection{})
	if err != nil {
		return nil, err
	}
	var problems diag.List
	var entries []state.Entry
	list := []Adoption{}
	for _, addr := range addrs {
		e, agrees, p := adoptable(m, plan, addr)
		if p != nil {
			problems.Add(p)
			continue
		}
		was, known := m.Entry(addr)
		changed := e.Key.Kind == facts.KindPath && was.Left != e.Left
		owned := known && was.Ownership != state.Observed && !changed
		if !owned {
			entries = append(entries, e)
		}
		list = append(list, Adoption{addr, agrees, !owned})
	}
	if err := problems.Err(); err != nil || len(entries) == 0 {
		return list, err
	}
	run, err := m.Lock(ctx, o)
	if err != nil {
		return nil, err
	}
	defer run.Close()
	return list, run.Journal.Done(entries...)
}

// adoptable returns the entry of a resource as it exists, and whether it agrees with the
// manifest, or why it cannot be adopted.
func adoptable(m *session.Machine, plan *planner.Plan, addr resources.Addr) (e state.Entry, agrees bool, p *diag.Problem) {
	r := m.Resource(addr)
	if r == nil {
		return e, false, unadoptable(addr, "adopt.unknown", "the manifest does not declare it on this machine", "`reconcile status` lists what it asks for")
	}
	if _, check := r.Spec.(resources.Requirement); check {
		return e, false, unadoptable(addr, "adopt.check", "it is a check, and manages nothing", "adopt a directory, file, link or environment")
	}
	action := resources.None
	for i := range plan.Items {
		if it := &plan.Items[i]; it.Resource.Addr == addr && !it.Orphan {
			if action = it.Change.Action; it.Change.Problem != nil && action == resources.Blocked {
				return e, false, it.Change.Problem
			}
		}
	}
	e = m.AdoptedEntry(r)
	if e.Left == (resources.Left{}) {
		return e, false, unadoptable(addr, "adopt.absent", "it does not exist", "`reconcile apply` creates it; there is nothing to adopt")
	}
	if action == resources.None {
		e.Spec = resources.Digest(r.Spec) // without it the manifest's request would be pending
	}
	return e, action == resources.None, nil
}

func unadoptable(addr resources.Addr, code, summary, hint string) *diag.Problem {
	return &diag.Problem{Code: code, Addr: addr.String(), Summary: summary, Hint: hint}
}
