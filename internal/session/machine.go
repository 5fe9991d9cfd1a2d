package session

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/internal/state"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/probes"
	"github.com/reconcile-ml/reconcile/pkg/resources"
	"github.com/reconcile-ml/reconcile/pkg/resources/all"
)

// A Machine is a target with everything that its plan depends on.
type Machine struct {
	*Target
	Resources []resources.Resource // desired by the manifest
	Facts     *facts.Facts
	Prior     planner.Prior // what earlier applies recorded; the zero value for a recorded machine
	StateErr  error         // why the state could not be read; nil if it was, and for a recorded machine

	guard  func() (guard, error)
	places map[string]layout.ActiveEnv // of environments, those with a previous name too
	prober *probes.Prober              // nil where the facts come from a file
	damage *damageList
	absent []facts.Key // what a recorded machine is assumed not to have
}

// Observe probes everything that the manifest asks for. known is damage that was found
// before by comparing hashes, which a probe does not do.
func (t *Target) Observe(ctx context.Context, known ...Damage) (*Machine, error) {
	m := &Machine{Target: t, places: t.Manifest.EnvironmentPaths(), damage: &damageList{list: known}}
	m.guard = sync.OnceValues(func() (guard, error) {
		local, err := m.Local()
		return m.Config.guard(m.Root, local.Store), err
	})
	var err error
	if t.IsRecorded() {
		m.Facts, m.Prior.Models = t.Base, t.Manifest.ModelsPath(t.Selection, t.Env)
		if m.Resources, err = t.Resources(); err == nil {
			m.assumeAbsent()
		}
		return m, err
	}
	// The facts of environments take longest: they are probed while the locks are read.
	var compiling, reading sync.WaitGroup
	reading.Go(m.readState)
	compiling.Go(func() { m.Resources, err = t.Resources() })
	reading.Wait()
	m.Prior.Models = t.Manifest.ModelsPath(t.Selection, t.Env)
	m.resolveMoves()
	m.prober = t.proberAt(m.places)
	early := &facts.Facts{}
	early.Merge(t.Base)
	early.Merge(m.Probe(ctx, environmentKeys(t.Envs)))
	compiling.Wait()
	if err != nil {
		return nil, err
	}
	m.Facts = m.Probe(ctx, Without(append(m.Prior.Keys(m.Resources), m.placeKeys()...), early))
	m.Facts.Merge(early) // not the many into the few, which would copy them
	return m, nil
}

// placeKeys returns the file systems to which a plan is compared.
func (m *Machine) placeKeys() []facts.Key {
	local, err := m.Local()
	if err != nil {
		return nil // every plan fails then
	}
	return planner.PlaceKeys(local, m.Prior.Models)
}

