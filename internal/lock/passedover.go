package lock

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/reconcile-ml/reconcile/internal/pep"
)

// findPassedOver finds the requested packages of which uv chose an old release or a pre-release
// only because newer releases have no wheels: such a change must not be silent. It reports
// whether there are new ones, which then are sourceOnly.
func (r *resolver) findPassedOver(ctx context.Context, packages []Package, platform string) bool {
	var g errgroup.Group
	g.SetLimit(8)
	var mu sync.Mutex
	again := false
	choose := Chooser(r.Python, []string{platform}, r.Systems)
	for _, p := range packages {
		request, requested := r.requirement(p.Name)
		if !requested || p.Build != nil || p.URL != "" || request.Pin() != "" || r.wasLocked(p) || r.Offers == nil {
			continue
		}
		g.Go(func() error {
			usable := func(file string) bool { return choose([]Wheel{{File: file}})[0] >= 0 }
			if passedOver(r.offers(ctx, p.Index, p.Name), request, p.Version, r.Python, usable) {
				mu.Lock()
				defer mu.Unlock()
				r.sourceOnly[p.Name], again = true, true
			}
			return nil
		})
	}
	_ = g.Wait() // the tasks return no error
	return again
}

// findHeldBack finds packages without wheels that keep a requested package at a release which is at
// least two behind the newest one with wheels, and which uv chose for that reason alone: such a
// change must not be silent. It reports whether there are new ones, which then are sourceOnly.
func (r *resolver) findHeldBack(ctx context.Context, packages []Package, platform string) (again bool) {
	choose := Chooser(r.Python, []string{platform}, r.Systems)
	for _, p := range packages {
		request, requested := r.requirement(p.Name)
		if !requested || p.Build != nil || p.URL != "" || request.Pin() != "" || r.wasLocked(p) || r.Offers == nil {
			continue
		}
		usable := func(file string) bool { return choose([]Wheel{{File: file}})[0] >= 0 }
		newer := newerReleases(r.offers(ctx, p.Index, p.Name), request, p.Version, r.Python, usable)
		if len(newer) < 2 {
			continue
		}
		trial := *r
		trial.Line = nil
		trial.Constraints = append(slices.Clip(r.Constraints), Requirement{Name: p.Name, Specifier: "==" + newer[len(newer)-1]})
		out := filepath.Join(r.Dir, "pylock.trial-"+platform+".toml")
		if removeIfExists(out) != nil {
			return again
		}
		output, err := trial.compile(ctx, platform, r.input(platform), out, "pylock.toml")
		if err == nil {
			continue // a preference of uv, such as that of another platform
		}
		if name := r.withoutWheels(ctx, output); name != "" && r.isNewerSystem(ctx, name, platform) {
			r.sourceOnly[name], again = true, true
		}
	}
	return again
}

// isNewerSystem reports whether a package has wheels for newer systems of a platform only.
func (r *resolver) isNewerSystem(ctx context.Context, name, platform string) bool {
	offers := r.offers(ctx, r.index(name, platform), name)
	newest := newestAllowed(offers, Requirement{Name: name})
	_, _, keys := r.otherSystem(offers, Requirement{Name: name, Specifier: "==" + newest}, platform)
	return keys != nil
}

// newerReleases returns the final releases with usable wheels that a requirement allows and that are
// newer than version, ascending.
func newerReleases(offers []Offer, request Requirement, version, python string, usable func(wheel string) bool) (list []string) {
	clauses, _ := pep.ParseClauses(request.Specifier)
	for _, o := range offers {
		v, ok := pep.ParseVersion(o.Version)
		allowed, known := pep.Allows(clauses, o.Version)
		if ok && !v.IsPreRelease() && !o.Yanked && allowed && known && pep.CompareVersions(o.Version, version) > 0 &&
			pep.AllowsPython(o.RequiresPython, python) && strings.HasSuffix(o.File, ".whl") && usable(o.File) && !slices.Contains(list, o.Version) {
			list = append(list, o.Version)
		}
	}
	slices.SortFunc(list, pep.CompareVersions)
	return list
}

// wasLocked reports whether the previous lock has the version of a package, which is kept.
func (r *resolver) wasLocked(p Package) bool {
	return r.Previous != nil && !r.Upgrade && slices.ContainsFunc(r.Previous.Packages, func(o Package) bool { return o.Name == p.Name && o.Version == p.Version })
}

// passedOver reports whether the newest two releases that a requirement allows are newer than
// version, and have no usable wheels. A single one may be about to get its wheels.
func passedOver(offers []Offer, request Requirement, version, python string, usable func(wheel string) bool) bool {
	clauses, _ := pep.ParseClauses(request.Specifier)
	wheels := map[string]bool{} // whether a version that is newer has one
	for _, o := range offers {
		if o.Yanked || pep.CompareVersions(o.Version, version) <= 0 || !pep.AllowsPython(o.RequiresPython, python) {
			continue
		}
		v, ok := pep.ParseVersion(o.Version)
		if allowed, known := pep.Allows(clauses, o.Version); !ok || v.IsPreRelease() || !allowed || !known {
			continue
		}
		wheels[o.Version] = wheels[o.Version] || strings.HasSuffix(o.File, ".whl") && usable(o.File)
	}
	without := 0
	for _, has := range wheels {
		if has {
			return false
		}
		without++
	}
	current, ok := pep.ParseVersion(version)
	return without >= 2 || without == 1 && ok && current.IsPreRelease()
}
