package packages

import (
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/pep"
	"github.com/reconcile-ml/reconcile/internal/rattler"
)

// The types of packages.
const (
	python = "python"
	conda  = "conda"
)

// A Package is a locked package of a Graph.
type Package struct {
	Name      string   `json:"name"`
	Version   string   `json:"version"`             // several if platforms need different ones: "2.1+cu128, 2.1"
	Type      string   `json:"type"`                // "python", "conda"
	Build     string   `json:"build,omitempty"`     // of a conda package
	Index     string   `json:"index,omitempty"`     // name of the index in the manifest, "" for the default ones
	Source    string   `json:"source,omitempty"`    // what it is built from, or where its only wheel is; "" for wheels of an index
	Platforms []string `json:"platforms,omitempty"` // that need it; absent for all
	// Dependencies are the keys of the packages that it depends on, sorted: the name of a Python
	// package, "conda:NAME" of a conda package.
	Dependencies []string `json:"dependencies"`
	// Requested are the requests that name it.
	Requested []Request `json:"requested,omitempty"`
}

// Key returns the key of the package in a Graph.
func (p *Package) Key() string {
	if p.Type == conda {
		return condaKey(p.Name)
	}
	return p.Name
}

func condaKey(name string) string { return "conda:" + name }

// A Graph is the locked packages with their dependencies.
type Graph struct {
	Packages map[string]*Package // by key
	// Roots are the keys of the requested packages in the order of the requests, followed by those
	// that no request leads to.
	Roots []string
}

// Graph returns the packages of a platform, or of all platforms for "". It is a Problem if the
// lock has no dependencies.
func (e *Environment) Graph(platform string) (*Graph, error) {
	if !e.isComplete() {
		return nil, e.incomplete()
	}
	return e.graph(platform), nil
}

func (e *Environment) graph(platform string) *Graph {
	g := &Graph{Packages: map[string]*Package{}}
	condas := e.addConda(g, platform)
	for _, p := range e.Locked.Packages {
		if platform == "" || p.Platforms == nil || slices.Contains(p.Platforms, platform) {
			g.addPython(p)
		}
	}
	for _, p := range g.Packages {
		slices.Sort(p.Dependencies)
		p.Dependencies = slices.Compact(p.Dependencies)
		p.Dependencies = slices.DeleteFunc(p.Dependencies, func(key string) bool { return g.Packages[key] == nil || key == p.Key() })
	}
	for _, r := range e.requests {
		key := r.Name
		if r.Type == conda {
			key = condaKey(r.Name)
		} else if g.Packages[key] == nil {
			key = condaKey(lock.CondaName(condas, r.Name)) // conda provides it
		}
		if p := g.Packages[key]; p != nil && e.holds(r, platform) {
			p.Requested = append(p.Requested, r)
			if !slices.Contains(g.Roots, key) {
				g.Roots = append(g.Roots, key)
			}
		}
	}
	g.addRemaining()
	return g
}

// holds reports whether a request is for a platform, "" for any.
func (e *Environment) holds(r Request, platform string) bool {
	if platform == "" || r.python.Marker == "" {
		return true
	}
	holds, ok := lock.MarkerEnvironment(platform, e.Python).Holds(r.python.Marker)
	return holds || !ok
}

// addConda adds the conda packages, and returns them.
func (e *Environment) addConda(g *Graph, platform string) (list []rattler.Package) {
	if e.Locked.Conda == nil {
		return nil
	}
	for i := range e.Locked.Conda.Packages {
		c := &e.Locked.Conda.Packages[i]
		if platform != "" && c.Platform != platform {
			continue
		}
		list = append(list, c.Package)
		p := g.add(condaKey(c.Name), c.Version, &Package{Name: c.Name, Version: c.Version, Type: conda, Build: c.Build})
		p.Platforms = append(p.Platforms, c.Platform)
		for _, text := range c.Depends {
			if name := text[:len(text)-len(strings.TrimLeft(text, "abcdefghijklmnopqrstuvwxyz0123456789_.-"))]; name != "" {
				p.Dependencies = append(p.Dependencies, condaKey(name))
			}
		}
	}
	for _, p := range g.Packages {
		if platform != "" || len(p.Platforms) == len(e.Locked.Platforms) {
			p.Platforms = nil
		}
	}
	return list
}

func (g *Graph) addPython(l lock.Package) {
	p := g.add(l.Name, l.Version, &Package{Name: l.Name, Version: l.Version, Type: python, Index: l.Index, Source: sourceText(l), Platforms: l.Platforms})
	p.Dependencies = append(p.Dependencies, l.Dependencies...)
}

