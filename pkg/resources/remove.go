package resources

import (
	"cmp"
	"fmt"
	"path"
	"slices"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/plural"
)

// Left is what stood at a path when an apply was done with it.
type Left struct {
	Path   string         `json:"path,omitempty"`
	Type   facts.PathType `json:"type,omitempty"`
	SHA256 facts.SHA256   `json:"sha256,omitzero"`  // files
	Target string         `json:"target,omitempty"` // links, as written; of environments the visible generation
}

// LeftAt is what stands at a key: of an environment, its visible place and generation.
// The zero Left says that nothing does, or that it is not known.
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

// Is reports whether what stands at a path is still what was left there. A file
// whose content is not known is not.
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

// Was is what is remembered of a resource that we made and the manifest no longer
// asks for.
type Recorded struct {
	Addr Addr      `json:"addr"`
	Key  facts.Key `json:"key"`
	Left Left      `json:"left"`
	// Reason says why it is to go; "" for that it left the manifest.
	Reason string `json:"reason,omitempty"`
	// State is the part of .reconcile that belongs to this machine.
	StateDir string `json:"state,omitempty"`
	// Inside are paths directly in Left.Path that are taken away before it.
	Inside []string `json:"inside,omitempty"`
	// Place says that only what can be seen of an environment goes, Generations that
	// only what lies behind it does: the other half is in use.
	PlaceOnly       bool `json:"place,omitempty"`
	GenerationsOnly bool `json:"generations,omitempty"`
}

// A Remover is a Spec whose kind can take away what it made. The body is an empty
// one, since the manifest no longer has it: all that is known is in Was.
//
// The Spec that it returns wants the thing gone. Its Diff answers Delete with the
// steps, the zero Change if nothing is there any more, or Stay.
type Remover interface {
	Spec
	Removal(w Recorded) Spec
}

// Stay is the answer of a Removal that leaves a thing where it is, and why.
func (w Recorded) Keep(code, why string) Change {
	return Change{Problem: &diag.Problem{
		Code: code, Severity: diag.Warn, Addr: w.Addr.String(),
		Summary: w.RemovalReason() + ", and " + why + ", so it stays: " + cmp.Or(w.Left.Path, w.Key.Name),
		Hint:    fmt.Sprintf("move it away or remove it yourself; `reconcile state forget %s` stops this line", ShellQuote(w.Addr.String())),
	}}
}

// Why says why the thing is to go.
func (w Recorded) RemovalReason() string { return cmp.Or(w.Reason, "no longer in the manifest") }

// RemovePath wants nothing at one path: a file, a link or a directory that is as
// it was left.
type RemovePath struct{ Recorded }

// Owns is the path.
func (s *RemovePath) Owns() facts.Key { return facts.PathKey(s.Left.Path) }

// Reads is the path, and of a directory what lies in it.
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

// Diff removes what is as it was left.
func (s *RemovePath) Diff(v facts.View) Change {
	actual := facts.Get[facts.Path](v, s.Owns())
	switch {
	case actual.Type == facts.Absent:
		return Change{}
	case !s.Left.Is(actual):
		return s.Keep("prune.changed", "it is not as it was left ("+describeNow(actual)+")")
	}
	what := DescribePath(actual)
	if s.Left.Type == facts.Dir {
		if names := s.others(v); len(names) > 0 {
			return s.Keep("prune.holds", "it holds "+listed(names, facts.Get[facts.Folder](v, facts.FolderKey(s.Left.Path)).Entries-len(s.Inside)))
		}
		what = "an empty directory"
		if n := len(s.Inside); n > 0 {
			what = "a directory that holds only what goes too (" + plural.Count(n, "thing") + ")"
		}
	}
	return Change{
		Action:   Delete,
		Summary:  what + ", " + s.RemovalReason(),
		Steps:    []Step{Remove{Path: s.Left.Path, Type: s.Left.Type, SHA256: s.Left.SHA256, Target: s.Left.Target}},
		Predicts: []facts.Fact{facts.Path{Path: s.Left.Path, Type: facts.Absent}},
	}
}

// others lists what lies in the directory and is not taken away before it.
func (s *RemovePath) others(v facts.View) []string {
	var names []string
	for _, name := range facts.Get[facts.Folder](v, facts.FolderKey(s.Left.Path)).Names {
		full := path.Join(s.Left.Path, name)
		if slices.Contains(s.Inside, full) && facts.Get[facts.Path](v, facts.PathKey(full)).Type == facts.Absent {
			continue
		}
		if atomicfile.IsTemp(name) {
			continue // left by an apply that was killed; the next one begins by clearing it
		}
		names = append(names, name)
	}
	return names
}

// describeNow says what stands at a path, and of a file which content.
func describeNow(p facts.Path) string {
	switch {
	case p.Parent != "":
		return "the way to it leads through the " + p.Parent
	case p.Type == facts.Regular && p.SHA256.IsZero():
		return "a file of " + bytesize.Format(p.Size) + ", too large to compare"
	case p.Type == facts.Regular:
		return "now " + DescribePath(p) + ", sha256 " + p.SHA256.String()[:12]
	}
	return "now " + DescribePath(p)
}

// mostNamed is how many entries of a directory are named.
const mostNamed = 3

// listed names the first of several things: "a, b, c and 4 more". total is how many
// there are, which may be more than were listed.
func listed(names []string, total int) string {
	total = max(total, len(names))
	text := ""
	for i, name := range names[:min(len(names), mostNamed)] {
		if i > 0 {
			text += ", "
		}
		text += name
	}
	if more := total - min(len(names), mostNamed); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// RemoveOwn wants nothing in a folder below .reconcile that is all ours, such as a
// cache. While a process uses something in it, it stays.
type RemoveOwn struct{ Recorded }

// Owns is the tree.
func (s *RemoveOwn) Owns() facts.Key { return facts.TreeKey(s.Left.Path) }

// Reads is the tree.
func (s *RemoveOwn) Reads() []facts.Key { return []facts.Key{s.Owns()} }

// Diff removes the whole folder.
func (s *RemoveOwn) Diff(v facts.View) Change {
	tree := facts.Get[facts.Tree](v, s.Owns())
	switch {
	case tree.Entries == 0:
		return Change{}
	case len(tree.Users) > 0:
		return s.Keep("prune.used", "it is used by "+listed(tree.Users, 0))
	}
	return Change{
		Action:   Delete,
		Summary:  fmt.Sprintf("%s, %s, %s", plural.Count(int(tree.Entries), "file"), bytesize.Format(tree.Bytes), s.RemovalReason()),
		Steps:    []Step{Remove{Path: s.Left.Path}},
		Predicts: []facts.Fact{facts.Tree{Path: s.Left.Path}},
	}
}
