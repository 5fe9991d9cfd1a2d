// Package link manages one symbolic link. It does not check that the target exists.
package link

import (
	"fmt"
	"path"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Kind is the kind "link".
var Kind = resources.Kind{Name: "link", New: func() resources.Spec { return &Spec{} }}

// Spec is the desired state of one symbolic link.
type Spec struct {
	Path   string `json:"path"`
	Target string `json:"target"` // as it is written
	// InProject makes Target a path of the project, which is written absolute. It is for a
	// link outside of the project.
	InProject bool `json:"in_project,omitempty"`
}

// Owns returns the key of the path.
func (s *Spec) Owns() facts.Key { return facts.PathKey(s.Path) }

// Reads returns the path, and the project root if the target depends on it.
func (s *Spec) Reads() []facts.Key {
	if s.InProject {
		return []facts.Key{s.Owns(), facts.ProjectKey}
	}
	return []facts.Key{s.Owns()}
}

// Diff creates the link, or changes its target. A link outside of the project is a
// convenience: below a link it is omitted with a warning.
func (s *Spec) Diff(v facts.View) resources.Change {
	actual := facts.Get[facts.Path](v, s.Owns())
	target := s.Target
	if s.InProject {
		target = path.Join(facts.Get[facts.Project](v, facts.ProjectKey).Root, s.Target)
	}
	if p := resources.PathProblem(actual, facts.Symlink); p != nil {
		if s.InProject && strings.HasPrefix(actual.Parent, "link ") {
			p = &diag.Problem{
				Code: "path.register", Severity: diag.Warn, Found: actual.Parent,
				Summary: fmt.Sprintf("%q is reached through a link, so the environment is not registered there", s.Path),
				Hint:    "activate it by its path: `" + resources.ShellJoin("conda", "activate", target) + "`",
			}
			return resources.Change{Problem: p}
		}
		return resources.Block(p)
	}
	action := resources.Create
	if actual.Type == facts.Symlink {
		if actual.Target == target {
			return resources.Change{}
		}
		action = resources.Update
	}
	return resources.Change{
		Action:   action,
		Fields:   []resources.Field{{Path: "target", Actual: actual.Target, Desired: target}},
		Steps:    []resources.Step{resources.Link{Path: s.Path, Target: target}},
		Predicts: []facts.Fact{facts.Path{Path: s.Path, Type: facts.Symlink, Target: target}},
	}
}

// Removal removes the link if its target is unchanged.
func (s *Spec) Removal(r resources.Recorded) resources.Spec {
	return &resources.RemovePath{Recorded: r}
}

// MovedFrom renames the link from its previous path.
func (s *Spec) MovedFrom(r resources.Recorded) resources.Spec {
	return &resources.MovePath{Spec: s, From: r}
}
