package planner

import (
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// An Excluded summarizes the resources that a plan does not cover.
type Excluded struct {
	Flags string `json:"by"`    // the flags that exclude: "--target"; "" for answers to conflicts alone
	Total int    `json:"total"` // resources, and orphans
	// Differ is how many of them differ from the manifest.
	Differ int `json:"differ"`
	// Conflicts is how many were excluded by Selection.Skip.
	Conflicts int `json:"conflicts,omitempty"`
	// Resources are those that differ, and those excluded only as dependents of another.
	Resources []ExcludedResource `json:"named,omitempty"`
}

// An ExcludedResource is one resource that a plan does not cover.
type ExcludedResource struct {
	Addr   resources.Addr   `json:"addr"`
	Action resources.Action `json:"action,omitempty"` // of a full plan
	Why    string           `json:"why"`              // "matches --exclude file.*", "depends on file.a, which is excluded"
}

// dependencies returns the resources and orphans that number i depends on. Orphans are
// numbered after the resources. An orphan depends on the resource that took its place
// and on the orphans inside it.
func (p *planning) dependencies(i int) []int32 {
	if i < len(p.list) {
		return p.graph.After(int32(i))
	}
	o := &p.orphans[i-len(p.list)]
	var after []int32
	for j := range p.list {
		if int32(j) == o.now || p.from[int32(j)] == o.recorded.Addr {
			after = append(after, int32(j))
		}
	}
	for j := range p.orphans {
		if strings.HasPrefix(p.orphans[j].recorded.Left.Path, o.recorded.Left.Path+"/") {
			after = append(after, int32(len(p.list)+j))
		}
	}
	return after
}

// fullOrder returns the order of the resources followed by the orphans.
func (p *planning) fullOrder() []int32 {
	order := slices.Clone(p.sorted)
	for i := range p.orphans {
		order = append(order, int32(len(p.list)+i))
	}
	return order
}

// listExcluded lists the excluded resources and orphans with their actions in a full plan.
// It does not change the state.
func (p *planning) listExcluded() {
	if p.selected == nil || !p.prior.Selection.narrows() {
		return
	}
	x := &Excluded{Flags: p.prior.Selection.Flags()}
	inside := p.inside()
	for _, i := range p.fullOrder() {
		if !p.selected.excludes(int(i)) {
			continue
		}
		x.Total++
		r := ExcludedResource{Addr: p.at(int(i)).Addr, Why: p.selected.why[i]}
		if int(i) < len(p.list) {
			change := p.diff(&p.list[i], p.graph.After(i))
			p.predict(i, change)
			r.Action = change.Action
		} else if change := p.diffOrphan(&p.orphans[int(i)-len(p.list)], inside); change.Action == resources.Delete {
			p.assume(change)
			r.Action = change.Action
		}
		if why, ok := p.prior.Selection.Skip[r.Addr]; ok && why == r.Why {
			x.Conflicts++
		}
		if r.Action != resources.None {
			x.Differ++
		}
		if r.Action != resources.None || strings.HasPrefix(r.Why, dependsOn) {
			x.Resources = append(x.Resources, r)
		}
	}
	p.plan.Excluded = x
}
