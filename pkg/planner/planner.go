package planner

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/graph"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Keys returns every key that planning the resources may read, once each, in the order
// in which the resources first name them.
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

// Make compares the resources with the facts, without a state. It returns an error,
// of *diag.Problem values, only if the resources contradict each other: two
// that own one key, a dependency that does not exist, a cycle. A resource that cannot be
// applied is a blocked item of the plan.
func Make(list []resources.Resource, f *facts.Facts) (*Plan, error) {
	return Prior{}.Make(list, f)
}

// none is the item number of a resource that is not in the plan.
const none = int32(-1)

// planning is one call of Make.
type planning struct {
	*input
	facts     *facts.Facts
	predicted *facts.Facts        // by the changes decided so far
	unknown   map[facts.Key]int32 // keys that a change leaves unpredicted: its resource
	owner     map[facts.Key]int32 // the resource that owns a key
	item      []int32             // the item of each resource; of each orphan only if it is deleted
	sorted    []int32             // the resources in dependency order
	graph     *graph.Graph        // the dependencies of the resources
	selected  *selected           // nil for all
	shared    map[string]bool     // files that a decided change needs, by resources.SharedNeed.SHA256
	prior     Prior
	plan      Plan
}

// planResources decides every selected resource.
func (p *planning) planResources() (err error) {
	if err := p.order(); err != nil {
		return err
	}
	if !p.prior.Selection.IsZero() {
		if p.selected, err = p.resolveSelection(); err != nil {
			return err
		}
	}
	p.item = make([]int32, len(p.list)+len(p.orphans))
	for i := range p.item {
		p.item[i] = none
	}
	for _, i := range p.sorted {
		if !p.selected.excludes(int(i)) {
			p.decide(i)
		}
	}
	return nil
}

// order sorts the resources by their dependencies.
func (p *planning) order() error {
	if err := p.link(); err != nil {
		return err
	}
	var cycle []int32
	if p.sorted, cycle = p.graph.Order(); cycle != nil {
		return p.cycleProblem(cycle)
	}
	return nil
}

// link finds the owner of each key and builds the dependency graph: a reader of a key
// depends on its owner, a path on its parent directory, and a resource on those that
// depends_on names.
func (p *planning) link() error {
	if err := p.findOwners(); err != nil {
		return err
	}
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
		if from, ok := p.parentOwner(own); ok {
			edges = append(edges, graph.Edge{From: from, To: int32(i)})
		}
		if len(r.DependsOn) > 0 && byAddr == nil {
			byAddr = make(map[resources.Addr]int32, len(p.list))
			for j := range p.list {
				byAddr[p.list[j].Addr] = int32(j)
			}
		}
		for _, a := range r.DependsOn {
			if from, ok := byAddr[a]; ok {
				edges = append(edges, graph.Edge{From: from, To: int32(i)})
				continue
			}
			problems.Add(&diag.Problem{
				Code: "plan.unknown-dependency", Pos: r.Pos, Addr: r.Addr.String(),
				Summary: fmt.Sprintf("depends_on names %s, which the manifest does not define for this machine", a),
			})
		}
	}
	p.graph = graph.New(len(p.list), edges)
	return problems.Err()
}

func (p *planning) findOwners() error {
	var problems diag.List
	p.owner = make(map[facts.Key]int32, len(p.list))
	for i := range p.list {
		r := &p.list[i]
		k := r.Spec.Owns()
		if first, ok := p.owner[k]; ok {
			problems.Add(&diag.Problem{
				Code: "plan.two-owners", Pos: r.Pos, Addr: r.Addr.String(),
				Summary: fmt.Sprintf("%s is already managed", k),
				Found:   fmt.Sprintf("%s at %s manages it too", p.list[first].Addr, p.list[first].Pos),
				Hint:    "remove one of the two, or give one another path",
			})
			continue
		}
		p.owner[k] = int32(i)
	}
	return problems.Err()
}

// parentOwner returns the resource that owns the nearest directory above a path.
func (p *planning) parentOwner(k facts.Key) (int32, bool) {
	if k.Kind != facts.KindPath {
		return 0, false
	}
	for dir := parent(k.Name); dir != ""; dir = parent(dir) {
		if from, ok := p.owner[facts.PathKey(dir)]; ok {
			return from, true
		}
	}
	return 0, false
}

// parent returns the directory above a path, "" above the highest.
func parent(name string) string {
	if !strings.Contains(name, "/") || name == "/" {
		return ""
	}
	return path.Dir(name)
}

func (p *planning) cycleProblem(cycle []int32) error {
	first := &p.list[cycle[0]]
	var found strings.Builder
	for _, i := range cycle {
		fmt.Fprintf(&found, "%s (%s) is required by\n", p.list[i].Addr, p.list[i].Pos)
	}
	found.WriteString(first.Addr.String())
	return &diag.Problem{
		Code: "plan.cycle", Pos: first.Pos, Addr: first.Addr.String(),
		Summary: "depends on itself",
		Found:   found.String(),
		Hint:    "remove one depends_on of this cycle",
	}
}

