package resources

import (
	"encoding/json"
	"fmt"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
)

// A Mover is a Spec that can take over what it was at another address.
type Mover interface {
	Spec
	// MovedFrom returns a Spec that wants the same, and begins with what w remembers
	// if that is still there. It has the digest of the one that it was made from.
	MovedFrom(w Recorded) Spec
}

// MovePath is a Spec of one path whose thing stands at another, from where it is
// renamed.
type MovePath struct {
	Spec
	From Recorded
}

// MarshalJSON writes the Spec itself: where the thing came from is not part of what
// is asked for.
func (s *MovePath) MarshalJSON() ([]byte, error) { return json.Marshal(s.Spec) }

// Reads is what the Spec reads, and the place before.
func (s *MovePath) Reads() []facts.Key {
	return append(append([]facts.Key(nil), s.Spec.Reads()...), facts.PathKey(s.From.Left.Path))
}

// Diff renames what stands at the place before, and then asks the Spec. Where
// nothing stands there, or something else, there is nothing to rename.
func (s *MovePath) Diff(v facts.View) Change {
	from := facts.Get[facts.Path](v, facts.PathKey(s.From.Left.Path))
	to := facts.Get[facts.Path](v, s.Owns())
	if from.Path == to.Path || from.Type != s.From.Left.Type || from.Parent != "" {
		return s.Spec.Diff(v)
	}
	if to.Type != facts.Absent || to.Parent != "" {
		return Block(&diag.Problem{
			Code:    "moved.both",
			Summary: fmt.Sprintf("%q cannot become %q, since something is there", from.Path, to.Path),
			Found:   DescribePath(to),
			Hint:    "keep one of the two and move the other away; without the entry of `moved` nothing is renamed",
		})
	}
	moved := from
	moved.Path = to.Path
	rest := s.Spec.Diff(v.Assume(moved))
	if rest.Action == Blocked {
		return rest
	}
	rest.Action = Update
	rest.Summary = fmt.Sprintf("moved %s -> %s", from.Path, to.Path)
	rest.Steps = append([]Step{Move{From: from.Path, To: to.Path, Type: from.Type}}, rest.Steps...)
	if len(rest.Predicts) == 0 {
		rest.Predicts = []facts.Fact{moved}
	}
	rest.Predicts = append([]facts.Fact{facts.Path{Path: from.Path, Type: facts.Absent}}, rest.Predicts...)
	return rest
}
