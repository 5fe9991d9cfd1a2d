// Package directory manages one directory and, if the manifest sets one, its mode. It does
// not change the content.
package directory

import (
	"cmp"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Kind is the kind "directory".
var Kind = resources.Kind{Name: "directory", New: func() resources.Spec { return &Spec{} }}

// defaultMode is the mode of a new directory if the manifest sets none.
const defaultMode facts.Mode = 0o755

// Spec is the desired state of one directory.
type Spec struct {
	Path    string     `json:"path"`
	Mode    facts.Mode `json:"mode,omitempty"` // 0: 0755 for a new directory, any for an existing one
	Purpose string     `json:"purpose,omitempty"`
}

// Owns returns the key of the path.
func (s *Spec) Owns() facts.Key { return facts.PathKey(s.Path) }

// Reads returns the path.
func (s *Spec) Reads() []facts.Key { return []facts.Key{s.Owns()} }

// Diff creates the directory, or changes its mode.
func (s *Spec) Diff(v facts.View) resources.Change {
	actual := facts.Get[facts.Path](v, s.Owns())
	if p := resources.PathProblem(actual, facts.Dir); p != nil {
		return resources.Block(p)
	}
	if actual.Type == facts.Absent {
		mode := cmp.Or(s.Mode, defaultMode)
		return resources.Change{
			Action:   resources.Create,
			Summary:  s.Purpose,
			Fields:   []resources.Field{{Path: "mode", Desired: mode.String()}},
			Steps:    []resources.Step{resources.MakeDir{Path: s.Path, Mode: mode}},
			Predicts: []facts.Fact{facts.Path{Path: s.Path, Type: facts.Dir, Mode: mode}},
		}
	}
	if s.Mode == 0 || s.Mode == actual.Mode {
		return resources.Change{}
	}
	return resources.SetPathMode(actual, s.Mode)
}

// Removal removes the directory if it is empty by then.
func (s *Spec) Removal(r resources.Recorded) resources.Spec {
	return &resources.RemovePath{Recorded: r}
}

// MovedFrom renames the directory from its previous path.
func (s *Spec) MovedFrom(r resources.Recorded) resources.Spec {
	return &resources.MovePath{Spec: s, From: r}
}
