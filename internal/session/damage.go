package session

import (
	"context"
	"path/filepath"
	"slices"
	"sync"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/pyenv"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Damage is the result of a verification of a generation. Probes do not find all of it,
// since they compare no hashes.
type Damage struct {
	Environment, Generation string
	Found                   []facts.Damage
	Deep                    bool // hashes were compared; Plan then compares those of other generations too
}

// A damageList collects the damage that is found during a run. add and addTo are safe for
// concurrent use.
type damageList struct {
	mu   sync.Mutex
	list []Damage
}

func (l *damageList) add(d Damage) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, d)
}

func (l *damageList) isDeep() bool {
	return slices.ContainsFunc(l.list, func(d Damage) bool { return d.Deep })
}

func (l *damageList) addTo(f *facts.Facts) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.list {
		l.list[i].addTo(f)
	}
}

func (d *Damage) addTo(f *facts.Facts) {
	e, ok := facts.Find[facts.Environment](f, facts.EnvironmentKey(d.Environment))
	if !ok {
		return
	}
	e.Generations = slices.Clone(e.Generations)
	for i := range e.Generations {
		if e.Generations[i].Name == d.Generation {
			e.Generations[i].Damage = d.Found
		}
	}
	f.Set(e)
}

// verifyActivated verifies the generations that a plan would make active without building
// them, and reports whether one is damaged: its damage is then among the facts, and another
// plan is needed. A probe does not verify them, since few plans activate one.
func (m *Machine) verifyActivated(ctx context.Context, plan *planner.Plan) (damaged bool, err error) {
	for i := range plan.Items {
		s, ok := activates(&plan.Items[i].Change)
		if !ok {
			continue
		}
		dir := m.Path(s.Target)
		damage, err := VerifyGeneration(ctx, dir, m.damage.isDeep())
		if err != nil {
			return false, err
		}
		if len(damage) > 0 {
			found := Damage{Environment: s.Environment, Generation: filepath.Base(dir), Found: damage}
			m.damage.add(found)
			found.addTo(m.Facts)
			damaged = true
		}
	}
	return damaged, nil
}

// activates returns the switch of a change that activates a generation without building
// it, and whether the change is one.
func activates(c *resources.Change) (resources.Switch, bool) {
	for _, s := range c.Steps {
		if _, builds := s.(resources.Seal); builds {
			return resources.Switch{}, false
		}
	}
	for _, s := range c.Steps {
		if s, ok := s.(resources.Switch); ok {
			return s, true
		}
	}
	return resources.Switch{}, false
}

// VerifyGeneration returns the damage of the generation at dir, an absolute path. It
// compares the size of every file and, with deep, every hash. A generation that is not
// active is verified in full too: generations share files, so that a file edited in place
// in the active one is edited in the others.
func VerifyGeneration(ctx context.Context, dir string, deep bool) ([]facts.Damage, error) {
	seal, err := pyenv.ReadSeal(dir)
	if err != nil {
		return nil, err
	}
	return pyenv.Verify(ctx, dir, seal, deep, nil)
}
