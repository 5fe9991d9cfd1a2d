package planner

import (
	"slices"

	"github.com/reconcile-ml/reconcile/internal/graph"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Graph returns the dependency graph of the resources, in which node i is list[i]. It
// fails as Make does if the resources contradict each other.
func Graph(list []resources.Resource) (*graph.Graph, error) {
	p := &planning{input: &input{list: list}}
	if err := p.order(); err != nil {
		return nil, err
	}
	return p.graph, nil
}

// A Relation is a resource that another depends on, or that depends on it, and why.
type Relation struct {
	Addr resources.Addr `json:"addr"`
	Why  string         `json:"why"` // "parent directory", "reads environment:local", "depends_on"
}

// Relations returns the direct dependencies of a resource and the resources that depend
// on it directly, both in the order of the list. Both are nil if the resources contradict
// each other; Make reports why.
func Relations(list []resources.Resource, addr resources.Addr) (dependsOn, neededBy []Relation) {
	p := &planning{input: &input{list: list}}
	n := int32(slices.IndexFunc(list, func(r resources.Resource) bool { return r.Addr == addr }))
	if n < 0 || p.link() != nil {
		return nil, nil
	}
	for _, from := range p.graph.After(n) {
		dependsOn = append(dependsOn, Relation{list[from].Addr, p.relation(from, n)})
	}
	for to := range int32(len(list)) {
		if slices.Contains(p.graph.After(to), n) {
			neededBy = append(neededBy, Relation{list[to].Addr, p.relation(n, to)})
		}
	}
	return dependsOn, neededBy
}

// relation returns why resource to depends on resource from.
func (p *planning) relation(from, to int32) string {
	own, r := p.list[from].Spec.Owns(), &p.list[to]
	switch parent, ok := p.parentOwner(r.Spec.Owns()); {
	case ok && parent == from:
		return "parent directory"
	case own != r.Spec.Owns() && slices.Contains(r.Spec.Reads(), own):
		return "reads " + own.String()
	}
	return "depends_on"
}
