package planner

import (
	"github.com/reconcile-ml/reconcile/pkg/facts"
	"github.com/reconcile-ml/reconcile/pkg/resources"
	"github.com/reconcile-ml/reconcile/pkg/state"
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
