package manifest

import (
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Claims are the resources and paths of the whole manifest, including the environments
// that are not selected, and the places of directories in them and on other hosts.
type Claims struct {
	Addrs map[resources.Addr]bool
	Paths map[string]bool
}

// Claims returns the claims of the manifest. It reads no lock.
func (m *Manifest) Claims() Claims {
	c := Claims{Addrs: map[resources.Addr]bool{}, Paths: map[string]bool{}}
	places := func(list []Place) {
		for _, p := range list {
			c.Addrs[resources.Addr{Kind: "link", Name: p.Directory}] = true
			c.Paths[p.Path] = true
			if d := m.directory(p.Directory); d != nil {
				c.Paths[d.Path] = true
			}
		}
	}
	for _, h := range m.Hosts {
		places(h.Places)
	}
	for _, e := range m.Environments {
		places(e.Places)
		c.Addrs[resources.Addr{Kind: e.Type, Name: e.Name}] = true
		c.Paths[e.Path] = true
		for _, file := range []string{e.RequirementsFile, e.EnvironmentFile} {
			if file != "" {
				c.Addrs[resources.Addr{Kind: "file", Name: file}] = true
			}
		}
		for _, r := range m.Tools(e) {
			c.Addrs[r.Addr] = true
		}
		if e.Conda != nil && e.Conda.Register {
			c.Addrs[resources.Addr{Kind: "link", Name: "conda-" + e.Conda.Name}] = true
		}
	}
	return c
}

// A DeclaredPath is a path that the manifest declares.
type DeclaredPath struct {
	Path     string // relative to the project, or absolute
	What     string // "a directory"
	ReadOnly bool   // apply does not change it
	Pos      diag.Pos
}

// DeclaredPaths returns the paths that the manifest declares for a machine, in all its
// environments.
func (m *Manifest) DeclaredPaths(h facts.Host) []DeclaredPath {
	var list []DeclaredPath
	add := func(path, what string, pos diag.Pos) {
		if path != "" {
			list = append(list, DeclaredPath{Path: path, What: what, Pos: pos})
		}
	}
	places := func(places []Place) {
		for _, p := range places {
			add(p.Path, "a directory override", p.pathPos)
		}
	}
	for i := range m.Directories {
		add(m.Directories[i].Path, "a directory", m.Directories[i].pathPos)
	}
	if m.Storage != nil {
		list = append(list, DeclaredPath{m.Storage.Path, "storage", true, m.Storage.pathPos})
	}
	for _, e := range m.Environments {
		add(e.Path, "an environment", e.pathPos)
		add(e.Lock, "a lock", e.lockPos)
		add(e.RequirementsFile, "a requirements file", e.requirementsPos)
		add(e.EnvironmentFile, "an environment file", e.environmentPos)
		places(e.Places)
	}
	for i := range m.Files {
		add(m.Files[i].Path, "a file", m.Files[i].pathPos)
	}
	for i := range m.Sync {
		add(m.Sync[i].Path, "an entry of sync", m.Sync[i].Pos)
	}
	if host := m.Host(h); host != nil {
		places(host.Places)
	}
	return list
}
