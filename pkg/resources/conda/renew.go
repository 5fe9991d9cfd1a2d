package conda

import (
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Renew builds another generation, from the good parts of the visible one.
func (s *Spec) Recreate(v facts.View) resources.Change {
	d, m := s.desired(v)
	return d.Rebuild(v, m)
}
