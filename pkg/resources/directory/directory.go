// Package directory manages one directory and, if the manifest sets one, its mode. It does
// not change the content. A link that the user made to a directory takes its place.
package directory

import (
	"cmp"
	"fmt"
	"path"
	"strconv"
	"strings"
	"unicode"

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
	// Name is the name of the directory in the manifest and Host that of this machine, for
	// hints; "" if unknown.
	Name string `json:"-"`
	Host string `json:"-"`
}

// Owns returns the key of the path.
func (s *Spec) Owns() facts.Key { return facts.PathKey(s.Path) }

// Reads returns the path.
func (s *Spec) Reads() []facts.Key { return []facts.Key{s.Owns()} }

// Diff creates the directory, or changes its mode.
func (s *Spec) Diff(v facts.View) resources.Change {
	actual := facts.Get[facts.Path](v, s.Owns())
	if actual.Directory && actual.Parent == "" && s.Mode == 0 {
		return resources.Change{} // a mode would be that of a directory elsewhere
	}
	if p := resources.PathProblem(actual, facts.Dir); p != nil {
		if target := linkTarget(actual); target != "" {
			p.Hint = s.linkHint(target)
		}
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

// linkTarget returns the path to which a link at actual or above it leads, as in a manifest;
// "" if there is none.
func linkTarget(actual facts.Path) string {
	link, target, rest := actual.Path, actual.Target, ""
	if actual.Parent != "" {
		var found bool
		if link, target, found = strings.Cut(strings.TrimPrefix(actual.Parent, "link "), " -> "); !found {
			return ""
		}
		rest = strings.TrimPrefix(actual.Path, link)
	}
	switch {
	case target == "":
		return ""
	case !path.IsAbs(target):
		target = path.Join(path.Dir(link), target)
	}
	return path.Join(target, rest)
}

// linkHint returns the entry of the manifest that keeps the directory at the target of a
// link.
func (s *Spec) linkHint(target string) string {
	if s.Name == "" || s.Host == "" || !path.IsAbs(target) {
		return "use the target of the link as the path in the manifest; nothing is moved"
	}
	return fmt.Sprintf("to keep the directory there, add to the manifest: `hosts: {%s: {allow_paths: [%s], directories: {%s: {path: %[2]s}}}}`",
		yamlText(s.Host), yamlText(target), yamlText(s.Name))
}

// yamlText returns text as a YAML scalar in a flow mapping.
func yamlText(text string) string {
	plain := func(r rune) bool {
		return r == '/' || r == '_' || r == '-' || r == '.' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
	}
	if strings.ContainsFunc(text, func(r rune) bool { return !plain(r) }) || !strings.ContainsFunc(text, unicode.IsLetter) {
		return strconv.Quote(text)
	}
	return text
}

// Removal removes the directory if it is empty by then.
func (s *Spec) Removal(r resources.Recorded) resources.Spec {
	return &resources.RemovePath{Recorded: r}
}

// MovedFrom renames the directory from its previous path.
func (s *Spec) MovedFrom(r resources.Recorded) resources.Spec {
	return &resources.MovePath{Spec: s, From: r}
}
