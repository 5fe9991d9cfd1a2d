package planner

import (
	"fmt"
	"path"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/graph"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Keys returns every key that planning the resources may look at, once each, in
// the order in which the resources first name them.
func Keys(list []resources.Resource) []facts.Key {
	seen := make(map[facts.Key]struct{}, len(list))
	keys := make([]facts.Key, 0, len(list))
	for i := range list {
		for _, k := range list[i].Spec.Reads() {
			if _, ok := seen[k]; !ok {
				seen[k] = struct{}{}
				keys = append(keys, k)
			}
		}
	}
	return keys
}

// Make compares the resources with the facts, without a memory of earlier applies.
// It returns an error, which holds *diag.Problem values, only if the resources
// contradict each other: two that own one key, a dependency that does not exist, a
// cycle. A resource that cannot be done is an item of the plan.
func Make(list []resources.Resource, f *facts.Facts) (*Plan, error) {
	return Prior{}.Make(list, f)
}

// make decides every selected resource of the list.
func (p *planning) make(pre *prepared) error {
	if err := p.index(); err != nil {
		return err
	}
	g, err := p.graph()
	if err != nil {
		return err
	}
	order, cycle := g.Order()
	if cycle != nil {
		return p.cycleProblem(cycle)
	}
	p.order, p.waitsFor = order, g
	if !p.before.Selection.IsZero() {
		if p.chosen, err = p.before.Selection.choose(pre, p.everyAfter(pre), p.everyOrder(pre)); err != nil {
			return err
		}
	}
	p.item = make([]int32, len(p.list))
	for i := range p.item {
		p.item[i] = none
	}
	for _, i := range order {
		if !p.chosen.left(int(i)) {
			p.decide(i, g.After(i))
		}
	}
	return nil
}

// none stands for a resource that is no item of the plan, since it agrees.
const none = int32(-1)

// planning is one call of Make.
type planning struct {
	list      []resources.Resource
	facts     *facts.Facts
	predicted *facts.Facts        // by the changes decided so far
	unknown   map[facts.Key]int32 // keys that a change leaves unpredicted: its resource
	owner     map[facts.Key]int32 // the resource that owns a key
	item      []int32             // the item of the plan that a resource became
	order     []int32             // in which they are asked
	waitsFor  *graph.Graph        // which of them wait for which
	chosen    *chosen             // nil for all
	before    Prior
	from      map[int32]resources.Addr // where resources come from that have a new address
	plan      Plan
}

// index finds the owner of each key.
func (p *planning) index() error {
	var problems diag.List
	p.owner = make(map[facts.Key]int32, len(p.list))
	for i := range p.list {
		r := &p.list[i]
		k := r.Spec.Owns()
		if first, ok := p.owner[k]; ok {
			problems.Add(&diag.Problem{
				Code: "plan.two-owners", Pos: r.Pos, Addr: r.Addr.String(),
				Summary: fmt.Sprintf("%s is managed already", k),
				Found:   fmt.Sprintf("%s at %s manages the same", p.list[first].Addr, p.list[first].Pos),
				Hint:    "remove one of the two, or give one another place",
			})
			continue
		}
		p.owner[k] = int32(i)
	}
	return problems.Err()
}

// graph says who waits for whom: a reader for the owner, a path for the
// directory that holds it, and what depends_on names.
func (p *planning) graph() (*graph.Graph, error) {
	var problems diag.List
	var edges []graph.Edge
	var byAddr map[resources.Addr]int32
	for i := range p.list {
		r := &p.list[i]
		own := r.Spec.Owns()
		for _, k := range r.Spec.Reads() {
			if k == own {
				continue
			}
			if from, ok := p.owner[k]; ok {
				edges = append(edges, graph.Edge{From: from, To: int32(i)})
			}
		}
		if from, ok := p.holder(own); ok {
			edges = append(edges, graph.Edge{From: from, To: int32(i)})
		}
		if len(r.DependsOn) > 0 && byAddr == nil {
			byAddr = p.addresses()
		}
		for _, a := range r.DependsOn {
			from, ok := byAddr[a]
			if !ok {
				problems.Add(&diag.Problem{
					Code: "plan.unknown-dependency", Pos: r.Pos, Addr: r.Addr.String(),
					Summary: fmt.Sprintf("depends_on names %s, which the manifest does not have for this machine", a),
				})
				continue
			}
			edges = append(edges, graph.Edge{From: from, To: int32(i)})
		}
	}
	return graph.New(len(p.list), edges), problems.Err()
}

// holder returns the resource that owns the nearest directory above a path.
func (p *planning) holder(k facts.Key) (int32, bool) {
	if k.Kind != facts.KindPath {
		return 0, false
	}
	for dir := k.Name; strings.Contains(dir, "/") && dir != "/"; {
		dir = path.Dir(dir)
		if from, ok := p.owner[facts.PathKey(dir)]; ok {
			return from, true
		}
	}
	return 0, false
}

func (p *planning) addresses() map[resources.Addr]int32 {
	byAddr := make(map[resources.Addr]int32, len(p.list))
	for i := range p.list {
		byAddr[p.list[i].Addr] = int32(i)
	}
	return byAddr
}

func (p *planning) cycleProblem(cycle []int32) error {
	first := &p.list[cycle[0]]
	var way strings.Builder
	for _, i := range cycle {
		fmt.Fprintf(&way, "%s (%s) is waited for by\n", p.list[i].Addr, p.list[i].Pos)
	}
	way.WriteString(first.Addr.String())
	return &diag.Problem{
		Code: "plan.cycle", Pos: first.Pos, Addr: first.Addr.String(),
		Summary: "waits for itself",
		Found:   way.String(),
		Hint:    "remove one depends_on of this circle",
	}
}

// decide asks one resource, once all that it waits for have been asked, and
// keeps the answer if it is more than "agrees".
func (p *planning) decide(i int32, after []int32) {
	r := &p.list[i]
	change := p.ask(r, after)
	if p.chosen.renews(int(i)) {
		change = resources.Recreate(r.Spec, change, facts.NewView(p.facts, r.Spec.Reads()).With(p.predicted))
	}
	_, check := r.Spec.(resources.Requirement)
	if change.Action == resources.None && change.Problem == nil && !check {
		p.plan.Unchanged++
		p.arrived(i)
		return
	}
	if change.Problem != nil {
		if change.Problem.Addr == "" {
			change.Problem.Addr = r.Addr.String()
		}
		if !change.Problem.Pos.IsValid() {
			change.Problem.Pos = r.Pos
		}
	}
	p.predict(i, change)
	item := Item{Resource: r, Change: change, Check: check, From: p.from[i], Recreate: p.chosen.renews(int(i))}
	if !check && change.Action != resources.None {
		item.Drift, item.Pending = p.cause(r)
		if item.Recreate && item.Drift { // that it is made anew may be the one cause
			e, _ := p.before.State.Entry(r.Addr)
			item.Drift = drifted(e, p.facts)
		}
		item.Conflict = p.conflicts(r, change)
	}
	for _, from := range after {
		if p.item[from] != none {
			item.After = append(item.After, int(p.item[from]))
		}
	}
	p.item[i] = int32(len(p.plan.Items))
	p.plan.Items = append(p.plan.Items, item)
}

// arrived gives what is remembered of a thing to its new address, where it is and
// nothing is left to do.
func (p *planning) arrived(i int32) {
	from, ok := p.from[i]
	if !ok {
		return
	}
	e, _ := p.before.State.Entry(from)
	p.plan.StateChanges.Forget = append(p.plan.StateChanges.Forget, e)
	e.Addr, e.Key = p.list[i].Addr, p.list[i].Spec.Owns()
	e.Spec, e.Protect = resources.Digest(p.list[i].Spec), p.list[i].Protect
	e.Left.Path = e.Key.Name
	p.plan.StateChanges.Entries = append(p.plan.StateChanges.Entries, e)
}

// ask returns the answer of a resource's Diff, or why it cannot be asked: one
// that it waits for is blocked, a fact could not be seen, or will be known only
// during apply.
func (p *planning) ask(r *resources.Resource, after []int32) resources.Change {
	for _, from := range after {
		if at := p.item[from]; at != none && p.plan.Items[at].Change.Action == resources.Blocked {
			return resources.Block(waitsForBlocked(&p.plan.Items[at]))
		}
	}
	reads := r.Spec.Reads()
	for _, k := range reads {
		if owner, ok := p.unknown[k]; ok {
			return resources.Change{
				Action:  resources.Defer,
				Summary: fmt.Sprintf("decided during apply, once %s is done", p.list[owner].Addr),
			}
		}
		if _, reason, ok := p.facts.Lookup(k); !ok {
			if _, _, predicted := p.predicted.Lookup(k); predicted {
				continue
			}
			if u, ok := r.Spec.(resources.UnknownDiffer); ok {
				return u.DiffUnknown(reason)
			}
			return resources.Block(notSeen(k, reason))
		}
	}
	return r.Spec.Diff(facts.NewView(p.facts, reads).With(p.predicted))
}

// predict folds what a change will have made known into what later resources
// see. A change that does not say what its own key will be leaves it unknown.
func (p *planning) predict(i int32, c resources.Change) {
	if c.Action == resources.None || c.Action == resources.Blocked {
		return
	}
	own := p.list[i].Spec.Owns()
	said := false
	for _, fact := range c.Predicts {
		p.predicted.Set(fact)
		said = said || fact.Key() == own
	}
	if !said {
		if p.unknown == nil {
			p.unknown = make(map[facts.Key]int32)
		}
		p.unknown[own] = i
	}
}

// describe fills in what the plan says of the machine and its disk.
func (p *planning) describe() {
	if host, ok := facts.Find[facts.Host](p.facts, facts.HostKey); ok {
		p.plan.Host, p.plan.Platform = host.Hostname, host.Platform
	}
	if project, ok := facts.Find[facts.Project](p.facts, facts.ProjectKey); ok {
		p.plan.Root = project.Root
	}
	for i := range p.list {
		b, ok := p.list[i].Spec.(resources.Budgeter)
		if !ok {
			continue
		}
		key, budget := b.StorageBudget()
		s := &Storage{Path: key.Name, Budget: budget}
		if disk, ok := facts.Find[facts.Disk](p.facts, key); ok {
			s.Free = disk.Free
		}
		for j := range p.plan.Items {
			need := p.plan.Items[j].Change.Need
			s.Download += need.Download
			s.Disk += need.Disk
		}
		p.plan.Storage = s
		p.fits(int32(i), s)
		return
	}
}

// fits blocks a plan that takes more than is free on the project's disk. Where the
// manifest looks at another disk, nothing is known of the project's.
func (p *planning) fits(asks int32, s *Storage) {
	at := p.item[asks]
	if s.Disk <= s.Free || path.IsAbs(s.Path) || at == none || p.plan.Items[at].Change.Action == resources.Blocked {
		return
	}
	r := &p.list[asks]
	p.plan.Items[at].Change.Action = resources.Blocked
	p.plan.Items[at].Change.Problem = &diag.Problem{
		Code: "plan.disk", Pos: r.Pos, Addr: r.Addr.String(),
		Summary: fmt.Sprintf("this plan takes %s, and %s are free on the file system of %q", bytesize.Format(s.Disk), bytesize.Format(s.Free), s.Path),
		Hint:    fmt.Sprintf("make room for %s there; `reconcile gc` removes unused generations", bytesize.Format(s.Disk-s.Free)),
	}
}

func waitsForBlocked(cause *Item) *diag.Problem {
	summary := fmt.Sprintf("waits for %s, which is blocked", cause.Resource.Addr)
	hint := ""
	if why := cause.Change.Problem; why != nil {
		hint = fmt.Sprintf("mend %s first: %s", why.Addr, why.Summary)
		if why.Code == "plan.waits" {
			hint = why.Hint
		}
	}
	return &diag.Problem{Code: "plan.waits", Summary: summary, Hint: hint}
}

func notSeen(k facts.Key, reason string) *diag.Problem {
	return &diag.Problem{
		Code:    "plan.not-seen",
		Summary: fmt.Sprintf("%s could not be looked at", k),
		Found:   reason,
		Hint:    "what cannot be seen is neither changed nor taken for absent; make it readable and plan again",
	}
}
