package session

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/pybuild"
	"github.com/reconcile-ml/reconcile/internal/pyenv"
	"github.com/reconcile-ml/reconcile/internal/wheels"
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
		local, err := m.Local()
		if err != nil {
			return false, err
		}
		dir := m.Path(s.Target)
		v, err := VerifyGeneration(ctx, local.Store, dir, m.damage.isDeep())
		if err != nil {
			return false, err
		}
		if len(v.Damage) > 0 {
			found := Damage{Environment: s.Environment, Generation: filepath.Base(dir), Found: v.Damage}
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

// A Verification is the result of VerifyGeneration.
type Verification struct {
	Damage []facts.Damage
	// RecordOnly are the distributions that were compared with their RECORD alone, because the
	// store no longer has an intact description of their wheels: "six 1.16.0".
	RecordOnly []string
	// Wheels are the damaged wheels in the store: with deep all of the generation, else those
	// of damaged files.
	Wheels []DamagedWheel
	// Python is the damaged interpreter in the store that the generation was created from; nil
	// for an intact one, for one of the machine, and without deep.
	Python *DamagedPython
}

// A DamagedPython is a Python in the store that differs from its archive.
type DamagedPython struct {
	Dir   string   `json:"dir"`   // absolute
	Files []string `json:"files"` // relative to it
}

// A DamagedWheel is an unpacked wheel in the store that differs from the wheel.
type DamagedWheel struct {
	Name    string       `json:"name"`
	Version string       `json:"version"`
	SHA256  facts.SHA256 `json:"sha256"` // of the wheel
	Files   []string     `json:"files"`  // in the wheel
	// Bytecode are the sources in the wheel whose bytecode in the store is damaged.
	Bytecode []string `json:"bytecode,omitempty"`
	entry    string   // name of the entry in the store
}

// VerifyGeneration returns the damage of the generation at dir, an absolute path. It
// compares every file with the wheel in the store that it is from, as it was when the hash
// of the wheel was checked, and files of other wheels with RECORD: size, modification time,
// and, with deep, hash. With deep it also compares the bytecode that the build wrote. A
// generation that is not active is verified in full too: generations share files, so that a
// file edited in place in the active one is edited in the others.
func VerifyGeneration(ctx context.Context, store, dir string, deep bool) (*Verification, error) {
	seal, err := pyenv.ReadSeal(dir)
	if err != nil {
		return nil, err
	}
	v := &Verification{}
	if deep {
		if v.Python, err = VerifyPython(ctx, store, seal.Base); err != nil {
			return nil, err
		}
	}
	entries, err := v.open(store, seal.Packages)
	if err != nil {
		return nil, err
	}
	var expected pyenv.Expected
	_, minor, err := pyenv.SitePackages(dir)
	if err != nil && !pyenv.NoLibrary(err) {
		return nil, err
	}
	if err == nil {
		if expected, err = wheels.Expected(dir, filepath.Join(dir, "bin", "python"), minor, entries); err != nil {
			return nil, err
		}
	}
	hashed, damage, err := pyenv.Verify(ctx, dir, seal, expected, deep, nil)
	if err != nil {
		return nil, err
	}
	v.Damage = append(v.Damage, damage...)
	if deep {
		if damage, err = pyenv.VerifyBytecode(ctx, dir, seal, hashed); err != nil {
			return nil, err
		}
		v.Damage = append(v.Damage, damage...)
	}
	for _, e := range entries {
		ofDist := func(d facts.Damage) bool { return d.Dist == e.Name }
		var files, bytecode []string
		switch {
		case deep:
			if files, err = e.Verify(ctx, hashed); err == nil {
				bytecode, err = e.VerifyBytecode(ctx, hashed)
			}
		case slices.ContainsFunc(damage, ofDist):
			files, err = e.Changed()
		}
		if err != nil {
			return nil, err
		}
		if len(files)+len(bytecode) > 0 {
			v.Wheels = append(v.Wheels, DamagedWheel{e.Name, e.Version, e.SHA256, append([]string{}, files...), bytecode, filepath.Base(e.Dir)})
		}
	}
	return v, nil
}

// VerifyPython compares every file of the interpreter at base with its archive, if it is in the
// store. It returns nil for an intact one, and for one of the machine.
func VerifyPython(ctx context.Context, store, base string) (*DamagedPython, error) {
	dir := filepath.Dir(filepath.Dir(base))
	if base == "" || !strings.HasPrefix(dir, layout.Tools(store, "")+"/") {
		return nil, nil
	}
	b, err := pybuild.Open(dir)
	if errors.Is(err, pybuild.ErrNoSeal) {
		return &DamagedPython{dir, []string{pybuild.SealName}}, nil
	}
	if err != nil {
		return nil, err
	}
	changed, err := b.Verify(ctx)
	if err != nil || len(changed) == 0 {
		return nil, err
	}
	return &DamagedPython{dir, changed}, nil
}

// open opens the wheels of packages in the store. A seal that names another wheel than the
// lock did is damage.
func (v *Verification) open(store string, packages []facts.Package) ([]*wheels.Entry, error) {
	var entries []*wheels.Entry
	for _, p := range packages {
		if p.Origin != "" && p.Build.IsZero() {
			continue
		}
		locked := lock.Dist{Name: p.Name, Version: p.Version, Wheels: []lock.Wheel{{SHA256: p.Wheel}}}
		if !p.Wheel.IsZero() && p.Build.IsZero() && p.Entry != "" && locked.Entry() != p.Entry {
			v.Damage = append(v.Damage, facts.Damage{What: "seal", Path: layout.Seal(""), Dist: p.Name})
		}
		e, err := wheels.Open(layout.Dist(store, cmp.Or(p.Build, p.Wheel).String()))
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, wheels.ErrDamaged):
		case err != nil:
			return nil, err
		case e.SHA256 == p.Wheel && e.Name == p.Name:
			entries = append(entries, e)
			continue
		}
		v.RecordOnly = append(v.RecordOnly, p.Name+" "+p.Version)
	}
	return entries, nil
}

// Discard removes the damaged wheels from the store, or only the damaged bytecode of intact
// ones, and the list of the files of a damaged interpreter, so that the next apply fetches or
// compiles them. Environments keep their files.
func (v *Verification) Discard(store string) error {
	var errs []error
	for _, w := range v.Wheels {
		remove := wheels.Remove
		if len(w.Files) == 0 {
			remove = wheels.RemoveBytecode
		}
		errs = append(errs, remove(layout.Dist(store, w.entry)))
	}
	if v.Python != nil {
		errs = append(errs, pybuild.Forget(v.Python.Dir))
	}
	return errors.Join(errs...)
}
