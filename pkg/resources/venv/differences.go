package venv

import (
	"fmt"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/pkg/facts"
	"github.com/reconcile-ml/reconcile/pkg/lock"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// mostDamage is how many damaged things are listed one by one.
const mostDamage = 20

// differences says how the visible generation differs from what is asked for;
// everything is new where there is none.
func (s *Spec) differences(w wanted, current facts.Generation) ([]resources.Field, []resources.PackageChange) {
	fields := damage(current.Damage)
	if current.Python != w.base.Version {
		fields = append(fields, resources.Field{Path: "python", Actual: current.Python, Desired: w.base.Version})
	}
	if current.Base != w.base.Path {
		fields = append(fields, resources.Field{Path: "interpreter", Actual: current.Base, Desired: w.base.Path})
	}
	packages, rehashed := s.packages(current)
	fields = append(fields, rehashed...)
	if current.Name != "" && current.Digest != w.digest && len(fields) == 0 && len(packages) == 0 {
		fields = append(fields, resources.Field{Path: "prompt or proof", Actual: "as generation " + current.Name + " was proved", Desired: "as the manifest says"})
	}
	return fields, packages
}

// damage lists what is no longer as it was installed. A generation that was moved
// says so once, however many of its files show it.
func damage(list []facts.Damage) []resources.Field {
	fields := make([]resources.Field, 0, min(len(list), mostDamage)+1)
	more, moved := 0, false
	for _, d := range list {
		switch {
		case d.What == "moved" && moved:
		case len(fields) == mostDamage:
			more++
		default:
			moved = moved || d.What == "moved"
			fields = append(fields, resources.Field{Path: d.Thing(), Actual: d.Words(), Desired: resources.Intact})
		}
	}
	if more > 0 {
		fields = append(fields, resources.Field{Path: "damage", Actual: fmt.Sprintf("and %d more", more), Desired: resources.Intact})
	}
	return fields
}

// packages compares by name: what comes, goes or changes version, and, as
// fields, what is locked with other hashes or came from elsewhere.
func (s *Spec) packages(current facts.Generation) ([]resources.PackageChange, []resources.Field) {
	desired := map[string]lock.Dist{}
	for _, d := range s.Closure {
		desired[d.Name] = d
	}
	var changes []resources.PackageChange
	var fields []resources.Field
	seen := map[string]bool{}
	for _, p := range current.Packages {
		d, ok := desired[p.Name]
		seen[p.Name] = true
		switch {
		case !ok || d.Version != p.Version:
			changes = append(changes, resources.PackageChange{Name: p.Name, Actual: p.Version, Desired: d.Version})
		case p.Origin != "":
			fields = append(fields, resources.Field{Path: "packages." + p.Name, Actual: p.Version + " (" + p.Origin + ")", Desired: d.Version})
		case p.Entry != d.Entry():
			fields = append(fields, resources.Field{Path: "packages." + p.Name + ".lock", Actual: p.Entry, Desired: d.Entry()})
		}
	}
	for _, d := range s.Closure {
		if !seen[d.Name] {
			changes = append(changes, resources.PackageChange{Name: d.Name, Desired: d.Version})
		}
	}
	slices.SortStableFunc(changes, func(a, b resources.PackageChange) int { return strings.Compare(a.Name, b.Name) })
	slices.SortStableFunc(fields, func(a, b resources.Field) int { return strings.Compare(a.Path, b.Path) })
	return changes, fields
}
