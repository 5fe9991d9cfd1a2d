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

// Before is what earlier applies remember of this machine, as plain values. The
// zero value remembers nothing, so that nothing is pruned and nothing is moved.
type Prior struct {
	State *state.State // nil for none
	// Part is the part of .reconcile that belongs to this machine.
	StateDir string
	// Claimed are the addresses, beside those of the resources, that the manifest can
	// ask for on this machine: those of environments and places that are not selected
	// today. Places are the paths of the same. Neither is ever pruned.
	Declared      map[resources.Addr]bool
	DeclaredPaths map[string]bool
	Moves         []Move
	// Reason says why what nothing asks for is to go; "" for that it left the manifest.
	Reason string
	// New returns an empty body of a kind, nil for one that is not known.
	NewSpec func(kind string) resources.Spec
	// Selection is the part of the resources that is planned; the zero value is all.
	Selection Selection
}

// A Move says that a resource has a new address and is to be kept.
type Move struct {
	From, To resources.Addr
	Pos      diag.Pos
}

// A placed Spec can be seen at a path that is not its key.
type placed interface{ Place() string }

// Keys returns every key that planning may look at: those of the resources, and
// those of what is left of earlier ones.
func (b Prior) Keys(list []resources.Resource) []facts.Key {
	pre := b.prepare(list)
	all := pre.list
	for i := range pre.orphans {
		all = append(all, pre.orphans[i].resource)
	}
	return Keys(all)
}

// Make compares the resources with the facts, and with what is remembered. See the
// function Make.
func (b Prior) Make(list []resources.Resource, f *facts.Facts) (*Plan, error) {
	pre := b.prepare(list)
	p := &planning{list: pre.list, facts: f, predicted: &facts.Facts{}, before: b, from: pre.from}
	p.plan.StateChanges = pre.memory
	if err := p.make(pre); err != nil {
		return nil, err
	}
	p.prune(pre.orphans)
	p.leaveOut(pre)
	p.describe()
	return &p.plan, nil
}

// Only compares the resources with the facts, and looks at the memory for the cause
// of a change alone: nothing is pruned or moved.
func (b Prior) MakeWithoutPrune(list []resources.Resource, f *facts.Facts) (*Plan, error) {
	p := &planning{list: list, facts: f, predicted: &facts.Facts{}, before: b}
	if err := p.make(&prepared{list: list}); err != nil {
		return nil, err
	}
	p.describe()
	return &p.plan, nil
}

// prepared is what the memory adds to a list of resources.
type prepared struct {
	list    []resources.Resource // those that moved see where they were
	from    map[int32]resources.Addr
	orphans []orphan // inner paths before outer ones
	memory  StateChanges
}

// An orphan is what is remembered of a thing that the manifest no longer asks for.
type orphan struct {
	resource resources.Resource
	entry    state.Entry
	was      resources.Recorded
	now      int32 // the resource that has its address today, or none
}

// prepare finds what is remembered and no longer asked for. Where that is nothing,
// which is the rule, it costs one look at each resource.
func (b Prior) prepare(list []resources.Resource) *prepared {
	pre := &prepared{list: list}
	if b.State == nil || b.State.Len() == 0 {
		return pre
	}
	known := 0
	for i := range list {
		e, ok := b.State.Entry(list[i].Addr)
		if !ok {
			continue
		}
		known++
		if e.Protect != list[i].Protect {
			e.Protect = list[i].Protect
			pre.memory.Entries = append(pre.memory.Entries, e)
		}
		pre.displaced(b, int32(i), e)
	}
	if known < b.State.Len() {
		pre.strangers(b)
	}
	slices.SortStableFunc(pre.orphans, func(a, b orphan) int { return -strings.Compare(a.was.Left.Path, b.was.Left.Path) })
	pre.inside()
	return pre
}

// displaced finds what a resource was at another place: the manifest moved it by
// its path, not by an entry of moved.
func (pre *prepared) displaced(b Prior, i int32, e state.Entry) {
	spec := pre.list[i].Spec
	if at, ok := spec.(placed); ok {
		if e.Left.Path != "" && e.Left.Path != at.Place() && !b.DeclaredPaths[e.Left.Path] {
			pre.add(b, e, resources.Recorded{Key: facts.PathKey(e.Left.Path), PlaceOnly: true}, i)
		}
		return
	}
	if own := spec.Owns(); own != e.Key && e.Key.Kind == facts.KindPath && !b.DeclaredPaths[e.Key.Name] {
		pre.add(b, e, resources.Recorded{Key: e.Key}, i)
	}
}

