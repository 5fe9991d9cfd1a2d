package editing

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/pep"
	"github.com/reconcile-ml/reconcile/internal/simpleindex"
)

// A Row is a requested package with its releases.
type Row struct {
	Name    string `json:"name"`
	Request string `json:"request"`           // of the manifest: "numpy>=1.26"
	Locked  string `json:"locked,omitempty"`  // "" if it is not locked
	Allowed string `json:"allowed,omitempty"` // newest release that the request allows; "" for none
	Newest  string `json:"newest,omitempty"`  // newest release for the Python version and the platforms; "" for none
	Yanked  bool   `json:"yanked,omitempty"`  // the locked release was withdrawn by its authors
}

// IsOutdated reports whether there is a newer release than the locked one.
func (r *Row) IsOutdated() bool {
	return r.Newest != "" && r.Locked != "" && pep.CompareVersions(r.Newest, r.Locked) > 0
}

// maxRequests is how many pages of an index are read at the same time.
const maxRequests = 16

// Outdated returns the releases of the requested packages, in the order of the manifest.
// Direct references are left out. A release counts if it was not withdrawn, and has a wheel
// for the Python version and for every platform that needs the package. source is where
// this machine gets packages from.
func (e *Environment) Outdated(ctx context.Context, source *simpleindex.Source) ([]Row, error) {
	if err := e.checkLock("upgrade", nil); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	requests := e.Sources().Packages
	sources := map[string]*simpleindex.Source{}
	for _, r := range requests {
		if sources[r.Index] == nil && r.URL == "" {
			var err error
			if sources[r.Index], err = source.Index(r.Index); err != nil {
				return nil, err
			}
		}
	}
	rows := make([]Row, len(requests))
	var reading sync.WaitGroup
	var failing sync.Once
	var failed error
	slots := make(chan struct{}, maxRequests)
	for i, r := range requests {
		if r.URL != "" {
			continue
		}
		reading.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			row, err := e.row(ctx, r, sources[r.Index])
			if err != nil {
				failing.Do(func() { failed = err; stop() }) // the others would fail for the same reason
			}
			rows[i] = row
		})
	}
	reading.Wait()
	return slices.DeleteFunc(rows, func(r Row) bool { return r.Name == "" }), failed
}

// row returns the releases of one package.
func (e *Environment) row(ctx context.Context, r lock.Requirement, source *simpleindex.Source) (Row, error) {
	releases, err := source.Releases(ctx, r.Name)
	if err != nil {
		return Row{}, err
	}
	row := Row{Name: r.Name, Request: r.String()}
	other := func(platform string) bool { return !e.applies(r, platform) }
	platforms := slices.DeleteFunc(slices.Clone(e.Platforms), other)
	if e.locked != nil {
		for _, p := range e.locked.Packages {
			if p.Name != pep.Normalize(r.Name) {
				continue
			}
			on := slices.DeleteFunc(slices.Clone(e.platforms(p)), other)
			if len(on) > 0 && (row.Locked == "" || pep.CompareVersions(p.Version, row.Locked) > 0) {
				row.Locked, platforms = p.Version, on
			}
		}
	}
	slices.SortFunc(releases, func(a, b simpleindex.Release) int { return pep.CompareVersions(b.Version, a.Version) })
	clauses, ok := pep.ParseClauses(r.Specifier)
	if !ok {
		return Row{}, &diag.Problem{Code: "edit.request", Pos: r.Pos, Summary: fmt.Sprintf("%q is not a version specifier", r.Specifier)}
	}
	usable := func(release simpleindex.Release) bool {
		return e.isUsable(release, pep.Normalize(r.Name), platforms)
	}
	row.Newest = newest(releases, nil, usable)
	row.Allowed = newest(releases, clauses, usable)
	for _, release := range releases {
		if pep.CompareVersions(release.Version, row.Locked) == 0 && row.Locked != "" {
			row.Yanked = !slices.ContainsFunc(release.Files, func(f simpleindex.ReleaseFile) bool { return !f.Yanked })
		}
	}
	return row, nil
}

// newest returns the first of releases, which begin with the newest, that clauses allow and
// that is usable; a pre-release only if a clause has one, or if there is no other.
func newest(releases []simpleindex.Release, clauses []pep.Clause, usable func(simpleindex.Release) bool) string {
	for _, pre := range []bool{pep.HasPreRelease(clauses), true} {
		for _, r := range releases {
			v, ok := pep.ParseVersion(r.Version)
			if !ok || v.IsPreRelease() && !pre {
				continue
			}
			if allowed, _ := pep.Allows(clauses, r.Version); allowed && usable(r) {
				return r.Version
			}
		}
	}
	return ""
}

// isUsable reports whether a release can be installed on all platforms.
func (e *Environment) isUsable(r simpleindex.Release, name string, platforms []string) bool {
	var wheels []lock.Wheel
	source := false
	for _, f := range r.Files {
		if f.Yanked || !pep.AllowsPython(f.RequiresPython, e.Python) {
			continue
		}
		if strings.HasSuffix(f.Name, ".whl") {
			wheels = append(wheels, lock.Wheel{File: f.Name})
		} else {
			source = true
		}
	}
	if source && e.MayBuild(name) {
		return true
	}
	return len(wheels) > 0 && !slices.ContainsFunc(platforms, func(p string) bool { return lock.Best(wheels, e.Python, p) < 0 })
}
