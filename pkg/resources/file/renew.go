package file

import (
	"github.com/reconcile-ml/reconcile/pkg/facts"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Renew writes the file again, whatever it holds. It keeps the mode of what stands
// there where the manifest asks for none.
func (s *Spec) Renew(v facts.View) resources.Change {
	c := s.write(facts.Get[facts.Path](v, s.Owns()))
	c.Action, c.Summary = resources.Replace, "written anew, as --replace asks"
	return c
}