// strangers finds the entries whose address no resource has.
func (pre *prepared) strangers(b Prior) {
	asked := make(map[resources.Addr]bool, len(pre.list))
	owner := make(map[facts.Key]int32, len(pre.list))
	seen := map[string]bool{} // places where environments of the manifest can be seen
	for i := range pre.list {
		asked[pre.list[i].Addr] = true
		owner[pre.list[i].Spec.Owns()] = int32(i)
		if at, ok := pre.list[i].Spec.(placed); ok {
			seen[at.Place()] = true
		}
	}
	to := map[resources.Addr]Move{}
	for _, m := range b.Moves {
		to[m.From] = m
	}
	for _, e := range b.State.Sorted() {
		if asked[e.Addr] || b.Declared[e.Addr] {
			continue
		}
		moved := pre.moved(b, e, to[e.Addr].To)
		i, owned := owner[e.Key]
		switch {
		case moved:
		case owned && pre.list[i].Addr.Kind == e.Addr.Kind:
			if _, known := b.State.Entry(pre.list[i].Addr); !known {
				pre.readdress(e, pre.list[i].Addr)
				continue
			}
			pre.memory.Forget = append(pre.memory.Forget, e)
		case owned: // another kind asks for it, and finds it in its way or takes it over
			pre.memory.Forget = append(pre.memory.Forget, e)
		default:
			w := resources.Recorded{Key: e.Key, GenerationsOnly: e.Key.Kind == facts.KindEnvironment && (seen[e.Left.Path] || b.DeclaredPaths[e.Left.Path])}
			pre.add(b, e, w, none)
		}
	}
}

// readdress gives the memory of a thing to the address that it has now.
func (pre *prepared) readdress(e state.Entry, to resources.Addr) {
	pre.memory.Forget = append(pre.memory.Forget, e)
	e.Addr = to
	pre.memory.Entries = append(pre.memory.Entries, e)
}

// moved wraps the resource that an entry moved to. It reports whether that takes
// care of the entry: what is left of an environment has to be pruned beside that.
func (pre *prepared) moved(b Prior, e state.Entry, to resources.Addr) bool {
	i := slices.IndexFunc(pre.list, func(r resources.Resource) bool { return r.Addr == to })
	if i < 0 {
		return false
	}
	if _, known := b.State.Entry(to); known {
		return false // it was carried out, or has been overtaken
	}
	mover, ok := pre.list[i].Spec.(resources.Mover)
	if !ok || e.Left.Path == "" || e.Key == mover.Owns() {
		return false
	}
	if pre.from == nil {
		pre.from = map[int32]resources.Addr{}
		pre.list = slices.Clone(pre.list)
	}
	pre.from[int32(i)] = e.Addr
	pre.list[i].Spec = mover.MovedFrom(resources.Recorded{Addr: e.Addr, Key: e.Key, Left: e.Left, StateDir: b.StateDir})
	return e.Key.Kind == facts.KindPath
}

// add makes a resource that wants a thing gone.
func (pre *prepared) add(b Prior, e state.Entry, w resources.Recorded, now int32) {
	remover, ok := b.body(e.Addr.Kind).(resources.Remover)
	if !ok {
		return // tools and interpreters, which other environments and machines may use
	}
	w.Addr, w.Left, w.StateDir, w.Reason = e.Addr, e.Left, b.StateDir, b.Reason
	pre.orphans = append(pre.orphans, orphan{
		resource: resources.Resource{Addr: e.Addr, Protect: e.Protect, Spec: remover.Removal(w)}, entry: e, was: w, now: now,
	})
}

func (b Prior) body(kind string) resources.Spec {
	if b.NewSpec == nil {
		return nil
	}
	return b.NewSpec(kind)
}

// inside tells each directory which of the paths in it are looked at before it.
func (pre *prepared) inside() {
	in := map[string][]string{}
	for i := range pre.orphans {
		if at := pre.orphans[i].was.Left.Path; at != "" && !pre.orphans[i].was.GenerationsOnly {
			in[path.Dir(at)] = append(in[path.Dir(at)], at)
		}
	}
	for i := range pre.orphans {
		o := &pre.orphans[i]
		if remove, ok := o.resource.Spec.(*resources.RemovePath); ok && o.was.Left.Type == facts.Dir {
			remove.Inside = in[o.was.Left.Path]
			slices.Sort(remove.Inside)
		}
	}
}
