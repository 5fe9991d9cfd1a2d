package venv

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/pkg/facts"
	"github.com/reconcile-ml/reconcile/pkg/lock"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// build makes a new generation beside the others and then the visible one.
func (s *Spec) build(v facts.View, w wanted, env facts.Environment) resources.Change {
	name := Name(w.digest, env)
	current, exists := env.CurrentGeneration()
	reused := s.reusable(current)
	fetched := s.without(reused)
	g := s.generation(name, w)

	change := resources.Change{
		Action:  resources.Create,
		Summary: fmt.Sprintf("%s in a new generation: %d to install, %d from generation %s", count(len(s.Closure), "package"), len(fetched), len(reused), current.Name),
		Steps:   s.steps(v, w, env, g, reused, fetched),
		Need:    need(fetched),
	}
	if len(reused) == 0 {
		change.Summary = fmt.Sprintf("%s in a new generation", count(len(s.Closure), "package"))
	}
	change.Fields, change.Packages = s.differences(w, current)
	if exists {
		change.Action = resources.Update
	}
	change.Fields = append(change.Fields, resources.Field{Path: "generation", Actual: env.Current, Desired: name})
	change.Predicts = []facts.Fact{after(env, g)}
	return change
}

// generation is what will have been built.
func (s *Spec) generation(name string, w wanted) facts.Generation {
	g := facts.Generation{Name: name, Digest: w.digest, Python: w.base.Version, Base: w.base.Path}
	for _, d := range s.Closure {
		g.Packages = append(g.Packages, facts.Package{Name: d.Name, Version: d.Version, Entry: d.Entry()})
	}
	slices.SortFunc(g.Packages, func(a, b facts.Package) int { return strings.Compare(a.Name, b.Name) })
	return g
}

// after is the environment once the generation is visible.
func after(env facts.Environment, g facts.Generation) facts.Environment {
	env.Generations = append(slices.Clone(env.Generations), g)
	slices.SortFunc(env.Generations, func(a, b facts.Generation) int { return strings.Compare(a.Name, b.Name) })
	env.Unsealed = slices.DeleteFunc(slices.Clone(env.Unsealed), func(name string) bool { return name == g.Name })
	env.Current, env.Entry = g.Name, ""
	return env
}

// steps are those of a build, in order, and the switch.
func (s *Spec) steps(v facts.View, w wanted, env facts.Environment, g facts.Generation, reused []string, fetched []lock.Dist) []resources.Step {
	dir := layout.Generation(w.project.State, s.Name, g.Name)
	var steps []resources.Step
	if slices.Contains(env.Unsealed, g.Name) {
		steps = append(steps, resources.Remove{Path: dir})
	}
	in := s.installer(v, w, dir)
	steps = append(steps, in.create())
	if len(reused) > 0 {
		from := layout.Generation(w.project.State, s.Name, env.Current)
		steps = append(steps, resources.Reuse{From: from, To: dir, Dists: reused})
	}
	if len(fetched) > 0 {
		if spoilt := rewritten(env, fetched); len(spoilt) > 0 {
			steps = append(steps, in.forget(spoilt)...)
		}
		steps = append(steps,
			resources.WriteFile{Path: requirementsFile(dir), Mode: 0o644, Content: lock.HashedRequirements(fetched)},
			in.install())
	}
	steps = append(steps, resources.Compile{Generation: dir})
	if len(s.Imports) > 0 || s.provesGPU() {
		steps = append(steps, s.proof(v, dir))
	}
	steps = append(steps, resources.Seal{Generation: dir, Digest: g.Digest, Python: g.Python, Base: g.Base, Packages: g.Packages})
	return append(steps, s.enter(v, w, env, g.Name)...)
}

// proof is the step that proves a generation, on the GPU that the driver shows.
func (s *Spec) proof(v facts.View, dir string) resources.Prove {
	p := resources.Prove{Generation: dir, Imports: s.Imports, CUDA: s.ProveCUDA, QLoRA: s.QLoRA}
	if s.provesGPU() {
		nvidia := facts.Get[facts.Nvidia](v, facts.NvidiaKey)
		p.GPU, p.Driver = nvidia.State == facts.DriverOK && len(nvidia.Devices) > 0, nvidia.CUDA
	}
	return p
}

// requirementsFile lies in the generation, which is new, so nothing stands there.
func requirementsFile(generation string) string {
	return path.Join(path.Dir(layout.Seal(generation)), "requirements.txt")
}

// reusable returns the names of the dists that the visible generation holds
// undamaged and from the same lock entry. One of another line of Python holds
// none: its compiled code and its paths are different. Nor does one that was
// moved here: its programs name the place it came from.
func (s *Spec) reusable(current facts.Generation) []string {
	moved := func(d facts.Damage) bool { return d.What == "moved" }
	if !strings.HasPrefix(current.Python, s.Python+".") || slices.ContainsFunc(current.Damage, moved) {
		return nil
	}
	have := map[string]string{}
	for _, p := range current.Packages {
		if p.Origin == "" && p.Entry != "" {
			have[p.Name] = p.Entry
		}
	}
	for _, d := range current.Damage {
		delete(have, d.Dist)
	}
	var names []string
	for _, d := range s.Closure {
		if have[d.Name] == d.Entry() {
			names = append(names, d.Name)
		}
	}
	slices.Sort(names)
	return names
}

// rewritten returns the names of the dists, of those to install, whose files were
// changed in place in the visible generation.
func rewritten(env facts.Environment, dists []lock.Dist) []string {
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

// without returns the closure without the named dists.
func (s *Spec) without(names []string) []lock.Dist {
	var dists []lock.Dist
	for _, d := range s.Closure {
		if _, found := slices.BinarySearch(names, d.Name); !found {
			dists = append(dists, d)
		}
	}
	return dists
}

// need adds up what installing takes. A dist of the generation before takes
// next to nothing: it is cloned or linked where the file system can.
func need(dists []lock.Dist) resources.Need {
	var n resources.Need
	for _, d := range dists {
		n.Download += d.Download()
		n.Disk += d.Disk()
	}
	return n
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
