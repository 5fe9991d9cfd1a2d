package generation

import (
	"crypto/sha256"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/plural"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// A Removal wants an environment gone: what can be seen of it, and its generations.
//
//  1. While a process uses one of the generations, all of it stays.
//  2. So it does if the visible place is no longer what we made of it, or holds
//     anything else.
//  3. The visible place goes link by link, the generations in one rename.
type Removal struct{ resources.Recorded }

// Owns is what the entry of the state was about.
func (r *Removal) Owns() facts.Key { return r.Key }

// Reads is the visible place with all that we put there, and the generations. What
// the environment is made of does not matter any more.
func (r *Removal) Reads() []facts.Key {
	var keys []facts.Key
	if !r.GenerationsOnly && r.Left.Path != "" {
		keys = append(keys, facts.PathKey(r.Left.Path), facts.FolderKey(r.Left.Path))
		for _, name := range r.ownedNames() {
			keys = append(keys, facts.PathKey(path.Join(r.Left.Path, name)))
		}
	}
	if !r.PlaceOnly {
		keys = append(keys, facts.PathKey(r.generationsDir()), facts.FolderKey(r.generationsDir()), facts.TreeKey(r.generationsDir()))
	}
	return keys
}

// envs is where the generations lie.
func (r *Removal) generationsDir() string { return layout.Environment(r.StateDir, r.Addr.Name) }

// own names all that we put into a visible place, the link that switches first:
// nothing is to lead to a generation that is gone.
func (r *Removal) ownedNames() []string {
	names := []string{layout.GenerationLink}
	for _, link := range layout.EntryLinks(r.Addr.Kind) {
		names = append(names, link.Name)
	}
	return append(names, path.Base(ignoreFile("")))
}

// Diff removes the environment if nobody uses it and its place is as we left it.
func (r *Removal) Diff(v facts.View) resources.Change {
	if r.Left.Path == "" {
		return r.stay("prune.unknown", "it is not known where it can be seen")
	}
	change := resources.Change{Action: resources.Delete}
	var parts []string
	if !r.GenerationsOnly {
		steps, why := r.place(v)
		if why != "" {
			return r.stay("prune.changed", why)
		}
		if change.Steps = steps; len(steps) > 0 {
			parts = append(parts, r.Left.Path)
			change.Predicts = append(change.Predicts, facts.Path{Path: r.Left.Path, Type: facts.Absent})
		}
	}
	if !r.PlaceOnly && facts.Get[facts.Path](v, facts.PathKey(r.generationsDir())).Type == facts.Dir {
		tree := facts.Get[facts.Tree](v, facts.TreeKey(r.generationsDir()))
		if len(tree.Users) > 0 {
			return r.stay("prune.used", "it is used by "+strings.Join(tree.Users[:min(len(tree.Users), 3)], ", "))
		}
		change.Steps = append(change.Steps, resources.Remove{Path: r.generationsDir()})
		change.Predicts = append(change.Predicts, facts.Path{Path: r.generationsDir(), Type: facts.Absent})
		n := facts.Get[facts.Folder](v, facts.FolderKey(r.generationsDir())).Entries
		parts = append(parts, fmt.Sprintf("%s (%s, %s)", plural.Count(n, "generation"), plural.Count(int(tree.Entries), "file"), bytesize.Format(tree.Bytes)))
	}
	if len(parts) == 0 {
		return resources.Change{}
	}
	change.Summary = strings.Join(parts, " and ") + ", " + r.RemovalReason()
	return change
}

// stay leaves the environment where it is, and says why.
func (r *Removal) stay(code, why string) resources.Change { return r.Recorded.Keep(code, why) }

// place returns the steps that take away the visible place, none if it is gone, or
// why it is not ours alone.
func (r *Removal) place(v facts.View) (steps []resources.Step, why string) {
	at := r.Left.Path
	there := facts.Get[facts.Path](v, facts.PathKey(at))
	switch {
	case there.Type == facts.Absent && there.Parent == "":
		return nil, ""
	case there.Type != facts.Dir || there.Parent != "":
		return nil, "it is not as it was left (" + resources.DescribePath(there) + ")"
	}
	targets := map[string]string{}
	for _, link := range layout.EntryLinks(r.Addr.Kind) {
		targets[link.Name] = link.Target
	}
	for _, name := range r.ownedNames() {
		p := facts.Get[facts.Path](v, facts.PathKey(path.Join(at, name)))
		target, isLink := targets[name]
		ours := p.Type == facts.Symlink
		switch {
		case p.Type == facts.Absent:
			continue
		case name == layout.GenerationLink:
			target = p.Target
			ours = ours && path.Dir(path.Join(at, target)) == r.generationsDir()
		case isLink:
			ours = ours && p.Target == target
		default:
			ours = p.Type == facts.Regular && p.SHA256 == sha256.Sum256([]byte(layout.IgnoreAll))
		}
		if !ours {
			return nil, fmt.Sprintf("%s in it is not as it was left (%s)", name, resources.DescribePath(p))
		}
		steps = append(steps, resources.Remove{Path: p.Path, Type: p.Type, SHA256: p.SHA256, Target: target})
	}
	for _, name := range facts.Get[facts.Folder](v, facts.FolderKey(at)).Names {
		if !slices.Contains(r.ownedNames(), name) && !atomicfile.IsTemp(name) { // temporaries are cleared before
			return nil, "it holds " + name
		}
	}
	return append(steps, resources.Remove{Path: at, Type: facts.Dir}), ""
}
