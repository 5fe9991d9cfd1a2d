package session

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/realpath"
	"github.com/reconcile-ml/reconcile/internal/state"
	"github.com/reconcile-ml/reconcile/internal/userconfig"
)

// A guard holds the directories of the user that no path of a project may reach: in the
// store apply replaces files without comparing them, and the settings select the package
// index.
type guard struct {
	root     string // of the project
	own      []ownDir
	overlaps bool // the project contains one of them, or is in one
}

type ownDir struct{ path, what string } // absolute, links resolved

func (c *Config) guard(root, store string) guard {
	g := guard{root: root}
	if store != "" {
		g.own = append(g.own, ownDir{realPath(store), "the store of this user"})
	}
	if file := userconfig.File(c.Home(), c.Getenv); file != "" {
		g.own = append(g.own, ownDir{realPath(filepath.Dir(file)), "the directory of this user's settings"})
	}
	g.overlaps = slices.ContainsFunc(g.own, func(d ownDir) bool { return within(root, d.path) || within(d.path, root) })
	return g
}

// refuses returns why a path of the project, as the manifest has it, must not be used; "" if
// it may be. Links are followed. A path that is only read may contain such a directory.
func (g guard) refuses(name string, readOnly bool) string {
	if !filepath.IsAbs(name) {
		if !g.overlaps {
			return "" // links out of the project are not followed
		}
		name = filepath.Join(g.root, filepath.FromSlash(name))
	}
	name = realPath(name)
	for _, d := range g.own {
		switch {
		case within(d.path, name):
			return fmt.Sprintf("it is in %s, %s", d.what, d.path)
		case within(name, d.path) && !readOnly:
			return fmt.Sprintf("it contains %s, %s", d.what, d.path)
		}
	}
	return ""
}

// within reports whether name is dir or below it. Both are absolute and clean. Directories
// are also compared by their identity, because some file systems ignore case.
func within(dir, name string) bool {
	if realpath.Within(dir, name) {
		return true
	}
	info, err := os.Stat(dir)
	if err != nil {
		return false
	}
	for ; len(name) > 1; name = filepath.Dir(name) {
		if other, err := os.Stat(name); err == nil && os.SameFile(info, other) {
			return true
		}
	}
	return false
}

// realPath returns a clean absolute path with the links resolved of its longest prefix that
// exists.
func realPath(name string) string {
	for dir := name; ; dir = filepath.Dir(dir) {
		if real, err := filepath.EvalSymlinks(dir); err == nil {
			return filepath.Join(real, strings.TrimPrefix(name, dir))
		}
		if dir == filepath.Dir(dir) {
			return name
		}
	}
}

// checkPaths returns a problem for each path that the manifest declares for this machine in
// the store or in the user's settings, or around them.
func (p *Project) checkPaths(store string) error {
	host, _ := facts.Find[facts.Host](p.Base, facts.HostKey)
	g := p.Config.guard(p.Root, store)
	var problems diag.List
	for _, d := range p.Manifest.DeclaredPaths(host) {
		if why := g.refuses(d.Path, d.ReadOnly); why != "" {
			problems.Add(&diag.Problem{
				Code: "path.in-store", Pos: d.Pos, Summary: fmt.Sprintf("%s cannot have the path %q; nothing was changed", d.What, d.Path), Found: why,
				Hint: "choose another path in " + p.Name + ", or move the store: export RECONCILE_STORE=/path/to/store",
			})
		}
	}
	return problems.Err()
}

// RefusedEntry returns why the recorded path of a resource is not one that the manifest
// could have, "" if it is: the state may have come with a store from elsewhere.
func (m *Machine) RefusedEntry(e state.Entry) string {
	g, err := m.guard()
	if err != nil {
		return err.Error()
	}
	for _, name := range []string{e.Left.Path, e.Key.Name} {
		if name == "" || name == e.Key.Name && e.Key.Kind != facts.KindPath {
			continue
		}
		if why := g.refuses(name, false); why != "" {
			return why
		}
		registered := e.Addr.Kind == "link" && strings.HasPrefix(e.Addr.Name, "conda-") && e.Left.Type == facts.Symlink && within(m.Root, e.Left.Target)
		if filepath.IsAbs(name) && !registered && !m.Manifest.Allows(name) {
			return "no host of the manifest has it in allow_paths"
		}
	}
	return ""
}

// RefusedPath returns why a recorded path of a file is not one that the manifest could have,
// "" if it is.
func (m *Machine) RefusedPath(name string) string {
	g, err := m.guard()
	switch {
	case err != nil:
		return err.Error()
	case !filepath.IsLocal(filepath.FromSlash(name)):
		return "it is not in the project"
	}
	return g.refuses(name, false)
}
