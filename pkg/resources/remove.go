package resources

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/plural"
)

// Left is the object that an apply left at a path. The zero value means none, or unknown.
type Left struct {
	Path   string         `json:"path,omitempty"`
	Type   facts.PathType `json:"type,omitempty"`
	SHA256 facts.SHA256   `json:"sha256,omitzero"`  // files
	Target string         `json:"target,omitempty"` // links, as written; of environments the active generation
}

// LeftAt returns the object of a key: for an environment, its directory and active
// generation.
func LeftAt(f *facts.Facts, k facts.Key) Left {
	fact, _, _ := f.Lookup(k)
	switch is := fact.(type) {
	case facts.Path:
		if is.Type != facts.Absent {
			return Left{Path: is.Path, Type: is.Type, SHA256: is.SHA256, Target: is.Target}
		}
	case facts.Environment:
		if is.Current != "" {
			return Left{Path: is.Path, Type: facts.Dir, Target: is.Current}
		}
	}
	return Left{}
}

// Is reports whether a path is unchanged. A file with unknown content is not.
func (l Left) Is(p facts.Path) bool {
	if p.Parent != "" || p.Path != l.Path || p.Type != l.Type {
		return false
	}
	switch l.Type {
	case facts.Regular:
		return !l.SHA256.IsZero() && p.SHA256 == l.SHA256
	case facts.Symlink:
		return p.Target == l.Target
	}
	return l.Type == facts.Dir
}

// Recorded is the entry in the state of a resource that the manifest no longer defines, or
// defines at another address or path.
type Recorded struct {
	Addr Addr      `json:"addr"`
	Key  facts.Key `json:"key"`
	Left Left      `json:"left"`
	// Reason is why it is removed; "" means that it left the manifest.
	Reason string `json:"reason,omitempty"`
	// StateDir is the state directory of the project, absolute.
	StateDir string `json:"state,omitempty"`
	// Inside are paths directly in Left.Path that are removed before it.
	Inside []string `json:"inside,omitempty"`
	// PlaceOnly removes only the directory that exposes an environment, GenerationsOnly
	// only its generations, because the other half is in use.
	PlaceOnly       bool `json:"place,omitempty"`
	GenerationsOnly bool `json:"generations,omitempty"`
}

// A Remover is a Spec whose kind can remove its objects. The receiver of Removal is empty:
// all information is in the Recorded value.
//
// Removal returns a Spec for the absence of the object. Its Diff returns Delete with the
// steps, the zero Change if the object is gone, or the result of Keep.
type Remover interface {
	Spec
	Removal(r Recorded) Spec
}

// Keep returns the change of a removal that keeps the object, with a warning.
func (r Recorded) Keep(code, why string) Change {
	return Change{Problem: &diag.Problem{
		Code: code, Severity: diag.Warn, Addr: r.Addr.String(),
		Summary: r.RemovalReason() + ", but " + why + ", so it is kept: " + cmp.Or(r.Left.Path, r.Key.Name),
		Hint:    fmt.Sprintf("move it away or remove it yourself; `reconcile state forget %s` ends this warning", ShellQuote(r.Addr.String())),
	}}
}

// RemovalReason returns why the object is removed.
func (r Recorded) RemovalReason() string { return cmp.Or(r.Reason, "no longer in the manifest") }

// RemovePath removes a file, link or directory that is unchanged since the last apply.
type RemovePath struct{ Recorded }

// Owns returns the key of the path.
func (s *RemovePath) Owns() facts.Key { return facts.PathKey(s.Left.Path) }

// Reads returns the path, and for a directory its content.
func (s *RemovePath) Reads() []facts.Key {
	keys := []facts.Key{s.Owns()}
	if s.Left.Type != facts.Dir {
		return keys
	}
	keys = append(keys, facts.FolderKey(s.Left.Path))
	for _, name := range s.Inside {
		keys = append(keys, facts.PathKey(name))
	}
	return keys
}

// Diff removes the path if it is unchanged, and a directory if nothing else is in it.
func (s *RemovePath) Diff(v facts.View) Change {
	actual := facts.Get[facts.Path](v, s.Owns())
	switch {
	case actual.Type == facts.Absent:
		return Change{}
	case !s.Left.Is(actual):
		return s.Keep("prune.changed", "it changed since the last apply ("+describeChanged(actual)+")")
	}
	what := DescribePath(actual)
	if s.Left.Type == facts.Dir {
		if names := s.others(v); len(names) > 0 {
			return s.Keep("prune.holds", "it contains "+listed(names, facts.Get[facts.Folder](v, facts.FolderKey(s.Left.Path)).Entries-len(s.Inside)))
		}
		what = "an empty directory"
		if n := len(s.Inside); n > 0 {
			what = "a directory that contains only deleted paths (" + plural.Count(n, "path") + ")"
		}
	}
	return Change{
		Action:   Delete,
		Summary:  what + ", " + s.RemovalReason(),
		Steps:    []Step{Remove{Path: s.Left.Path, Type: s.Left.Type, SHA256: s.Left.SHA256, Target: s.Left.Target}},
		Predicts: []facts.Fact{facts.Path{Path: s.Left.Path, Type: facts.Absent}},
	}
}

// others returns the names in the directory that are not removed before it.
func (s *RemovePath) others(v facts.View) []string {
	return slices.DeleteFunc(slices.Clone(facts.Get[facts.Folder](v, facts.FolderKey(s.Left.Path)).Names), func(name string) bool {
		full := path.Join(s.Left.Path, name)
		removed := slices.Contains(s.Inside, full) && facts.Get[facts.Path](v, facts.PathKey(full)).Type == facts.Absent
		return removed || atomicfile.IsTemp(name) // of a killed apply; the next one removes it first
	})
}

// describeChanged describes a path that is not as the last apply left it.
func describeChanged(p facts.Path) string {
	switch {
	case p.Parent != "":
		return "it is behind the " + p.Parent
	case p.Type == facts.Regular && p.SHA256.IsZero():
		return "now a file of " + bytesize.Format(p.Size) + ", too large to compare"
	case p.Type == facts.Regular:
		return "now " + DescribePath(p) + ", sha256 " + p.SHA256.String()[:12]
	}
	return "now " + DescribePath(p)
}

// mostNamed is the number of names that a message lists.
const mostNamed = 3

// listed lists the first names: "a, b, c and 4 more". total is the number of names, which
// may be larger than len(names).
func listed(names []string, total int) string {
	first := names[:min(len(names), mostNamed)]
	text := strings.Join(first, ", ")
	if more := max(total, len(names)) - len(first); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
