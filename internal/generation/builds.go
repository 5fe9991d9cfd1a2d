package generation

import (
	"path"
	"slices"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// BuildKeys are the names of the results of builds in the store, by the name of the package.
type BuildKeys map[string]facts.SHA256

// buildFiles returns the files of an editable project whose change needs another build.
func buildFiles(d lock.Dist) []string {
	return []string{path.Join(d.Build.Directory, "pyproject.toml"), path.Join(d.Build.Directory, "setup.cfg"), path.Join(d.Build.Directory, "setup.py")}
}

// BuildKeys returns the keys of all packages of the closure that are built.
func (c *Content) BuildKeys(v facts.View, python, platform string) BuildKeys {
	keys := BuildKeys{}
	for _, d := range c.Closure {
		switch {
		case d.Build == nil:
		case d.IsEditable():
			more := []string{facts.Get[facts.Project](v, facts.ProjectKey).Root}
			for _, name := range buildFiles(d) {
				more = append(more, facts.Get[facts.Path](v, facts.PathKey(name)).SHA256.String())
			}
			keys[d.Name] = d.Key(python, platform, c.Closure, more...)
		default:
			keys[d.Name] = d.Key(python, platform, c.Closure)
		}
	}
	return keys
}

// buildSource describes the source of a dist that is built; "" for another one.
func buildSource(d lock.Dist) string {
	if d.Build == nil {
		return ""
	}
	return resources.BuildSource(d.Build.Source).String()
}

// origin returns the origin of an installed dist, see facts.Package.
func origin(d lock.Dist) string {
	switch {
	case d.IsEditable():
		return "editable"
	case d.Build != nil && d.Build.Git != "":
		return "vcs"
	case d.Build != nil:
		return "source"
	}
	return ""
}

// builds returns the steps that build packages into the store, each after those that it needs.
func (d *Desired) builds(generation, python string) []resources.Step {
	var list []lock.Dist
	for _, dist := range d.Closure {
		if dist.Build != nil {
			list = append(list, dist)
		}
	}
	var steps []resources.Step
	for len(list) > 0 {
		i := slices.IndexFunc(list, func(dist lock.Dist) bool {
			return !slices.ContainsFunc(list, func(other lock.Dist) bool {
				return other.Name != dist.Name && slices.Contains(dist.Build.With, other.Name)
			})
		})
		dist := list[max(i, 0)] // packages that need each other fail
		list = slices.Delete(list, max(i, 0), max(i, 0)+1)
		with := slices.DeleteFunc(slices.Clone(d.Closure), func(other lock.Dist) bool { return !slices.Contains(dist.Build.With, other.Name) })
		steps = append(steps, resources.Build{
			Name: dist.Name, Version: dist.Version, Key: d.Builds[dist.Name], Source: resources.BuildSource(dist.Build.Source), Index: dist.Index,
			Generation: generation, Python: python, Requires: wheelsOf(dist.Build.Requires, nil), With: wheelsOf(with, d.Builds),
		})
	}
	return steps
}
