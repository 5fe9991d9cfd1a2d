package generation

import (
	"fmt"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// maxDamage is the maximum number of damaged files that are listed.
const maxDamage = 20

// differences returns how the active generation differs from the desired one. Without
// an active one everything is new.
func (d *Desired) differences(current facts.Generation) ([]resources.Field, []resources.PackageChange) {
	fields := damage(current.Damage)
	if current.Python != d.Python {
		fields = append(fields, resources.Field{Path: "python", Actual: current.Python, Desired: d.Python})
	}
	if current.Base != d.Base {
		fields = append(fields, resources.Field{Path: "interpreter", Actual: current.Base, Desired: d.Base})
	}
	packages, rehashed := d.packages(current)
	fields = append(fields, rehashed...)
	conda, rebuilt := d.condaPackages(current)
	packages, fields = append(conda, packages...), append(fields, rebuilt...)
	if current.Name != "" && current.Digest != d.Digest && len(fields) == 0 && len(packages) == 0 {
		fields = append(fields, resources.Field{Path: "prompt, smoke test or variables", Actual: "as in generation " + current.Name, Desired: "as in the manifest"})
	}
	return fields, packages
}

// damage lists the files that differ from their installed state. A moved generation is
// listed once.
func damage(list []facts.Damage) []resources.Field {
	fields := make([]resources.Field, 0, min(len(list), maxDamage)+1)
	more, moved := 0, false
	for _, d := range list {
		switch {
		case d.What == "moved" && moved:
		case len(fields) == maxDamage:
			more++
		default:
			moved = moved || d.What == "moved"
			fields = append(fields, resources.Field{Path: d.Subject(), Actual: d.Description(), Desired: resources.Intact})
		}
	}
	if more > 0 {
		fields = append(fields, resources.Field{Path: "damage", Actual: fmt.Sprintf("and %d more", more), Desired: resources.Intact})
	}
	return fields
}

// packages compares Python packages by name. It returns those that are added, removed or
// change version, and, as fields, those with other hashes or another origin.
func (d *Desired) packages(current facts.Generation) ([]resources.PackageChange, []resources.Field) {
	desired := map[string]lock.Dist{}
	for _, dist := range d.Closure {
		desired[dist.Name] = dist
	}
	var changes []resources.PackageChange
	var fields []resources.Field
	seen := map[string]bool{}
	for _, p := range current.Packages {
		dist, ok := desired[p.Name]
		seen[p.Name] = true
		switch {
		case !ok || dist.Version != p.Version:
			changes = append(changes, resources.PackageChange{Name: p.Name, Actual: p.Version, Desired: dist.Version, Source: buildSource(dist), Requested: d.Requests[dist.Name]})
		case p.Origin != origin(dist):
			fields = append(fields, resources.Field{Path: "packages." + p.Name, Actual: withOrigin(p.Version, p.Origin), Desired: withOrigin(dist.Version, origin(dist))})
		case p.Entry != dist.Entry():
			fields = append(fields, resources.Field{Path: "packages." + p.Name + ".lock", Actual: p.Entry, Desired: dist.Entry()})
		case p.Build != d.Builds[p.Name]:
			fields = append(fields, resources.Field{Path: "packages." + p.Name + ".build", Actual: p.Build.String()[:12], Desired: d.Builds[p.Name].String()[:12]})
		}
	}
	for _, dist := range d.Closure {
		if !seen[dist.Name] {
			changes = append(changes, resources.PackageChange{Name: dist.Name, Desired: dist.Version, Source: buildSource(dist), Requested: d.Requests[dist.Name]})
		}
	}
	slices.SortStableFunc(changes, func(a, b resources.PackageChange) int { return strings.Compare(a.Name, b.Name) })
	slices.SortStableFunc(fields, func(a, b resources.Field) int { return strings.Compare(a.Path, b.Path) })
	return changes, fields
}

// withOrigin returns "1.0" or "1.0 (editable)".
func withOrigin(version, origin string) string {
	if origin == "" {
		return version
	}
	return version + " (" + origin + ")"
}

// condaPackages is like packages for conda packages. Another build of the same version,
// and another digest of the same build, are fields.
func (d *Desired) condaPackages(current facts.Generation) ([]resources.PackageChange, []resources.Field) {
	actual := map[string]facts.CondaPackage{}
	for _, p := range current.Conda {
		actual[p.Name] = p
	}
	var changes []resources.PackageChange
	var fields []resources.Field
	for _, p := range d.Conda {
		was, ok := actual[p.Name]
		delete(actual, p.Name)
		switch {
		case !ok || was.Version != p.Version:
			changes = append(changes, resources.PackageChange{Name: p.Name, Conda: true, Actual: was.Version, Desired: p.Version})
		case was.Build != p.Build:
			fields = append(fields, resources.Field{Path: "conda." + p.Name + ".build", Actual: was.Build, Desired: p.Build})
		case was.SHA256 != p.SHA256:
			fields = append(fields, resources.Field{Path: "conda." + p.Name + ".sha256", Actual: was.SHA256.String(), Desired: p.SHA256.String()})
		}
	}
	for _, p := range actual {
		changes = append(changes, resources.PackageChange{Name: p.Name, Conda: true, Actual: p.Version})
	}
	slices.SortFunc(changes, func(a, b resources.PackageChange) int { return strings.Compare(a.Name, b.Name) })
	return changes, fields
}
