package resources

import (
	"encoding/json"
	"fmt"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
)

// A Mover is a Spec that can take over the object of a previous address.
type Mover interface {
	Spec
	// MovedFrom returns a Spec with the same desired state and the same Digest, which
	// starts from the recorded object if that still exists.
	MovedFrom(r Recorded) Spec
}

// MovePath is the Spec of one path whose object is renamed from another path.
type MovePath struct {
	Spec
	From Recorded
}

// MarshalJSON encodes the Spec alone: the previous path is not part of the desired state.
func (s *MovePath) MarshalJSON() ([]byte, error) { return json.Marshal(s.Spec) }

// Reads returns the keys of the Spec and the previous path.
func (s *MovePath) Reads() []facts.Key {
	return append(append([]facts.Key(nil), s.Spec.Reads()...), facts.PathKey(s.From.Left.Path))
}

// Diff renames the object at the previous path, if it has the recorded type, and then
// diffs the Spec.
func (s *MovePath) Diff(v facts.View) Change {
	from := facts.Get[facts.Path](v, facts.PathKey(s.From.Left.Path))
	to := facts.Get[facts.Path](v, s.Owns())
	if from.Path == to.Path || from.Type != s.From.Left.Type || from.Parent != "" {
		return s.Spec.Diff(v)
	}
	if to.Type != facts.Absent || to.Parent != "" {
		return Block(&diag.Problem{
			Code:    "moved.both",
			Summary: fmt.Sprintf("cannot move %q to %q, which exists", from.Path, to.Path),
			Found:   DescribePath(to),
			Hint:    "move one of the two away, or remove the entry of `moved`",
		})
	}
	moved := from
	moved.Path = to.Path
	c := s.Spec.Diff(v.Assume(moved))
	if c.Action == Blocked {
		return c
	}
	c.Action = Update
	c.Summary = fmt.Sprintf("moved %s -> %s", from.Path, to.Path)
	c.Steps = append([]Step{Move{From: from.Path, To: to.Path, Type: from.Type}}, c.Steps...)
	if len(c.Predicts) == 0 {
		c.Predicts = []facts.Fact{moved}
	}
	c.Predicts = append([]facts.Fact{facts.Path{Path: from.Path, Type: facts.Absent}}, c.Predicts...)
	return c
}
