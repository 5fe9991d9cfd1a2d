package planner

import (
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/state"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// cause reports why a recorded resource changes: drift, if the machine changed since the
// last apply; pending, if the manifest did; or both. A resource that was never applied is
// only pending.
func (p *planning) cause(r *resources.Resource) (drift, pending bool) {
	if p.prior.State == nil {
		return false, false
	}
	e, known := p.prior.State.Entry(r.Addr)
	if !known {
		return false, true
	}
	pending = e.Spec != resources.Digest(r.Spec) || e.Key != r.Spec.Owns()
	drift = drifted(e, p.facts)
	// A difference that the state does not record, such as a mode, is drift too.
	return drift || !pending, pending
}

// conflicts reports whether a change would overwrite a file or link that was edited since
// the last apply, or that was adopted although the manifest defines another content. A
// resource that was never managed does not conflict.
func (p *planning) conflicts(r *resources.Resource, c resources.Change) bool {
	if p.prior.State == nil || !overwrites(c) {
		return false
	}
	e, known := p.prior.State.Entry(r.Addr)
	now, observed := facts.Find[facts.Path](p.facts, r.Spec.Owns())
	if !known || !observed || e.Key != r.Spec.Owns() || e.Left.Path == "" {
		return false
	}
	return !e.Left.Is(now) || e.Spec.IsZero()
}

// overwrites reports whether a change replaces an existing file or link.
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

// drifted reports whether the object of an entry changed since the last apply.
func drifted(e state.Entry, f *facts.Facts) bool {
	fact, _, _ := f.Lookup(e.Key)
	switch now := fact.(type) {
	case facts.Path:
		return e.Left.Path != "" && !e.Left.Is(now)
	case facts.Environment:
		active, _ := now.CurrentGeneration()
		switched := e.Left.Target != "" && e.Left.Path == now.Path && e.Left.Target != now.Current
		return switched || len(active.Damage) > 0 || now.Entry != "" && e.Left.Path == now.Path
	}
	return false
}
