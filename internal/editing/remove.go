package editing

import (
	"fmt"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/pep"
	"github.com/reconcile-ml/reconcile/internal/wheels"
)

// Remove returns a Draft that removes packages from the requests. Those that other packages
// need remain locked.
func (e *Environment) Remove(names []string) (*Draft, error) {
	if err := e.checkLock("remove", names); err != nil {
		return nil, err
	}
	d := e.draft()
	var problems diag.List
	for _, name := range names {
		if !pep.ValidName(name) {
			problems.Add(&diag.Problem{Code: "edit.request", Summary: fmt.Sprintf("%q is not the name of a package", name), Hint: "give the name without version and extras"})
			continue
		}
		at := e.find(name)
		if len(at) == 0 {
			problems.Add(e.absent(name))
		}
		for _, i := range at {
			if !slices.ContainsFunc(d.ops, func(o op) bool { return o.at == i }) {
				d.ops = append(d.ops, op{at: i, removed: true, request: e.Packages[i]})
			}
		}
	}
	d.update()
	return d, problems.Err()
}

// NoteRemoved adds notes about removed packages that l still has, and about imports of the
// smoke test that fail without them. store is the store of this machine, which has the files
// of the wheels that were installed before.
func (d *Draft) NoteRemoved(l *lock.Lock, store string) {
	kept := map[string]bool{}
	for _, p := range l.Packages {
		kept[p.Name] = true
	}
	for _, o := range d.ops {
		name := pep.Normalize(o.request.Name)
		if !o.removed || !kept[name] {
			continue
		}
		note := o.request.Name + " stays locked, because another package needs it"
		if by := dependents(l, name); len(by) > 0 {
			note = fmt.Sprintf("%s stays locked, because %s %s it", o.request.Name, strings.Join(by, ", "), needs(by))
		}
		d.Notes = append(d.Notes, note)
	}
	if d.of.locked == nil {
		return
	}
	for _, module := range d.of.SmokeTest.Imports {
		top, _, _ := strings.Cut(module, ".")
		var provider string
		for _, p := range d.of.locked.Packages {
			if slices.Contains(modules(p, store), top) {
				if provider = p.Name; kept[p.Name] {
					break // another package provides it
				}
			}
		}
		if provider != "" && !kept[provider] {
			d.Notes = append(d.Notes, fmt.Sprintf("smoke_test imports %s, which %s provides: remove it from the imports of environment %s too, or apply fails", module, provider, d.Env.Name))
		}
	}
}

// modules returns the top-level modules of a package: those of its unpacked wheel or, if the
// store does not have it, the one with its name.
func modules(p lock.Package, store string) (names []string) {
	for _, w := range p.Wheels {
		entry, err := wheels.Open(layout.Dist(store, w.SHA256.String()))
		if err != nil {
			continue
		}
		for _, f := range entry.Files {
			top, rest, _ := strings.Cut(f.Path, "/")
			if rest == "" {
				top, _, _ = strings.Cut(top, ".")
			}
			if !strings.Contains(top, ".") && !slices.Contains(names, top) {
				names = append(names, top)
			}
		}
	}
	if names == nil {
		names = []string{strings.ReplaceAll(p.Name, "-", "_")}
	}
	return names
}
