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

// A Removal removes an environment: its path and its generations.
//
//  1. Nothing is removed while a process uses one of the generations.
//  2. Nothing is removed if the environment path was changed or contains other files.
//  3. The environment path is removed link by link, the generations in one rename.
type Removal struct{ resources.Recorded }

// Owns returns the key of the state entry.
func (r *Removal) Owns() facts.Key { return r.Key }

// Reads returns the environment path with the files that apply made there, and the
// generations.
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

// generationsDir returns the directory of the generations.
func (r *Removal) generationsDir() string { return layout.Environment(r.StateDir, r.Addr.Name) }

// ownedNames returns the names that apply makes in an environment path. The generation
// link is first, since the steps remove them in this order: a removal that is interrupted
// leaves no link to a removed generation.
func (r *Removal) ownedNames() []string {
	names := []string{layout.GenerationLink}
	for _, link := range layout.EntryLinks(r.Addr.Kind) {
		names = append(names, link.Name)
	}
	return append(names, path.Base(ignoreFile("")))
}

// Diff removes the environment if it is unused and its path is as apply left it.
func (r *Removal) Diff(v facts.View) resources.Change {
	if r.Left.Path == "" {
		return r.Keep("prune.unknown", "its path is not in the state")
	}
	change := resources.Change{Action: resources.Delete}
	var parts []string
	if !r.GenerationsOnly {
		steps, why := r.pathSteps(v)
		if why != "" {
			return r.Keep("prune.changed", why)
		}
		if change.Steps = steps; len(steps) > 0 {
			parts = append(parts, r.Left.Path)
			change.Predicts = append(change.Predicts, facts.Path{Path: r.Left.Path, Type: facts.Absent})
		}
	}
	if !r.PlaceOnly && facts.Get[facts.Path](v, facts.PathKey(r.generationsDir())).Type == facts.Dir {
		tree := facts.Get[facts.Tree](v, facts.TreeKey(r.generationsDir()))
		if len(tree.Users) > 0 {
			return r.Keep("prune.used", "it is used by "+strings.Join(tree.Users[:min(len(tree.Users), 3)], ", "))
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

// pathSteps returns the steps that remove the environment path, none if it is missing, or
// why it must be kept: it is not as apply left it, or contains other files.
func (r *Removal) pathSteps(v facts.View) (steps []resources.Step, why string) {
	at := r.Left.Path
	there := facts.Get[facts.Path](v, facts.PathKey(at))
	switch {
	case there.Type == facts.Absent && there.Parent == "":
		return nil, ""
	case there.Type != facts.Dir || there.Parent != "":
		return nil, "it has changed (" + resources.DescribePath(there) + ")"
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
			ours = ours && path.Dir(path.Clean(target)) == r.generationsDir()
		case isLink:
			ours = ours && p.Target == target
		default:
			ours = p.Type == facts.Regular && p.SHA256 == sha256.Sum256([]byte(layout.IgnoreAll))
		}
		if !ours {
			return nil, fmt.Sprintf("%s in it has changed (%s)", name, resources.DescribePath(p))
		}
		steps = append(steps, resources.Remove{Path: p.Path, Type: p.Type, SHA256: p.SHA256, Target: target, Generated: p.Type == facts.Regular})
	}
	for _, name := range facts.Get[facts.Folder](v, facts.FolderKey(at)).Names {
		if !slices.Contains(r.ownedNames(), name) && !atomicfile.IsTemp(name) { // temporary files are removed before
			return nil, "it contains " + name
		}
	}
	return append(steps, resources.Remove{Path: at, Type: facts.Dir}), ""
}
