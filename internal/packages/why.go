package packages

import (
	"cmp"
	"slices"

	"github.com/reconcile-ml/reconcile/internal/pep"
)

// A Reason is why a package is locked.
type Reason struct {
	*Package
	// Chains lead from requests to the package: for each request the shortest one, the shortest
	// chains first.
	Chains []Chain
	// Builds are the packages whose builds from source need it, if nothing else does.
	Builds []string
}

// A Chain is a path from a requested package to another one. Both are in it.
type Chain []*Package

// Why returns why a package is locked, for one platform or for all ("").
func (e *Environment) Why(name, platform string) (*Reason, error) {
	g := e.graph(platform)
	p := g.find(name)
	if p == nil {
		if r := e.buildReason(name); r != nil {
			return r, nil
		}
		return nil, e.absent(name, platform)
	}
	if !e.isComplete() && len(p.Requested) == 0 {
		return nil, e.incomplete()
	}
	return &Reason{Package: p, Chains: g.chains(p.Key())}, nil
}

// chains returns the shortest chain from each requested package to a package.
func (g *Graph) chains(to string) (list []Chain) {
	// A search from the package finds the shortest chain of every dependent at once.
	dependents := g.Dependents()
	following := map[string]string{to: ""}
	for queue := []string{to}; len(queue) > 0; queue = queue[1:] {
		for _, key := range dependents[queue[0]] {
			if _, ok := following[key]; !ok {
				following[key] = queue[0]
				queue = append(queue, key)
			}
		}
	}
	for _, root := range g.Roots {
		if _, ok := following[root]; !ok {
			continue
		}
		var chain Chain
		for key := root; key != ""; key = following[key] {
			chain = append(chain, g.Packages[key])
		}
		list = append(list, chain)
	}
	slices.SortStableFunc(list, func(a, b Chain) int { return cmp.Compare(len(a), len(b)) })
	return list
}

// buildReason returns the reason of a package that only builds need, nil if none does.
func (e *Environment) buildReason(name string) *Reason {
	name = pep.Normalize(name)
	var r *Reason
	for _, p := range e.Locked.Packages {
		if p.Build == nil {
			continue
		}
		for _, q := range p.Build.Requires {
			if q.Name != name {
				continue
			}
			if r == nil {
				r = &Reason{Package: &Package{Name: q.Name, Version: q.Version, Type: python, Dependencies: []string{}}}
			}
			if !slices.Contains(r.Builds, p.Name) {
				r.Builds = append(r.Builds, p.Name)
			}
		}
	}
	return r
}
