package planner

import (
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// everyAfter says whom resources and orphans wait for; orphans are numbered after the
// resources.
func (p *planning) everyAfter(pre *prepared) func(int) []int32 {
	return func(i int) []int32 {
		if i < len(p.list) {
			return p.waitsFor.After(int32(i))
		}
		o := &pre.orphans[i-len(p.list)]
		var after []int32
		for j := range p.list {
			if int32(j) == o.now || p.from[int32(j)] == o.was.Addr {
				after = append(after, int32(j))
			}
		}
		for j := range pre.orphans {
			if strings.HasPrefix(pre.orphans[j].was.Left.Path, o.was.Left.Path+"/") {
				after = append(after, int32(len(p.list)+j))
			}
		}
		return after
	}
}

// everyOrder is the order of the resources, and then of the orphans, inner paths first.
func (p *planning) everyOrder(pre *prepared) []int32 {
	order := slices.Clone(p.order)
	for i := range pre.orphans {
		order = append(order, int32(len(p.list)+i))
	}
	return order
}

// leaveOut says what a selection leaves out, and asks each whether it would differ.
// Nothing of that is remembered.
func (p *planning) leaveOut(pre *prepared) {
	if p.chosen == nil || !p.before.Selection.narrows() {
		return
	}
	rest := &Excluded{Flags: p.before.Selection.Flags()}
	holds := p.holders(pre.orphans)
	for _, i := range p.everyOrder(pre) {
		if !p.chosen.left(int(i)) {
			continue
		}
		rest.Total++
		out := ExcludedResource{Addr: pre.at(int(i)).Addr, Why: p.chosen.why[i]}
		if int(i) < len(p.list) {
			change := p.ask(&p.list[i], p.waitsFor.After(i))
			p.predict(i, change)
			out.Action = change.Action
		} else if change := p.fate(&pre.orphans[int(i)-len(p.list)], holds); change.Action == resources.Delete {
			out.Action = change.Action
			for _, fact := range change.Predicts {
				p.predicted.Set(fact)
			}
		}
		if why, ok := p.before.Selection.Skip[out.Addr]; ok && why == out.Why {
			rest.Conflicts++
		}
		if out.Action != resources.None {
			rest.Differ++
		}
		if out.Action != resources.None || strings.HasPrefix(out.Why, "waits for ") {
			rest.Resources = append(rest.Resources, out)
		}
	}
	p.plan.Excluded = rest
}
