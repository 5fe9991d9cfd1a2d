package planner

import (
	"fmt"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/state"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// prune decides each orphan, inner paths first:
//
//  1. An orphan that cannot be read, that reconcile did not create, that is protected, whose
//     path the manifest could not have, or that contains a resource of the manifest is kept,
//     with a warning.
//  2. An orphan that no longer exists is dropped from the state.
//  3. An orphan that its kind reports as unchanged since the last apply is deleted.
func (p *planning) prune() {
	inside := p.inside()
	for i := range p.orphans {
		o, n := &p.orphans[i], len(p.list)+i
		if p.selected.excludes(n) {
			continue
		}
		change := p.diffOrphan(o, inside)
		gone := change.Action == resources.None && change.Problem == nil
		if gone || o.now != none {
			p.updateEntry(o)
		}
		if gone {
			continue
		}
		item := Item{Resource: &o.resource, Change: change, Orphan: true, Pending: true, Drift: change.Problem != nil && change.Problem.Code == "prune.changed"}
		if change.Action == resources.Delete {
			item.After = p.items(p.dependencies(n))
			p.item[n] = int32(len(p.plan.Items))
			p.assume(change)
		}
		p.plan.Items = append(p.plan.Items, item)
	}
}

// updateEntry drops the entry of an orphan from the state, or, if its address has
// another place now and needs no change there, records that place.
func (p *planning) updateEntry(o *orphan) {
	if o.now == none {
		p.plan.StateChanges.Forget = append(p.plan.StateChanges.Forget, o.entry)
		return
	}
	if p.item[o.now] != none {
		return // apply records it
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

// diffOrphan returns the change of one orphan. inside is the result of the method.
func (p *planning) diffOrphan(o *orphan, inside map[string]string) resources.Change {
	reads := o.resource.Spec.Reads()
	for _, k := range reads {
		if _, reason, ok := p.facts.Lookup(k); !ok {
			return o.keep("prune.not-seen", fmt.Sprintf("%s could not be read (%s)", k, reason))
		}
	}
	change := o.resource.Spec.Diff(facts.NewView(p.facts, reads).With(p.predicted))
	if change.Action != resources.Delete {
		return change
	}
	refused := p.prior.refused(o.entry)
	switch addr := inside[o.recorded.Left.Path]; {
	case refused != "":
		return o.keep("prune.outside", refused)
	case o.entry.Protect:
		return o.keep("prune.protected", "it was protected by `protect: true`")
	case o.entry.Ownership == state.Adopted:
		return o.keep("prune.adopted", "it existed before reconcile adopted it")
	case o.entry.Ownership != state.Created:
		return o.keep("prune.observed", "it existed before reconcile")
	case addr != "" && !o.recorded.GenerationsOnly:
		return o.keep("prune.holds", "it contains "+addr+", which is in the manifest")
	}
	return change
}

// keep keeps the orphan, with a warning that names why.
func (o *orphan) keep(code, why string) resources.Change { return o.recorded.Keep(code, why) }

// inside returns, for the path of each orphan, a resource of the manifest at or below
// it, "" for none.
func (p *planning) inside() map[string]string {
	if len(p.orphans) == 0 {
		return nil
	}
	inside := map[string]string{}
	for i := range p.orphans {
		inside[p.orphans[i].recorded.Left.Path] = ""
	}
	for i := range p.list {
		dir := ""
		if own := p.list[i].Spec.Owns(); own.Kind == facts.KindPath {
			dir = own.Name
		} else if at, ok := p.list[i].Spec.(placed); ok {
			dir = at.Place()
		}
		for ; dir != ""; dir = parent(dir) {
			if addr, ok := inside[dir]; ok && addr == "" {
				inside[dir] = p.list[i].Addr.String()
			}
		}
	}
	return inside
}
