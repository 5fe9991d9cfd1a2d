package resources

import "github.com/reconcile-ml/reconcile/internal/facts"

// A Renewer is a Spec that can be made anew though it agrees. Renew is asked with the
// facts that Diff was asked with; once its steps are done Diff must have nothing to do.
type Recreator interface {
	Spec
	Recreate(v facts.View) Change
}

// Renew returns the change that makes a thing anew. What cannot be done, or is decided
// only during apply, stays so, and so does what is made or deleted anyway.
func Recreate(s Spec, c Change, v facts.View) Change {
	r, ok := s.(Recreator)
	if !ok || c.Action != None && c.Action != Update && c.Action != Replace {
		return c
	}
	return r.Recreate(v)
}
