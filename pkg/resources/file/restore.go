package file

import (
	"encoding/json"
	"fmt"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Restore gives a file the content that it had before an apply, unless it was changed
// since that apply.
type Restore struct {
	*Spec
	Left resources.Left // after the apply; only the path if it removed the file
}

// MarshalJSON encodes the Spec alone.
func (s *Restore) MarshalJSON() ([]byte, error) { return json.Marshal(s.Spec) }

// Diff writes the earlier content.
func (s *Restore) Diff(v facts.View) resources.Change {
	actual := facts.Get[facts.Path](v, s.Owns())
	restored := actual.Type == facts.Regular && actual.SHA256 == s.Digest()
	unchanged := s.Left.Is(actual)
	if s.Left.Type == "" || s.Left.Type == facts.Absent {
		unchanged = actual.Type == facts.Absent && actual.Parent == ""
	}
	if !restored && !unchanged {
		return resources.Block(&diag.Problem{
			Code:    "undo.edited",
			Summary: fmt.Sprintf("%q was changed since the last apply, so its earlier content does not replace it", s.Path),
			Found:   resources.DescribePath(actual),
			Hint:    "the earlier content is in the store, named by its sha256: " + s.Digest().String(),
		})
	}
	return s.Spec.Diff(v)
}