// environmentKeys returns the slowest facts of those that environments read, once each.
func environmentKeys(envs []*manifest.Environment) []facts.Key {
	var keys []facts.Key
	add := func(k facts.Key) {
		if !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	for _, env := range envs {
		add(facts.EnvironmentKey(env.Name))
		add(facts.PythonKey(env.Python))
		if env.RequiresGPU() {
			add(facts.NvidiaKey)
		}
	}
	return keys
}

// readState reads what earlier applies recorded. If it cannot be read, nothing is pruned or
// moved, the plan reports that, and Lock fails.
func (m *Machine) readState() {
	local, err := m.Local()
	if err != nil {
		return
	}
	m.Prior = planner.Prior{StateDir: local.State, NewSpec: newSpec, Refused: m.RefusedEntry}
	m.Prior.State, m.StateErr = state.Read(m.Path(layout.Journal(local.State)))
}

// newSpec returns an empty Spec of a kind, nil for an unknown one.
func newSpec(kind string) resources.Spec {
	if k, ok := all.Find(kind); ok {
		return k.New()
	}
	return nil
}

// resolveMoves adds what the manifest declares and moves to Prior, and the paths of
// environments under their previous names to places.
func (m *Machine) resolveMoves() {
	if m.Prior.State == nil || m.Prior.State.Len() == 0 {
		return
	}
	claims := m.Manifest.Claims()
	m.Prior.Declared, m.Prior.DeclaredPaths = claims.Addrs, claims.Paths
	for _, moved := range m.Manifest.Moved {
		m.Prior.Moves = append(m.Prior.Moves, planner.Move{From: moved.From, To: moved.To, Pos: moved.Pos})
		if e, ok := m.Prior.State.Entry(moved.From); ok && e.Key.Kind == facts.KindEnvironment {
			m.addPreviousName(e, moved.To)
		}
	}
}

// addPreviousName makes probes find a moved environment under its previous name, unless
// the manifest uses that name for another one.
func (m *Machine) addPreviousName(e state.Entry, to resources.Addr) {
	if _, taken := m.places[e.Addr.Name]; taken {
		return
	}
	m.places[e.Addr.Name] = layout.ActiveEnv{Path: e.Left.Path, Type: e.Addr.Kind}
	if now, ok := m.places[to.Name]; ok {
		now.PreviousName = e.Addr.Name
		m.places[to.Name] = now
	}
}

// Probe probes the keys on this machine now, and adds the known damage.
func (m *Machine) Probe(ctx context.Context, keys []facts.Key) *facts.Facts {
	f := probe(ctx, m.prober, m.Base, keys)
	if !m.IsRecorded() {
		m.damage.addTo(f)
	}
	return f
}

// maxText is how many bytes of a file a difference shows at most.
const maxText = 1 << 20

// ReadText returns a function that reads a file of the project as text, for differences;
// nil for a recorded machine.
func (m *Machine) ReadText() func(path string) (string, error) {
	if m.IsRecorded() {
		return nil
	}
	return func(path string) (string, error) { return m.prober.ReadText(path, maxText) }
}

// Resource returns the resource with an address, nil for none.
func (m *Machine) Resource(addr resources.Addr) *resources.Resource {
	for i := range m.Resources {
		if m.Resources[i].Addr == addr {
			return &m.Resources[i]
		}
	}
	return nil
}

// Entry returns the recorded state of a resource.
func (m *Machine) Entry(addr resources.Addr) (state.Entry, bool) {
	if m.Prior.State == nil {
		return state.Entry{}, false
	}
	return m.Prior.State.Entry(addr)
}

// OnlyEnvironment returns the machine as if the manifest asked for its environment alone,
// with the interpreter and the tools that it needs. Nothing is pruned or moved, since the
// other resources have not left the manifest.
func (m *Machine) OnlyEnvironment() *Machine {
	only := *m
	only.Resources = slices.DeleteFunc(slices.Clone(m.Resources), func(r resources.Resource) bool {
		a := r.Addr
		return a.Kind != "python" && a.Kind != "tool" && !(m.Env != nil && a.Kind == m.Env.Type && a.Name == m.Env.Name)
	})
	if m.Prior.State != nil {
		only.Prior.Declared, only.Prior.Moves = map[resources.Addr]bool{}, nil
		maps.Copy(only.Prior.Declared, m.Prior.Declared)
		for addr := range m.Prior.State.Entries() {
			only.Prior.Declared[addr] = true
		}
	}
	return &only
}

// ObserveTools probes the interpreter and the tools with which an environment is locked,
// as if the manifest asked for nothing else.
func (p *Project) ObserveTools(ctx context.Context, env *manifest.Environment) *Machine {
	m := &Machine{
		Target:    &Target{Project: p, Env: env, Envs: []*manifest.Environment{env}, prober: p.prober},
		Resources: p.Manifest.LockTools(env), Facts: &facts.Facts{}, damage: &damageList{},
		places: p.Manifest.EnvironmentPaths(), prober: p.prober,
	}
	m.Facts.Merge(p.Base)
	m.Facts.Merge(m.Probe(ctx, Without(append(planner.Keys(m.Resources), m.placeKeys()...), p.Base)))
	return m
}

// Refresh observes the machine again, with the damage that was found.
func (m *Machine) Refresh(ctx context.Context) (*Machine, error) {
	return m.Target.Observe(ctx, m.damage.list...)
}

// AdoptedEntry returns the entry of a resource that is adopted although it differs from the
// manifest: prune never removes it, and the manifest's request stays pending.
func (m *Machine) AdoptedEntry(r *resources.Resource) state.Entry {
	return state.Entry{
		Addr: r.Addr, Key: r.Spec.Owns(), Ownership: state.Adopted, Left: resources.LeftAt(m.Facts, r.Spec.Owns()), Protect: r.Protect,
	}
}
