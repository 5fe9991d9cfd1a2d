package planner

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/state"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// prune decides what becomes of the orphans, inner paths first:
//
//  1. What cannot be seen, what we did not make, what is protected, what holds
//     something that is asked for, stays, and is named.
//  2. What is gone already is forgotten.
//  3. Its kind says whether it is as it was left. Only then is it deleted.
func (p *planning) prune(orphans []orphan) {
	if len(orphans) == 0 {
		return
	}
	holds := p.holders(orphans)
	deletes := map[string]int{} // item of the plan that deletes a path
	for i := range orphans {
		o := &orphans[i]
		if p.chosen.left(len(p.list) + i) {
			continue
		}
		change := p.fate(o, holds)
		if change.Action == resources.None && change.Problem == nil {
			p.settled(o)
			continue
		}
		if o.now != none {
			p.settled(o)
		}
		item := Item{Resource: &o.resource, Change: change, Orphan: true, Pending: true, Drift: change.Problem != nil && change.Problem.Code == "prune.changed"}
		if change.Action == resources.Delete {
			item.After = p.waits(o, deletes)
			deletes[o.was.Left.Path] = len(p.plan.Items)
			for _, fact := range change.Predicts {
				p.predicted.Set(fact)
			}
		}
		p.plan.Items = append(p.plan.Items, item)
	}
}

// settled corrects the memory of a thing that is gone, or whose address has another
// place now and nothing to do there.
func (p *planning) settled(o *orphan) {
	if o.now == none {
		p.plan.StateChanges.Forget = append(p.plan.StateChanges.Forget, o.entry)
		return
	}
	if p.item[o.now] != none {
		return // done there, it will be remembered
	}
	r := &p.list[o.now]
	e := o.entry
	e.Key, e.Ownership, e.Spec, e.Protect = r.Spec.Owns(), state.Observed, resources.Digest(r.Spec), r.Protect
	e.Left.Path = e.Key.Name
	if at, ok := r.Spec.(placed); ok {
		e.Ownership, e.Left.Path = o.entry.Ownership, at.Place()
	}
	p.plan.StateChanges.Entries = append(p.plan.StateChanges.Entries, e)
}

// fate says what becomes of one orphan.
func (p *planning) fate(o *orphan, holds map[string]string) resources.Change {
	reads := o.resource.Spec.Reads()
	for _, k := range reads {
		if _, reason, ok := p.facts.Lookup(k); !ok {
			return o.stay("prune.not-seen", fmt.Sprintf("%s could not be looked at (%s)", k, reason))
		}
	}
	change := o.resource.Spec.Diff(facts.NewView(p.facts, reads).With(p.predicted))
	if change.Action != resources.Delete {
		return change
	}
	switch {
	case o.entry.Protect:
		return o.stay("prune.protected", "it was protected by `protect: true`")
	case o.entry.Ownership == state.Adopted:
		return o.stay("prune.adopted", "it was there before reconcile took it over")
	case o.entry.Ownership != state.Created:
		return o.stay("prune.observed", "it was there before reconcile")
	case holds[o.was.Left.Path] != "" && !o.was.GenerationsOnly:
		return o.stay("prune.holds", "the manifest asks for "+holds[o.was.Left.Path]+" in it")
	}
	return change
}

// stay leaves the thing where it is, and says why.
func (o *orphan) stay(code, why string) resources.Change { return o.was.Keep(code, why) }

// holders says of the place of each orphan which resource lies in it, if any.
func (p *planning) holders(orphans []orphan) map[string]string {
	holds := map[string]string{}
	for i := range orphans {
		holds[orphans[i].was.Left.Path] = ""
	}
	for i := range p.list {
		at := ""
		if own := p.list[i].Spec.Owns(); own.Kind == facts.KindPath {
			at = own.Name
		} else if seen, ok := p.list[i].Spec.(placed); ok {
			at = seen.Place()
		}
		for dir := at; dir != ""; dir = parent(dir) {
			if _, ok := holds[dir]; ok && holds[dir] == "" {
				holds[dir] = p.list[i].Addr.String()
			}
		}
	}
	return holds
}

// parent is the directory above a path, "" above the highest.
func parent(name string) string {
	if !strings.Contains(name, "/") || name == "/" {
		return ""
	}
	return path.Dir(name)
}

// waits are the items that come before a deletion: those of what lies in it, and
// that of the resource that took its place.
func (p *planning) waits(o *orphan, deletes map[string]int) []int {
	var after []int
	for at, i := range deletes {
		if strings.HasPrefix(at, o.was.Left.Path+"/") {
			after = append(after, i)
		}
	}
	for i := range p.list {
		took := int32(i) == o.now || p.from[int32(i)] == o.was.Addr
		if took && p.item[i] != none {
			after = append(after, int(p.item[i]))
		}
	}
	slices.Sort(after)
	return after
}
