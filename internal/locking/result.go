package locking

import (
	"fmt"
	"maps"
	"slices"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/internal/plural"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// A Document is the outcome of locking. Its JSON form is the output of the command.
type Document struct {
	Version  int             `json:"version"`
	Locks    []*Result       `json:"locks"`
	Problems []*diag.Problem `json:"problems,omitempty"` // of environments that could not be locked, and warnings
}

// A Result is the lock of one environment.
type Result struct {
	Environment string                    `json:"environment"`
	Path        string                    `json:"path"`
	Changed     bool                      `json:"changed"`           // it was written
	Foreign     bool                      `json:"foreign,omitempty"` // it is the lock of another tool, which is read as it is
	Packages    int                       `json:"packages"`
	Conda       int                       `json:"conda,omitempty"`   // conda packages of one platform
	Changes     []resources.PackageChange `json:"changes,omitempty"` // from the previous lock; none without one
	Platforms   []Size                    `json:"platforms"`
	// Notes are on builds of torch that do not fit the environment, if the lock was written.
	Notes []string `json:"notes,omitempty"`
	// Conflicts are known conflicts between the packages, as warnings.
	Conflicts []*diag.Problem `json:"conflicts,omitempty"`
}

// A Size is what one platform takes, in bytes.
type Size struct {
	Platform string `json:"platform"`
	Download int64  `json:"download"`
	Disk     int64  `json:"disk"`
}

func newResult(env *manifest.Environment, previous, l *lock.Lock) (*Result, error) {
	r := &Result{Environment: env.Name, Path: l.Path, Packages: len(l.Packages), Changes: versions(previous, l)}
	for _, platform := range l.Platforms {
		dists, err := l.For(platform)
		if err != nil {
			return nil, err
		}
		size := Size{Platform: platform}
		for _, d := range dists {
			size.Download, size.Disk = size.Download+d.Download(), size.Disk+d.Disk()
		}
		if l.Conda != nil {
			list := l.Conda.For(platform)
			r.Conda = max(r.Conda, len(list))
			for i := range list {
				size.Download, size.Disk = size.Download+list[i].Size, size.Disk+4*list[i].Size
			}
		}
		r.Platforms = append(r.Platforms, size)
		if note := torchNote(env, dists, platform); note != "" {
			r.Notes = append(r.Notes, note)
		}
	}
	return r, nil
}

// Count returns the number of packages in words.
func (r *Result) Count() string {
	text := plural.Count(r.Packages, "package")
	if r.Conda > 0 {
		text += fmt.Sprintf(" and %d conda packages", r.Conda)
	}
	return text
}

// versions returns the packages whose versions differ between two locks.
func versions(previous, l *lock.Lock) []resources.PackageChange {
	if previous == nil {
		return nil // everything is new: the count is enough
	}
	return slices.Concat(differing(condaVersions(previous), condaVersions(l), true), differing(distVersions(previous), distVersions(l), false))
}

func distVersions(l *lock.Lock) map[string]string {
	versions := map[string]string{}
	for _, p := range l.Packages {
		versions[p.Name] = p.Version
	}
	return versions
}

// condaVersions returns versions with their builds, which differ in content.
func condaVersions(l *lock.Lock) map[string]string {
	versions := map[string]string{}
	if l.Conda != nil {
		for i := range l.Conda.Packages {
			p := &l.Conda.Packages[i]
			versions[p.Name] = p.Version + " " + p.Build
		}
	}
	return versions
}

func differing(before, after map[string]string, conda bool) []resources.PackageChange {
	names := slices.AppendSeq(slices.Collect(maps.Keys(before)), maps.Keys(after))
	slices.Sort(names)
	var list []resources.PackageChange
	for _, name := range slices.Compact(names) {
		if before[name] != after[name] {
			list = append(list, resources.PackageChange{Name: name, Conda: conda, Actual: before[name], Desired: after[name]})
		}
	}
	return list
}
