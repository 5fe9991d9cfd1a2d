package generation

import (
	"fmt"
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
func (d *Desired) build(v facts.View, env facts.Environment, m Builder) resources.Change {
	name := Name(d.Digest, env)
	current, exists := env.CurrentGeneration()
	from := d.Environment
	if !exists && d.PreviousName != "" {
		from = d.PreviousName
		current, _ = facts.Get[facts.Environment](v, facts.EnvironmentKey(from)).CurrentGeneration()
	}
	reused := d.reusable(current)
	fetched := d.closureWithout(reused)
	missing := slices.DeleteFunc(slices.Clone(d.Conda), func(p facts.CondaPackage) bool { return slices.Contains(current.Conda, p) })
	g := d.result(name)
	change := resources.Change{
		Action: resources.Create,
		Summary: fmt.Sprintf("%s in a new generation: %d to install, %d from generation %s",
			d.count(), len(fetched)+len(missing), len(reused)+len(d.Conda)-len(missing), current.Name),
		Steps: d.steps(v, env, g, layout.Generation(d.Project.State, from, current.Name), reused, fetched, m),
		Need:  need(fetched),
	}
	if len(missing) > 0 {
		more := d.CondaNeed(missing)
		change.Need.Download += more.Download
		change.Need.Disk += more.Disk
	}
	if len(reused) == 0 && len(missing) == len(d.Conda) {
		change.Summary = fmt.Sprintf("%s in a new generation", d.count())
	}
	change.Fields, change.Packages = d.differences(current)
	if exists {
		change.Action = resources.Update
	}
	if from != d.Environment {
		change.Fields = append(change.Fields, resources.Field{Path: "environment", Actual: from, Desired: d.Environment})
		change.Summary += "; the paths of a generation contain the name of its environment, so it is built again"
	}
	change.Fields = append(change.Fields, resources.Field{Path: "generation", Actual: env.Current, Desired: name})
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
		g.Packages = append(g.Packages, facts.Package{Name: dist.Name, Version: dist.Version, Entry: dist.Entry()})
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

// steps returns the steps of a build and of the switch, in order. from is the generation
// of the reused distributions.
func (d *Desired) steps(v facts.View, env facts.Environment, g facts.Generation, from string, reused []string, fetched []lock.Dist, m Builder) []resources.Step {
	dir := layout.Generation(d.Project.State, d.Environment, g.Name)
	var steps []resources.Step
	if slices.Contains(env.Unsealed, g.Name) {
		steps = append(steps, resources.Remove{Path: dir})
	}
	steps = append(steps, m.Create(dir)...)
	if len(reused) > 0 {
		steps = append(steps, resources.Reuse{From: from, To: dir, Dists: reused})
	}
	if len(fetched) > 0 {
		steps = append(steps, m.Install(dir, fetched, modifiedDists(env, fetched))...)
	}
	steps = append(steps, resources.Compile{Generation: dir})
	if test, needed := d.SmokeTest.step(v, dir); needed {
		steps = append(steps, test)
	}
	steps = append(steps, resources.Seal{Generation: dir, Digest: g.Digest, Python: g.Python, Base: g.Base, Packages: g.Packages, Conda: g.Conda, Variables: d.Variables})
	return append(steps, d.activateSteps(v, env, g.Name)...)
}

// reusable returns the names of the dists that the active generation contains undamaged
// and from the same lock entry. There are none in one of another Python minor version,
// whose bytecode and paths differ, or in one that was moved here, whose scripts contain
// the old path.
func (d *Desired) reusable(current facts.Generation) []string {
	moved := func(d facts.Damage) bool { return d.What == "moved" }
	if pep.MajorMinor(current.Python) != pep.MajorMinor(d.Python) || slices.ContainsFunc(current.Damage, moved) {
		return nil
	}
	have := map[string]string{}
	for _, p := range current.Packages {
		if p.Origin == "" && p.Entry != "" {
			have[p.Name] = p.Entry
		}
	}
	for _, damage := range current.Damage {
		delete(have, damage.Dist)
	}
	var names []string
	for _, dist := range d.Closure {
		if have[dist.Name] == dist.Entry() {
			names = append(names, dist.Name)
		}
	}
	slices.Sort(names)
	return names
}

// modifiedDists returns the names of the dists to install whose files were changed in place
// in the active generation.
func modifiedDists(env facts.Environment, dists []lock.Dist) []string {
	current, _ := env.CurrentGeneration()
	var names []string
	for _, d := range current.Damage {
		install := slices.ContainsFunc(dists, func(l lock.Dist) bool { return l.Name == d.Dist })
		if d.What == "changed" && install {
			names = append(names, d.Dist)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// closureWithout returns the closure without the named dists, which are sorted.
func (d *Desired) closureWithout(names []string) []lock.Dist {
	var dists []lock.Dist
	for _, dist := range d.Closure {
		if _, found := slices.BinarySearch(names, dist.Name); !found {
			dists = append(dists, dist)
		}
	}
	return dists
}

// need returns the sum of the downloads and sizes of dists. Reused ones need next to
// nothing: they are cloned or linked if the file system supports that.
func need(dists []lock.Dist) resources.Need {
	var n resources.Need
	for _, d := range dists {
		n.Download += d.Download()
		n.Disk += d.Disk()
	}
	return n
}
