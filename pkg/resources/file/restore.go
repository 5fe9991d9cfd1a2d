package file

import (
	"encoding/json"
	"fmt"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Restore wants a file to have the content that it had before an apply, if nobody
// has changed it since that apply.
type Restore struct {
	*Spec
	Left resources.Left // what the apply left; of a file that it took away only the path
}

// MarshalJSON writes the wish alone.
func (s *Restore) MarshalJSON() ([]byte, error) { return json.Marshal(s.Spec) }

// Diff writes the earlier content in place of what the apply left.
func (s *Restore) Diff(v facts.View) resources.Change {
	actual := facts.Get[facts.Path](v, s.Owns())
	back := actual.Type == facts.Regular && actual.SHA256 == s.Digest()
	asLeft := s.Left.Is(actual)
	if s.Left.Type == "" || s.Left.Type == facts.Absent {
		asLeft = actual.Type == facts.Absent && actual.Parent == ""
	}
	if !back && !asLeft {
		return resources.Block(&diag.Problem{
			Code:    "undo.edited",
			Summary: fmt.Sprintf("%q was changed since the last apply, so its earlier content does not replace it", s.Path),
			Found:   resources.DescribePath(actual),
			Hint:    "the earlier content is in .reconcile, named by its sha256: " + s.Digest().String(),
		})
	}
	return s.Spec.Diff(v)
}
