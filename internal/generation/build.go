package generation

import (
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/pep"
	"github.com/reconcile-ml/reconcile/internal/plural"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// build creates a new generation and activates it.
func (d *Desired) build(v facts.View, env facts.Environment) resources.Change {
	current, exists := env.CurrentGeneration()
	from := d.Environment
	if !exists && d.PreviousName != "" {
		from = d.PreviousName
		current, _ = facts.Get[facts.Environment](v, facts.EnvironmentKey(from)).CurrentGeneration()
	}
	missing := slices.DeleteFunc(slices.Clone(d.Conda), func(p facts.CondaPackage) bool { return slices.Contains(current.Conda, p) })
	g := d.result(Name(d.Digest, env))
	change := resources.Change{
		Action:  resources.Create,
		Summary: d.count() + " in a new generation",
		Steps:   d.steps(v, env, g),
	}
	change.Need, change.Shared = d.need(env.Stored)
	if len(missing) > 0 {
		more, shared := d.CondaNeed(missing)
		change.Need.Download += more.Download
		change.Need.Disk += more.Disk
		change.Shared = append(change.Shared, shared...)
	}
	change.Fields, change.Packages = d.differences(current)
	if exists {
		change.Action = resources.Update
	}
	if from != d.Environment {
		change.Fields = append(change.Fields, resources.Field{Path: "environment", Actual: from, Desired: d.Environment})
		change.Summary += "; the paths of a generation contain the name of its environment, so it is built again"
	}
	field := resources.Field{Path: "generation", Actual: env.Current, Desired: g.Name}
	if env.Current == g.Name { // it is not in the store
		field.Actual = ""
	}
	change.Fields = append(change.Fields, field)
	change.Predicts = []facts.Fact{predicted(env, g)}
	return change
}

// count returns "53 packages" or "12 conda packages and 71 Python packages".
func (d *Desired) count() string {
	if len(d.Conda) == 0 {
		return plural.Count(len(d.Closure), "package")
	}
	return plural.Count(len(d.Conda), "conda package") + " and " + plural.Count(len(d.Closure), "Python package")
}

// result returns the generation as it will be after the build.
func (d *Desired) result(name string) facts.Generation {
	g := facts.Generation{Name: name, Digest: d.Digest, Python: d.Python, Base: d.Base, Conda: d.Conda}
	for _, dist := range d.Closure {
		g.Packages = append(g.Packages, facts.Package{Name: dist.Name, Version: dist.Version, Entry: dist.Entry(), Origin: origin(dist), Build: d.Builds[dist.Name]})
	}
	slices.SortFunc(g.Packages, func(a, b facts.Package) int { return strings.Compare(a.Name, b.Name) })
	return g
}

// predicted returns the environment with the generation active.
func predicted(env facts.Environment, g facts.Generation) facts.Environment {
	env.Generations = append(slices.Clone(env.Generations), g)
	slices.SortFunc(env.Generations, func(a, b facts.Generation) int { return strings.Compare(a.Name, b.Name) })
	env.Unsealed = slices.DeleteFunc(slices.Clone(env.Unsealed), func(name string) bool { return name == g.Name })
	env.Current, env.Entry = g.Name, ""
	return env
}

// steps returns the steps of a build and of the switch, in order.
func (d *Desired) steps(v facts.View, env facts.Environment, g facts.Generation) []resources.Step {
	dir := layout.Generation(d.Project.State, d.Environment, g.Name)
	wheels, python := wheelsOf(d.Closure, d.Builds), pep.MajorMinor(d.Python)
	fetched := slices.DeleteFunc(slices.Clone(wheels), func(w resources.Wheel) bool { return w.File == "" })
	var steps []resources.Step
	if slices.Contains(env.Unsealed, g.Name) {
		steps = append(steps, resources.Remove{Path: dir})
	}
	if len(fetched) > 0 {
		steps = append(steps, resources.Unpack{Wheels: fetched})
	}
	steps = append(steps, d.Create(dir)...)
	steps = append(steps, d.builds(dir, python)...)
	if len(wheels) > 0 {
		steps = append(steps, resources.Assemble{Generation: dir, Python: python, Wheels: wheels})
	}
	if d.CompileAll {
		steps = append(steps, resources.Compile{Generation: dir})
	}
	if test, needed := d.SmokeTest.step(v, dir); needed {
		steps = append(steps, test)
	}
	steps = append(steps, resources.Seal{Generation: dir, Digest: g.Digest, Python: g.Python, Base: g.Base, Packages: g.Packages, Conda: g.Conda, Variables: d.Variables})
	return append(steps, d.activateSteps(v, env, g.Name)...)
}

// wheelsOf returns the wheels of dists. A dist for one platform has one. That of a build has no
// file, and its key.
func wheelsOf(dists []lock.Dist, keys BuildKeys) []resources.Wheel {
	var wheels []resources.Wheel
	for _, d := range dists {
		if d.Build != nil {
			wheels = append(wheels, resources.Wheel{Name: d.Name, Version: d.Version, SHA256: keys[d.Name]})
		}
		for _, w := range d.Wheels {
			wheels = append(wheels, resources.Wheel{Name: d.Name, Version: d.Version, File: w.File, Size: w.Size, SHA256: w.SHA256, Index: d.Index, URL: d.URL})
		}
	}
	return wheels
}

// need returns the sum of the downloads and sizes of the dists that the store lacks, and the
// need of each of them, which other environments may share. The others need next to nothing:
// they are cloned or linked if the file system supports that.
func (d *Desired) need(stored []facts.SHA256) (sum resources.Need, shared []resources.SharedNeed) {
	for _, dist := range d.Closure {
		have := slices.ContainsFunc(dist.Wheels, func(w lock.Wheel) bool { return slices.Contains(stored, w.SHA256) })
		var key facts.SHA256
		switch {
		case dist.Build != nil:
			key = d.Builds[dist.Name]
			have = slices.Contains(stored, key)
		case len(dist.Wheels) > 0:
			key = dist.Wheels[0].SHA256
		}
		if have {
			continue
		}
		n := resources.Need{Download: dist.Download(), Disk: dist.Disk()}
		sum.Download += n.Download
		sum.Disk += n.Disk
		if !key.IsZero() {
			shared = append(shared, resources.SharedNeed{SHA256: key.String(), Need: n})
		}
	}
	return sum, shared
}