// add adds a package, or another version of it.
func (g *Graph) add(key, version string, p *Package) *Package {
	before, ok := g.Packages[key]
	if !ok {
		p.Dependencies = []string{}
		g.Packages[key] = p
		return p
	}
	if !slices.Contains(strings.Split(before.Version, ", "), version) {
		before.Version += ", " + version
	}
	if p.Platforms == nil && p.Type == python {
		before.Platforms = nil
	} else if before.Platforms != nil {
		before.Platforms = append(slices.Clone(before.Platforms), p.Platforms...)
	}
	return before
}

// sourceText describes what a package is installed from, "" for wheels of an index.
func sourceText(p lock.Package) string {
	switch b := p.Build; {
	case b == nil:
		return p.URL
	case b.Git != "":
		return "git+" + b.Git + "@" + b.Commit
	case b.Directory != "":
		return b.Directory
	case b.URL != "":
		return b.URL
	default:
		return b.File
	}
}

// addRemaining adds roots until they lead to every package: packages on which no other one
// depends, and one package of each cycle.
func (g *Graph) addRemaining() {
	reached := map[string]bool{}
	for _, key := range g.Roots {
		g.reach(key, reached)
	}
	dependents := g.Dependents()
	keys := g.Keys()
	for _, inCycles := range []bool{false, true} {
		for _, key := range keys {
			if !reached[key] && (inCycles || len(dependents[key]) == 0) {
				g.Roots = append(g.Roots, key)
				g.reach(key, reached)
			}
		}
	}
}

func (g *Graph) reach(key string, reached map[string]bool) {
	if reached[key] {
		return
	}
	reached[key] = true
	for _, next := range g.Packages[key].Dependencies {
		g.reach(next, reached)
	}
}

// Keys returns the keys of all packages: Python packages by name, then conda packages.
func (g *Graph) Keys() []string {
	keys := make([]string, 0, len(g.Packages))
	for key := range g.Packages {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b string) int {
		if isCondaA, isCondaB := strings.HasPrefix(a, "conda:"), strings.HasPrefix(b, "conda:"); isCondaA != isCondaB {
			if isCondaA {
				return 1
			}
			return -1
		}
		return strings.Compare(a, b)
	})
	return keys
}

// Dependents returns the keys of the packages that depend on a package, by its key, sorted.
func (g *Graph) Dependents() map[string][]string {
	dependents := map[string][]string{}
	for _, key := range g.Keys() {
		for _, next := range g.Packages[key].Dependencies {
			dependents[next] = append(dependents[next], key)
		}
	}
	return dependents
}

// find returns the package with a name that users write, Python packages before conda packages;
// nil if it is not locked.
func (g *Graph) find(name string) *Package {
	if p := g.Packages[pep.Normalize(name)]; p != nil {
		return p
	}
	return g.Packages[condaKey(strings.TrimPrefix(strings.ToLower(name), "conda:"))]
}

// A Branch is a package in a tree.
type Branch struct {
	*Package
	Branches []Branch
	// Repeated reports that the branches of the package are shown before, and are left out.
	Repeated bool
}

// A TreeSelection selects a part of a Graph.
type TreeSelection struct {
	Invert string // the tree of the packages that depend on this one; "" for the dependencies of the requests
	Depth  int    // levels below the roots; negative for all
}

// Tree returns the dependencies of the roots, or what depends on a package.
func (e *Environment) Tree(g *Graph, platform string, s TreeSelection) ([]Branch, error) {
	w := walk{g: g, next: func(p *Package) []string { return p.Dependencies }, shown: map[string]int{}}
	roots := g.Roots
	if s.Invert != "" {
		p := g.find(s.Invert)
		if p == nil {
			return nil, e.absent(s.Invert, platform)
		}
		dependents := g.Dependents()
		roots, w.next = []string{p.Key()}, func(p *Package) []string { return dependents[p.Key()] }
	}
	var tree []Branch
	for _, key := range roots {
		tree = append(tree, w.branch(key, s.Depth))
	}
	return tree, nil
}

// A walk makes the branches of a tree.
type walk struct {
	g     *Graph
	next  func(*Package) []string
	shown map[string]int // how many levels below a package are shown
}

// branch returns a branch with depth levels below it, all for a negative depth.

func (w *walk) branch(key string, depth int) Branch {
	b := Branch{Package: w.g.Packages[key]}
	next := w.next(b.Package)
	if depth == 0 || len(next) == 0 {
		return b
	}
	if shown, ok := w.shown[key]; ok && (depth < 0 || shown >= depth) {
		b.Repeated = true
		return b
	}
	w.shown[key] = depth
	for _, other := range next {
		b.Branches = append(b.Branches, w.branch(other, max(depth-1, -1)))
	}
	return b
}
