package planner

import (
	"slices"

	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// A Relation is a resource that another waits for, or that waits for it, and why.
type Relation struct {
	Addr resources.Addr `json:"addr"`
	Why  string         `json:"why"` // "lies in it", "reads environment:local", "depends_on"
}

// Relations returns the resources that one waits for, and those that wait for it, both
// directly, in the order of the list. Of resources that contradict each other there are
// none; Make says why.
func Relations(list []resources.Resource, addr resources.Addr) (waitsFor, neededBy []Relation) {
	p := &planning{list: list}
	me := int32(slices.IndexFunc(list, func(r resources.Resource) bool { return r.Addr == addr }))
	if me < 0 || p.index() != nil {
		return nil, nil
	}
	g, err := p.graph()
	if err != nil {
		return nil, nil
	}
	for _, from := range g.After(me) {
		waitsFor = append(waitsFor, Relation{list[from].Addr, p.reason(from, me)})
	}
	for to := range int32(len(list)) {
		if slices.Contains(g.After(to), me) {
			neededBy = append(neededBy, Relation{list[to].Addr, p.reason(me, to)})
		}
	}
	return waitsFor, neededBy
}

// reason says why one resource waits for another.
func (p *planning) reason(from, to int32) string {
	own := p.list[from].Spec.Owns()
	r := &p.list[to]
	switch at, held := p.holder(r.Spec.Owns()); {
	case held && at == from:
		return "lies in it"
	case own != r.Spec.Owns() && slices.Contains(r.Spec.Reads(), own):
		return "reads " + own.String()
	}
	return "depends_on"
}