// decide adds a resource to the plan if it differs, has a problem, or is a check. Its
// dependencies must be decided.
func (p *planning) decide(i int32) {
	r, after := &p.list[i], p.graph.After(i)
	change := p.diff(r, after)
	recreate := p.selected.recreates(int(i))
	if recreate {
		change = resources.Recreate(r.Spec, change, facts.NewView(p.facts, r.Spec.Reads()).With(p.predicted))
	}
	_, check := r.Spec.(resources.Requirement)
	if change.Action == resources.None && change.Problem == nil && !check {
		p.plan.Unchanged++
		p.recordMove(i)
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
	p.countShared(&change)
	item := Item{Resource: r, Change: change, Check: check, After: p.items(after), From: p.from[i], Recreate: recreate}
	if !check && change.Action != resources.None {
		item.Drift, item.Pending = p.cause(r)
		if recreate && item.Drift { // --replace may be the only cause
			e, _ := p.prior.State.Entry(r.Addr)
			item.Drift = drifted(e, p.facts)
		}
		item.Conflict = p.conflicts(r, change)
	}
	p.item[i] = int32(len(p.plan.Items))
	p.plan.Items = append(p.plan.Items, item)
}

// countShared removes from the need of a change what an earlier change needs too.
func (p *planning) countShared(c *resources.Change) {
	if c.Action == resources.Blocked {
		return
	}
	for _, part := range c.Shared {
		if p.shared[part.SHA256] {
			c.Need.Download -= part.Download
			c.Need.Disk -= part.Disk
			continue
		}
		if p.shared == nil {
			p.shared = map[string]bool{}
		}
		p.shared[part.SHA256] = true
	}
}

// items returns the items of resources and orphans, ascending.
func (p *planning) items(numbers []int32) []int {
	var list []int
	for _, n := range numbers {
		if p.item[n] != none {
			list = append(list, int(p.item[n]))
		}
	}
	slices.Sort(list)
	return list
}

// recordMove moves the entry of a resource that is already at its new address.
func (p *planning) recordMove(i int32) {
	from, ok := p.from[i]
	if !ok {
		return
	}
	e, _ := p.prior.State.Entry(from)
	p.plan.StateChanges.Forget = append(p.plan.StateChanges.Forget, e)
	e.Addr, e.Key = p.list[i].Addr, p.list[i].Spec.Owns()
	e.Spec, e.Protect = resources.Digest(p.list[i].Spec), p.list[i].Protect
	e.Left.Path = e.Key.Name
	p.plan.StateChanges.Entries = append(p.plan.StateChanges.Entries, e)
}

// diff returns the change of a resource. It is blocked if a dependency is blocked or a
// fact is not known, and deferred if a fact becomes known only during apply.
func (p *planning) diff(r *resources.Resource, after []int32) resources.Change {
	for _, from := range after {
		if at := p.item[from]; at != none && p.plan.Items[at].Change.Action == resources.Blocked {
			return resources.Block(blockedBy(&p.plan.Items[at]))
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
			return resources.Block(&diag.Problem{
				Code: "plan.not-seen", Summary: fmt.Sprintf("%s could not be read", k), Found: reason,
				Hint: "make it readable and plan again; reconcile changes nothing that it cannot read",
			})
		}
	}
	return r.Spec.Diff(facts.NewView(p.facts, reads).With(p.predicted))
}

// predict adds the predictions of a change to what later resources read. The key of a
// resource that does not predict it becomes unknown.
func (p *planning) predict(i int32, c resources.Change) {
	if c.Action == resources.None || c.Action == resources.Blocked {
		return
	}
	p.assume(c)
	own := p.list[i].Spec.Owns()
	if !slices.ContainsFunc(c.Predicts, func(f facts.Fact) bool { return f.Key() == own }) {
		if p.unknown == nil {
			p.unknown = make(map[facts.Key]int32)
		}
		p.unknown[own] = i
	}
}

func (p *planning) assume(c resources.Change) {
	for _, fact := range c.Predicts {
		p.predicted.Set(fact)
	}
}

// describe sets the machine, the project and the storage summary of the plan.
func (p *planning) describe() {
	if host, ok := facts.Find[facts.Host](p.facts, facts.HostKey); ok {
		p.plan.Host, p.plan.Platform = host.Hostname, host.Platform
	}
	if project, ok := facts.Find[facts.Project](p.facts, facts.ProjectKey); ok {
		p.plan.Root = project.Root
	}
	p.describeStorage()
}

// dependsOn begins the reason of a resource that is blocked or excluded with another.
const dependsOn = "depends on "

func blockedBy(cause *Item) *diag.Problem {
	hint := ""
	if p := cause.Change.Problem; p != nil {
		hint = fmt.Sprintf("fix %s first: %s", p.Addr, p.Summary)
		if p.Code == "plan.waits" {
			hint = p.Hint
		}
	}
	return &diag.Problem{Code: "plan.waits", Summary: fmt.Sprintf(dependsOn+"%s, which is blocked", cause.Resource.Addr), Hint: hint}
}
