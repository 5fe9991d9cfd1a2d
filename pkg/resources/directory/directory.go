// Package directory manages one directory: that it is there, and its mode where
// the manifest asks for one. What lies in it is left alone.
package directory

import (
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// defaultMode is that of a directory that is made without being asked for one.
const defaultMode facts.Mode = 0o755

// Kind is the kind "directory".
var Kind = resources.Kind{Name: "directory", Doc: doc, New: func() resources.Spec { return &Spec{} }}

const doc = `One directory: that it is there, and its mode where the manifest asks for one.

| field | meaning |
|---|---|
| ` + "`path`" + ` | the directory; its missing parents are made too |
| ` + "`mode`" + ` | permission bits, such as ` + "`0700`" + `. Without it a new directory gets 0755 and one that is there keeps its mode |
| ` + "`purpose`" + ` | what the directory is for; shown to people, compared with nothing |

What lies in the directory is left alone: it is never emptied, and one that is
there already is taken as it is. A file, link or device in its place blocks the
resource, and so does a link or file on the way to it: the user moves it away.
`

// Spec is the desired state of one directory.
type Spec struct {
	Path    string     `json:"path"`
	Mode    facts.Mode `json:"mode,omitempty"` // 0: 0755 for a new one, any for one that is there
	Purpose string     `json:"purpose,omitempty"`
}

// Owns is the path.
func (s *Spec) Owns() facts.Key { return facts.PathKey(s.Path) }

// Reads is the path alone.
func (s *Spec) Reads() []facts.Key { return []facts.Key{s.Owns()} }

// Diff makes the directory where nothing stands, and sets a mode that differs.
func (s *Spec) Diff(v facts.View) resources.Change {
	actual := facts.Get[facts.Path](v, s.Owns())
	if p := resources.PathProblem(actual, facts.Dir); p != nil {
		return resources.Block(p)
	}
	if actual.Type == facts.Absent {
		return s.create()
	}
	if s.Mode == 0 || s.Mode == actual.Mode {
		return resources.Change{}
	}
	return resources.Change{
		Action:   resources.Update,
		Fields:   []resources.Field{{Path: "mode", Actual: actual.Mode.String(), Desired: s.Mode.String()}},
		Steps:    []resources.Step{resources.SetMode{Path: s.Path, Mode: s.Mode}},
		Predicts: []facts.Fact{facts.Path{Path: s.Path, Type: facts.Dir, Mode: s.Mode}},
	}
}

func (s *Spec) create() resources.Change {
	mode := s.Mode
	if mode == 0 {
		mode = defaultMode
	}
	return resources.Change{
		Action:   resources.Create,
		Summary:  s.Purpose,
		Fields:   []resources.Field{{Path: "mode", Desired: mode.String()}},
		Steps:    []resources.Step{resources.MakeDir{Path: s.Path, Mode: mode}},
		Predicts: []facts.Fact{facts.Path{Path: s.Path, Type: facts.Dir, Mode: mode}},
	}
}
