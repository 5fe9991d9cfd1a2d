package manifest

import (
	"cmp"
	"slices"

	"github.com/reconcile-ml/reconcile/internal/catalog"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/pep"
	"github.com/reconcile-ml/reconcile/pkg/resources/pairs"
)

// pairs adds the check for known conflicts between locked packages.
func (c *compiler) pairs(e *Environment, locked *lock.Lock, platform string) {
	spec := c.m.pairsOf(e, locked, platform)
	if spec == nil {
		return
	}
	pos := e.Pos
	if e.Pairs != nil {
		pos = e.Pairs.Pos
	}
	spec.Severity = c.severity(spec.Severity)
	c.add("pairs", e.Name, pos, false, spec)
}

// Conflicts returns the known conflicts between the packages of a lock of an environment, on any
// of its platforms, as warnings: the lock can be written nevertheless.
func (m *Manifest) Conflicts(e *Environment, locked *lock.Lock) (list []*diag.Problem) {
	seen := map[string]bool{}
	for _, platform := range locked.Platforms {
		spec := m.pairsOf(e, locked, platform)
		if spec == nil {
			continue
		}
		for _, p := range spec.Problems() {
			if !seen[p.Summary] {
				seen[p.Summary] = true
				p.Severity, p.Addr, p.Pos = diag.Warn, "pairs."+e.Name, e.Pos
				list = append(list, p)
			}
		}
	}
	return list
}

// pairsOf returns the check of the locked packages for one platform, nil if the catalog has no
// pair of them.
func (m *Manifest) pairsOf(e *Environment, locked *lock.Lock, platform string) *pairs.Spec {
	closure, err := locked.For(platform)
	if err != nil {
		return nil
	}
	var releases []catalog.Release
	spec := &pairs.Spec{Environment: e.Name, ByCommand: e.canAdd()}
	for _, d := range closure {
		releases = append(releases, catalog.Release{Name: d.Name, Version: d.Version})
		spec.Exchanges = append(spec.Exchanges, m.exchanges(e, d)...)
	}
	if locked.Conda != nil {
		for _, p := range locked.Conda.For(platform) {
			releases = append(releases, catalog.Release{Name: p.Name, Version: p.Version, Conda: true})
		}
	}
	spec.Packages = catalog.Compared(releases)
	slices.SortStableFunc(spec.Packages, func(a, b catalog.Release) int { return cmp.Compare(a.Name, b.Name) })
	if e.Pairs != nil {
		spec.Severity = e.Pairs.Severity
	}
	if len(spec.Packages)+len(spec.Exchanges) == 0 {
		return nil
	}
	return spec
}

// exchanges returns the environments that cannot read the files of a package of e, or whose files
// it cannot read. Files are written in environments without a requirement on GPUs, where data is prepared,
// and leave the machine only if the manifest transfers directories.
func (m *Manifest) exchanges(e *Environment, d lock.Dist) (list []pairs.Exchange) {
	canRead, canWrite := catalog.Exchanged(catalog.Release{Name: d.Name, Version: d.Version})
	if len(m.Sync) == 0 || !canRead && !canWrite {
		return nil
	}
	for _, other := range m.Environments {
		reads, writes := canRead && !other.RequiresGPU(), canWrite && !e.RequiresGPU()
		if other.Name == e.Name || !reads && !writes {
			continue
		}
		own := catalog.Release{Name: d.Name, Version: d.Version}
		for _, version := range m.versions(other, d.Name) {
			theirs := catalog.Release{Name: d.Name, Version: version}
			x := pairs.Exchange{Package: d.Name, Version: d.Version, Environment: other.Name, Other: version}
			if _, conflict := catalog.Exchange(own, theirs); conflict && reads {
				x.Reads = true
				list = append(list, x)
			} else if _, conflict := catalog.Exchange(theirs, own); conflict && writes {
				list = append(list, x)
			}
		}
	}
	return list
}

// versions returns the versions of a package in an environment: those that the manifest pins, else
// those of the lock, which takes longer to read. It returns nothing if there is no lock; the plan of
// that environment reports it.
func (m *Manifest) versions(e *Environment, name string) (list []string) {
	for _, r := range e.Packages {
		if pin := r.Pin(); pin != "" && pep.Normalize(r.Name) == name {
			list = append(list, pin)
		}
	}
	if list != nil {
		return list
	}
	locked, err := m.lockOf(e)
	if err != nil {
		return nil
	}
	for _, p := range locked.Packages {
		if p.Name == name {
			list = append(list, p.Version)
		}
	}
	return list
}
