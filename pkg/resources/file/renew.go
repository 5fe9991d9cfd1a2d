package file

import (
	"slices"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Renew writes the file again, whatever it holds. It keeps the mode of what stands
// there where the manifest asks for none.
func (s *Spec) Recreate(v facts.View) resources.Change {
	actual := facts.Get[facts.Path](v, s.Owns())
	c := s.write(actual)
	if actual.SHA256 == s.Digest() {
		c.Fields = slices.DeleteFunc(c.Fields, func(f resources.Field) bool { return f.Path == "content" })
	}
	c.Action, c.Summary = resources.Replace, "written anew, as --replace asks"
	return c
}
