// Package link manages one symbolic link. Where it leads is not looked at.
package link

import (
	"path"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Kind is the kind "link".
var Kind = resources.Kind{Name: "link", Doc: doc, New: func() resources.Spec { return &Spec{} }}

const doc = `One symbolic link, such as the one at a common path whose data lie on another disk.

| field | meaning |
|---|---|
| ` + "`path`" + ` | the link; its missing parents are made too |
| ` + "`target`" + ` | what is written into the link, to the letter |

A link that leads elsewhere is pointed to the target in one rename. Where the
target leads, and whether anything is there, is not looked at. A file or a
directory in the place of the link, be it empty, blocks the resource: the user
moves it away.
`

// Spec is the desired state of one symbolic link.
type Spec struct {
	Path   string `json:"path"`
	Target string `json:"target"` // as it is written; compared to the letter
	// InProject says that Target is a path of the project, and is written absolute:
	// for a link that lies elsewhere.
	InProject bool `json:"in_project,omitempty"`
}

// Owns is the path.
func (s *Spec) Owns() facts.Key { return facts.PathKey(s.Path) }

// Reads is the path, and where the project lies if that is to be written.
func (s *Spec) Reads() []facts.Key {
	if s.InProject {
		return []facts.Key{s.Owns(), facts.ProjectKey}
	}
	return []facts.Key{s.Owns()}
}

// Diff makes the link where nothing stands, and turns one that leads elsewhere.
func (s *Spec) Diff(v facts.View) resources.Change {
	actual := facts.Get[facts.Path](v, s.Owns())
	if p := resources.PathProblem(actual, facts.Symlink); p != nil {
		return resources.Block(p)
	}
	target := s.Target
	if s.InProject {
		target = path.Join(facts.Get[facts.Project](v, facts.ProjectKey).Root, s.Target)
	}
	if actual.Type == facts.Symlink && actual.Target == target {
		return resources.Change{}
	}
	action := resources.Create
	if actual.Type == facts.Symlink {
		action = resources.Update
	}
	return resources.Change{
		Action:   action,
		Fields:   []resources.Field{{Path: "target", Actual: actual.Target, Desired: target}},
		Steps:    []resources.Step{resources.Link{Path: s.Path, Target: target}},
		Predicts: []facts.Fact{facts.Path{Path: s.Path, Type: facts.Symlink, Target: target}},
	}
}
