package ownership

import (
	"context"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/session"
	"github.com/reconcile-ml/reconcile/internal/state"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// State reads the state of this machine, without a lock.
func State(p *session.Project) (*state.State, error) {
	local, err := p.Local()
	if err != nil {
		return nil, err
	}
	return state.Read(p.Path(layout.Journal(local.State)))
}

// Entries returns the entries of resources. A resource without an entry is an error.
func Entries(s *state.State, addrs []resources.Addr) ([]state.Entry, error) {
	var problems diag.List
	var entries []state.Entry
	for _, addr := range addrs {
		e, ok := s.Entry(addr)
		if !ok {
			problems.Add(&diag.Problem{
				Code: "state.unknown", Addr: addr.String(), Summary: "it is not managed on this machine",
				Hint: "`reconcile state list` lists the managed resources",
			})
		}
		entries = append(entries, e)
	}
	return entries, problems.Err()
}

// Forget removes resources from the state, and returns their entries. Nothing is removed if
// one has no entry.
func Forget(ctx context.Context, p *session.Project, addrs []resources.Addr, o session.LockOptions) ([]state.Entry, error) {
	s, err := State(p)
	if err != nil {
		return nil, err
	}
	if _, err := Entries(s, addrs); err != nil {
		return nil, err
	}
	run, err := p.Lock(ctx, o)
	if err != nil {
		return nil, err
	}
	defer run.Close()
	entries, err := Entries(&run.Journal.State, addrs) // as it is now that no other run changes it
	if err != nil {
		return nil, err
	}
	return entries, run.Journal.Forget(addrs...)
}
