package planner

import (
	"github.com/reconcile-ml/reconcile/internal/graph"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Graph returns who waits for whom among the resources, as Make would order them:
// node i is list[i]. It fails as Make does, where resources contradict each other.
func Graph(list []resources.Resource) (*graph.Graph, error) {
	p := &planning{list: list}
	if err := p.index(); err != nil {
		return nil, err
	}
	g, err := p.graph()
	if err != nil {
		return nil, err
	}
	if _, cycle := g.Order(); cycle != nil {
		return nil, p.cycleProblem(cycle)
	}
	return g, nil
}
