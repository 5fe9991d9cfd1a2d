package manifest

import "github.com/reconcile-ml/reconcile/pkg/resources"

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
