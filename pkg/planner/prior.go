package planner

import (
	"path"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/state"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Prior holds what earlier applies recorded about this machine, and which part of
// the manifest to plan. With the zero value nothing is pruned or moved, and every
// resource is planned.
type Prior struct {
	State *state.State // nil for none
	// StateDir is the state directory of the project, absolute.
	StateDir string
	// Declared holds addresses that the manifest defines for this machine in
	// environments and directories that are not selected in this run. DeclaredPaths
	// holds their paths. Neither is ever pruned.
	Declared      map[resources.Addr]bool
	DeclaredPaths map[string]bool
	Moves         []Move
	// Reason is why orphans are deleted; "" means that they left the manifest.
	Reason string
	// Refused returns why the path of an entry is not one that the manifest could have, ""
	// if it is. Such an entry is neither pruned nor moved. nil refuses none.
	Refused func(state.Entry) string
	// NewSpec returns an empty Spec of a kind, or nil for an unknown kind.
	NewSpec func(kind string) resources.Spec
	// Selection is the part of the resources to plan; the zero value is all.
	Selection Selection
	// Models is the directory of the models, as facts name it; "" for none.
	Models string
}

// A Move gives a resource a new address without recreating it.
type Move struct {
	From, To resources.Addr
	Pos      diag.Pos
}

// A placed Spec is exposed at a path that is not its key.
type placed interface{ Place() string }

// Keys returns every key that planning may read: the keys of the resources and those
// of the orphans in the state.
func (prior Prior) Keys(list []resources.Resource) []facts.Key {
	in := prior.prepare(list)
	all := in.list
	for i := range in.orphans {
		all = append(all, in.orphans[i].resource)
	}
	return Keys(all)
}

// Make compares the resources with the facts and the state; see the function Make for
// its errors.
func (prior Prior) Make(list []resources.Resource, f *facts.Facts) (*Plan, error) {
	in := prior.prepare(list)
	p := &planning{input: in, facts: f, predicted: &facts.Facts{}, prior: prior}
	p.plan.StateChanges = in.changes
	if err := p.planResources(); err != nil {
		return nil, err
	}
	p.prune()
	p.listExcluded()
	p.describe()
	return &p.plan, nil
}

// MakeWithoutPrune compares the resources with the facts. It uses the state only to
// distinguish drift from pending changes; nothing is pruned or moved.
func (prior Prior) MakeWithoutPrune(list []resources.Resource, f *facts.Facts) (*Plan, error) {
	p := &planning{input: &input{list: list}, facts: f, predicted: &facts.Facts{}, prior: prior}
	if err := p.planResources(); err != nil {
		return nil, err
	}
	p.describe()
	return &p.plan, nil
}

// input is a list of resources combined with the state.
type input struct {
	list    []resources.Resource // moved ones read their previous place too
	from    map[int32]resources.Addr
	orphans []orphan // inner paths before outer ones
	changes StateChanges
}

// An orphan is a recorded resource that the manifest no longer defines.
type orphan struct {
	resource resources.Resource
	entry    state.Entry
	recorded resources.Recorded
	now      int32 // the resource that has its address now, or none
}

// at returns a resource, or the orphan that is numbered after the resources.
func (in *input) at(i int) *resources.Resource {
	if i < len(in.list) {
		return &in.list[i]
	}
	return &in.orphans[i-len(in.list)].resource
}

// prepare finds moved, displaced and orphaned entries of the state. In the common case
// of none it costs one lookup per resource.
func (prior Prior) prepare(list []resources.Resource) *input {
	in := &input{list: list}
	if prior.State == nil || prior.State.Len() == 0 {
		return in
	}
	known := 0
	for i := range list {
		e, ok := prior.State.Entry(list[i].Addr)
		if !ok {
			continue
		}
		known++
		if e.Protect != list[i].Protect {
			e.Protect = list[i].Protect
			in.changes.Entries = append(in.changes.Entries, e)
		}
		in.addDisplaced(prior, int32(i), e)
	}
	if known < prior.State.Len() {
		in.addUnlisted(prior)
	}
	slices.SortStableFunc(in.orphans, func(a, b orphan) int { return strings.Compare(b.recorded.Left.Path, a.recorded.Left.Path) })
	in.setInside()
	return in
}

// addDisplaced adds the previous place of a resource whose path was changed in the
// manifest without an entry in moved.
func (in *input) addDisplaced(prior Prior, i int32, e state.Entry) {
	spec := in.list[i].Spec
	if at, ok := spec.(placed); ok {
		if e.Left.Path != "" && e.Left.Path != at.Place() && !prior.DeclaredPaths[e.Left.Path] {
			in.addOrphan(prior, e, resources.Recorded{Key: facts.PathKey(e.Left.Path), PlaceOnly: true}, i)
		}
		return
	}
	if own := spec.Owns(); own != e.Key && e.Key.Kind == facts.KindPath && !prior.DeclaredPaths[e.Key.Name] {
		in.addOrphan(prior, e, resources.Recorded{Key: e.Key}, i)
	}
}

// addUnlisted handles the entries whose address no resource has.
func (in *input) addUnlisted(prior Prior) {
	listed := make(map[resources.Addr]bool, len(in.list))
	owner := make(map[facts.Key]int32, len(in.list))
	places := map[string]bool{} // of the environments in the manifest
	for i := range in.list {
		listed[in.list[i].Addr] = true
		owner[in.list[i].Spec.Owns()] = int32(i)
		if at, ok := in.list[i].Spec.(placed); ok {
			places[at.Place()] = true
		}
	}
	to := map[resources.Addr]resources.Addr{}
	for _, m := range prior.Moves {
		to[m.From] = m.To
	}
	for _, e := range prior.State.Sorted() {
		if listed[e.Addr] || prior.Declared[e.Addr] || in.move(prior, e, to[e.Addr]) {
			continue
		}
		i, owned := owner[e.Key]
		if !owned {
			generations := e.Key.Kind == facts.KindEnvironment && (places[e.Left.Path] || prior.DeclaredPaths[e.Left.Path])
			in.addOrphan(prior, e, resources.Recorded{Key: e.Key, GenerationsOnly: generations}, none)
			continue
		}
		in.changes.Forget = append(in.changes.Forget, e)
		to := in.list[i].Addr
		if _, known := prior.State.Entry(to); to.Kind == e.Addr.Kind && !known {
			e.Addr = to
			in.changes.Entries = append(in.changes.Entries, e)
		}
	}
}

// move wraps the resource that an entry moved to. It reports whether the entry needs
// nothing else: the generations of an environment must be pruned besides.
func (in *input) move(prior Prior, e state.Entry, to resources.Addr) bool {
	i := slices.IndexFunc(in.list, func(r resources.Resource) bool { return r.Addr == to })
	if i < 0 {
		return false
	}
	if _, known := prior.State.Entry(to); known {
		return false // the move was applied already, or the address is taken
	}
	mover, ok := in.list[i].Spec.(resources.Mover)
	if !ok || e.Left.Path == "" || e.Key == mover.Owns() || prior.refused(e) != "" {
		return false
	}
	if in.from == nil {
		in.from = map[int32]resources.Addr{}
		in.list = slices.Clone(in.list)
	}
	in.from[int32(i)] = e.Addr
	in.list[i].Spec = mover.MovedFrom(resources.Recorded{Addr: e.Addr, Key: e.Key, Left: e.Left, StateDir: prior.StateDir})
	return e.Key.Kind == facts.KindPath
}

func (prior Prior) refused(e state.Entry) string {
	if prior.Refused == nil {
		return ""
	}
	return prior.Refused(e)
}

// addOrphan adds an orphan if its kind can be removed. Tools and interpreters cannot:
// other environments and machines may use them.
func (in *input) addOrphan(prior Prior, e state.Entry, r resources.Recorded, now int32) {
	if prior.NewSpec == nil {
		return
	}
	remover, ok := prior.NewSpec(e.Addr.Kind).(resources.Remover)
	if !ok {
		return
	}
	r.Addr, r.Left, r.StateDir, r.Reason = e.Addr, e.Left, prior.StateDir, prior.Reason
	in.orphans = append(in.orphans, orphan{
		resource: resources.Resource{Addr: e.Addr, Protect: e.Protect, Spec: remover.Removal(r)}, entry: e, recorded: r, now: now,
	})
}

// setInside sets, for each orphaned directory, the orphans directly in it.
func (in *input) setInside() {
	inside := map[string][]string{}
	for i := range in.orphans {
		if r := &in.orphans[i].recorded; r.Left.Path != "" && !r.GenerationsOnly {
			dir := path.Dir(r.Left.Path)
			inside[dir] = append(inside[dir], r.Left.Path)
		}
	}
	for i := range in.orphans {
		o := &in.orphans[i]
		if remove, ok := o.resource.Spec.(*resources.RemovePath); ok && o.recorded.Left.Type == facts.Dir {
			remove.Inside = inside[o.recorded.Left.Path]
			slices.Sort(remove.Inside)
		}
	}
}
