package planner

import (
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/state"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// cause tells why a resource that is remembered changes: the machine is not as it
// was left (drift), the manifest asks for something else than then (pending), or
// both. What was never applied is pending alone.
func (p *planning) cause(r *resources.Resource) (drift, pending bool) {
	if p.before.State == nil {
		return false, false
	}
	e, known := p.before.State.Entry(r.Addr)
	if !known {
		return false, true
	}
	pending = e.Spec != resources.Digest(r.Spec) || e.Key != r.Spec.Owns()
	drift = drifted(e, p.facts)
	// What no memory explains, such as permission bits, did not come from the manifest.
	return drift || !pending, pending
}

// conflicts reports whether a change would overwrite what somebody else wrote: a file or
// link that is not as it was left, or that was taken over as it stood although the
// manifest asks for something else. What was never managed is no conflict: the plan shows
// it as any other change.
func (p *planning) conflicts(r *resources.Resource, c resources.Change) bool {
	if p.before.State == nil || !overwrites(c) {
		return false
	}
	e, known := p.before.State.Entry(r.Addr)
	now, seen := facts.Find[facts.Path](p.facts, r.Spec.Owns())
	if !known || !seen || e.Key != r.Spec.Owns() || e.Left.Path == "" {
		return false
	}
	return !e.Left.Is(now) || e.Spec.IsZero()
}

// overwrites reports whether a change puts something in place of a file or link.
func overwrites(c resources.Change) bool {
	if c.Action != resources.Update && c.Action != resources.Replace {
		return false
	}
	for _, s := range c.Steps {
		switch s := s.(type) {
		case resources.WriteFile:
			return !s.Replaces.IsZero()
		case resources.Link:
			return true
		}
	}
	return false
}

// drifted reports whether what stands there differs from what was left.
func drifted(e state.Entry, f *facts.Facts) bool {
	fact, _, ok := f.Lookup(e.Key)
	if !ok {
		return false
	}
	switch now := fact.(type) {
	case facts.Path:
		return e.Left.Path != "" && !e.Left.Is(now)
	case facts.Environment:
		current, _ := now.CurrentGeneration()
		moved := e.Left.Target != "" && e.Left.Path == now.Path && e.Left.Target != now.Current
		return moved || len(current.Damage) > 0 || now.Entry != "" && e.Left.Path == now.Path
	}
	return false
}
