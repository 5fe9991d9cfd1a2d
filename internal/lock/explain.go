package lock

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/reconcile-ml/reconcile/internal/catalog"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/indexerror"
	"github.com/reconcile-ml/reconcile/internal/pep"
)

var (
	noVersion = regexpOnce(`there is no version of ([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([0-9A-Za-z.!+_-]*[0-9A-Za-z])`)
	notFound  = regexpOnce(`([A-Za-z0-9._-]+) was not found in (?:the package registry|the provided package locations|the cache)`)
	noWheel   = regexpOnce(`([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([0-9A-Za-z.!+_-]*[0-9A-Za-z]) has no (?:usable )?wheels`)
	noBuild   = regexpOnce("Wheels are required for `([A-Za-z0-9._-]+)` because building from source is disabled")
	// inputDepends matches the project of the input, with its version.
	inputDepends = regexpOnce(inputName + `(?:==\S+)? depends\s+on`)
	// uvHint matches the hints of uv after the reason, which name its own options.
	uvHint = regexpOnce(`\n\s*hint: [\s\S]*$`)
	// noVersions is of an index that answers without files.
	noVersions = regexpOnce(`there are no versions of ([A-Za-z0-9._-]+)`)
	secret     = regexpOnce(`://[^/@\s]+@`)
)

func regexpOnce(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}

// explain returns the Problem of a failure of uv.
func (r *resolver) explain(ctx context.Context, platform, output string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("resolve %s for %s: %w", r.Path, platform, context.Cause(ctx))
	}
	text := errorText(output)
	flat := strings.Join(strings.Fields(text), " ")
	for _, reason := range []struct {
		expr *regexp.Regexp
		what string
	}{{noVersion(), "does not exist"}, {noWheel(), "has no wheel for " + platform + " and Python " + r.Python}, {notFound(), "is not in the index"}} {
		m := reason.expr.FindStringSubmatch(flat)
		if m == nil {
			continue
		}
		if p, ok := r.requirement(m[1]); ok {
			if problem := r.indexProblem(ctx, p); problem != nil {
				return problem
			}
			if p.Pin() == "" && r.hasUsableWheel(ctx, p) {
				continue // it is one of several versions, and not the reason
			}
			what := reason.what
			if reason.expr == noVersion() && p.Index != "" { // another one may have it
				what = "is not in " + indexName(p.Index)
			}
			return r.unavailable(ctx, platform, p, what)
		}
	}
	if problem := r.withoutSource(ctx, platform, flat); problem != nil {
		return problem
	}
	if strings.Contains(text, "No solution found") {
		for _, m := range noVersions().FindAllStringSubmatch(flat, -1) {
			if p, ok := r.requirement(m[1]); ok {
				if problem := r.indexProblem(ctx, p); problem != nil {
					return problem
				}
			}
		}
		return r.conflict(ctx, platform, text)
	}
	if _, ok := indexerror.Unreachable(text); ok {
		return &diag.Problem{
			Code: "lock.index", Pos: diag.Pos{File: r.Path},
			Summary: "the package index could not be reached", Found: text,
			Hint: "check the network, or name a mirror in ~/.config/reconcile/config.yaml or RECONCILE_INDEX_URL; `reconcile facts` shows the settings, under \"index\"",
		}
	}
	if text == "" { // uv did not start
		return fmt.Errorf("resolve %s for %s with %s: %w", r.Path, platform, r.UV, err)
	}
	return &diag.Problem{
		Code: "lock.resolve", Pos: diag.Pos{File: r.Path}, Summary: "uv could not resolve the requirements for " + platform,
		Found: text, Hint: "run `reconcile lock -v` for its whole output",
	}
}

// withoutSource returns the Problem of a requested package whose newest releases have neither a
// source nor wheels for this system, so that an older one would be chosen; nil for none.
func (r *resolver) withoutSource(ctx context.Context, platform, message string) error {
	choose := Chooser(r.Python, []string{platform}, r.Systems)
	usable := func(file string) bool { return choose([]Wheel{{File: file}})[0] >= 0 }
	for _, p := range r.Packages {
		if !r.sourceOnly[pep.Normalize(p.Name)] || !strings.Contains(message, "no source distribution") || !mentions(message, p) {
			continue
		}
		offers := r.offers(ctx, p.Index, p.Name)
		newest := newestAllowed(offers, p)
		found, hint, keys := r.otherSystem(offers, Requirement{Name: p.Name, Specifier: "==" + newest}, platform)
		older := newerReleases(offers, p, "0", r.Python, usable)
		if found == "" || len(older) == 0 {
			continue
		}
		last := older[len(older)-1]
		if asked, offered := uploaded(offers, newest), uploaded(offers, last); asked.IsZero() || offered.IsZero() || asked.Sub(offered) < recent {
			hint += fmt.Sprintf("\nor request %s==%s, the newest release for this system", p.Name, last)
		}
		return &diag.Problem{
			Code: "lock.pin", Pos: p.Pos, Summary: fmt.Sprintf("the newest releases of %s have no wheel for this system", p.Name),
			Found: fmt.Sprintf("%s %s: %s", p.Name, newest, found), Hint: hint, Keys: keys,
		}
	}
	return nil
}

// errorText returns the output of uv without warnings and secrets.
func errorText(output string) string {
	var lines []string
	for line := range strings.Lines(secret().ReplaceAllString(output, "://***@")) {
		if line = strings.TrimRight(line, "\r\n"); line != "" && !strings.HasPrefix(line, "warning:") {
			lines = append(lines, strings.TrimPrefix(line, "error: "))
		}
	}
	return strings.Join(lines, "\n")
}

// requirement returns the requirement of a package.
func (r *resolver) requirement(name string) (Requirement, bool) {
	i := slices.IndexFunc(r.Packages, func(p Requirement) bool { return pep.Normalize(p.Name) == pep.Normalize(name) })
	if i < 0 {
		return Requirement{}, false
	}
	return r.Packages[i], true
}

// pos returns the position of the requirement of a package, the zero Pos for none.
func (r *resolver) pos(name string) diag.Pos {
	p, _ := r.requirement(name)
	return p.Pos
}

// withoutWheels returns the package that uv cannot install because it has no wheel at all, ""
// for none.
func (r *resolver) withoutWheels(ctx context.Context, output string) string {
	m := noBuild().FindStringSubmatch(output)
	if m == nil {
		return ""
	}
	name := pep.Normalize(m[1])
	if r.sourceOnly[name] {
		return ""
	}
	if _, permitted := r.Builds[name]; permitted {
		return name
	}
	// With wheels for another Python, the version is wrong, and not the lack of a permission.
	p, ok := r.requirement(name)
	if ok && p.Pin() != "" && r.hasWheel(ctx, p) {
		return ""
	}
	// With usable wheels of versions that are allowed, other requirements exclude them.
	if ok && p.Pin() == "" && r.hasUsableWheel(ctx, p) {
		return ""
	}
	return name
}

// hasWheel reports whether the pinned version of a package has a wheel for any Python 3 on a
// platform of the lock.
func (r *resolver) hasWheel(ctx context.Context, p Requirement) bool {
	version, _ := pep.CanonicalVersion(p.Pin())
	onPlatform := func(tag string) bool {
		return tag == "any" || slices.ContainsFunc(r.Platforms, func(platform string) bool { return slices.Contains(newestSystems.platformTags(platform), tag) })
	}
	return slices.ContainsFunc(r.offers(ctx, p.Index, p.Name), func(o Offer) bool {
		w, err := ParseWheel(o.File)
		return err == nil && o.Version == version && slices.ContainsFunc(w.Platform, onPlatform) && slices.ContainsFunc(w.Python, func(tag string) bool {
			return strings.HasPrefix(tag, "py3") || strings.HasPrefix(tag, "cp3")
		})
	})
}

// newestSystems are systems for which all wheels can be selected.
var newestSystems = Systems{Glibc: "2.99", MacOS: "99"}

// indexProblem returns why the index of a requirement has nothing: it refused the request, or is no
// package index. uv reports both as a package that does not exist. It is nil for other reasons.
func (r *resolver) indexProblem(ctx context.Context, p Requirement) error {
	if r.Offers == nil {
		return nil
	}
	_, err := r.Offers(ctx, p.Index, p.Name)
	for _, problem := range diag.Problems(err) {
		if problem.Code == "index.credentials" || problem.Code == "index.not-an-index" {
			return at(err, p.Pos)
		}
	}
	return nil
}

// hasUsableWheel reports whether a release that a requirement allows has a wheel for the platforms of
// the lock.
func (r *resolver) hasUsableWheel(ctx context.Context, p Requirement) bool {
	clauses, _ := pep.ParseClauses(p.Specifier)
	choose := Chooser(r.Python, r.Platforms, r.Systems)
	return slices.ContainsFunc(r.offers(ctx, p.Index, p.Name), func(o Offer) bool {
		v, ok := pep.ParseVersion(o.Version)
		allowed, known := pep.Allows(clauses, o.Version)
		return ok && !v.IsPreRelease() && !o.Yanked && allowed && known && pep.AllowsPython(o.RequiresPython, r.Python) &&
			strings.HasSuffix(o.File, ".whl") && choose([]Wheel{{File: o.File}})[0] >= 0
	})
}

// offers returns the files that an index has of a package; none if that is unknown.
func (r *resolver) offers(ctx context.Context, index, name string) []Offer {
	if r.Offers == nil {
		return nil
	}
	list, err := r.Offers(ctx, index, name)
	if err != nil {
		return nil // uv reports an index that does not answer
	}
	return list
}

// refused returns the Problem of all packages that exist as source only, and that the manifest
// does not permit to build; nil for none.
func (r *resolver) refused(ctx context.Context) error {
	var names, newer, found []string // newer are those with wheels for newer systems
	keys := map[string]string{}      // of the environment, that allow such wheels
	other := ""                      // what to do about them
	var pos diag.Pos
	for _, one := range r.resolved {
		for _, p := range one.packages {
			if p.Build == nil || p.Build.Source != (Source{}) || slices.Contains(names, p.Name) {
				continue
			}
			names = append(names, p.Name)
			if pos == (diag.Pos{}) {
				pos = r.pos(p.Name)
			}
			line := p.Name + " " + p.Version
			if why := r.parents(one.packages, p.Name); len(why) > 0 {
				line += ", required by " + strings.Join(why, ", ")
			}
			request := Requirement{Name: p.Name, Specifier: "==" + p.Version}
			if reason, hint, needs := r.otherSystem(r.offers(ctx, p.Index, p.Name), request, one.platform); needs != nil {
				line += " for " + one.platform + ": " + reason
				newer = append(newer, p.Name)
				for key, value := range needs {
					if pep.CompareVersions(value, cmp.Or(keys[key], "0")) > 0 {
						keys[key], other = value, hint
					}
				}
			}
			found = append(found, line)
		}
	}
	if len(names) == 0 {
		return nil
	}
	missing := slices.Sorted(slices.Values(names))
	requests := r.requestsOf(missing)
	for _, name := range requests {
		pos = cmp.Or(pos, r.pos(name))
	}
	for name := range r.Builds {
		names = append(names, name)
	}
	slices.Sort(names)
	problem := &diag.Problem{
		Code: "lock.source", Pos: cmp.Or(pos, diag.Pos{File: r.Path}), Summary: "packages exist as source only", Found: strings.Join(found, "\n"),
		Hint: waysOfSources(missing, slices.Compact(names)),
	}
	if len(found) == 1 {
		problem.Summary = "a package exists as source only"
	}
	switch {
	case len(newer) == len(found):
		problem.Summary = "packages have no wheels for this system"
		if len(found) == 1 {
			problem.Summary = "a package has no wheel for this system"
		}
		problem.Hint, problem.Keys = other+"\nor request an earlier version of "+strings.Join(requests, ", ")+"\nor "+problem.Hint, keys
	case len(newer) > 0:
		problem.Hint += "\nor " + other
	}
	if problem.Keys == nil {
		problem.Packages = missing
	}
	return problem
}

// requestsOf returns the requested packages that depend on others, directly or not, or are among
// them.
func (r *resolver) requestsOf(names []string) []string {
	reached := slices.Clone(names)
	for i := 0; i < len(reached); i++ {
		for _, one := range r.resolved {
			for _, parent := range r.parents(one.packages, reached[i]) {
				if !slices.Contains(reached, parent) {
					reached = append(reached, parent)
				}
			}
		}
	}
	reached = slices.DeleteFunc(reached, func(name string) bool { _, ok := r.requirement(name); return !ok })
	slices.Sort(reached)
	return slices.Compact(reached)
}

// waysOfSources returns what to do about packages that exist as source only. builds are all
// packages that the manifest has to permit to build.
func waysOfSources(missing, builds []string) string {
	text := "with a wheel of your own, in a folder that each machine names as find_links in ~/.config/reconcile/config.yaml:\n" +
		"  RECONCILE_FIND_LINKS=/FOLDER reconcile lock\n" +
		"or built from source, which runs its code, isolated and without network; add to the environment:\n" +
		"  build: [" + strings.Join(builds, ", ") + "]"
	if i := slices.IndexFunc(missing, func(name string) bool { return DefaultWith(name) != nil }); i >= 0 {
		text += fmt.Sprintf("\nThe build of %s imports torch, and may need the CUDA toolkit: `reconcile explain lock.source`", missing[i])
	}
	return text
}

// parents returns the names of the packages that depend on a package.
func (r *resolver) parents(packages []Package, name string) (names []string) {
	for _, p := range packages {
		if slices.Contains(p.Dependencies, name) {
			names = append(names, p.Name)
		}
	}
	return names
}

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

// unavailable returns the Problem of a requirement that cannot be satisfied. Its hint is a
// version that can be installed, if that is newer than the requested one.
func (r *resolver) unavailable(ctx context.Context, platform string, p Requirement, what string) error {
	name := pep.Normalize(p.Name)
	problem := &diag.Problem{
		Code: "lock.pin", Pos: p.Pos, Summary: fmt.Sprintf("%s%s %s", p.Name, p.Specifier, what),
		Hint: fmt.Sprintf("change the version of %s", p.Name),
	}
	if name == r.Own && r.Own != "" {
		problem.Summary = fmt.Sprintf("%s is this project, and not a package of an index", p.Name)
		problem.Hint = "write `project: editable` instead, which installs the project itself"
		return problem
	}
	offers := r.offers(ctx, p.Index, p.Name)
	asked := newestAllowed(offers, p)
	if asked != "" {
		if found, hint, keys := r.otherSystem(offers, Requirement{Name: p.Name, Specifier: "==" + asked}, platform); found != "" {
			if p.Pin() == "" {
				found = p.Name + " " + asked + ": " + found
			}
			problem.Found, problem.Hint, problem.Keys = found, hint, keys
			return problem
		}
		if strings.Contains(p.Pin(), "+") {
			problem.Summary = fmt.Sprintf("%s%s is not in %s", p.Name, p.Specifier, indexName(p.Index))
			problem.Found, problem.Hint = r.localVersion(ctx, p, offers, platform)
			return problem
		}
	}
	newest := r.newest(offers, platform)
	if newest == "" {
		problem.Found = "no version of " + p.Name + " for " + platform + " and Python " + r.Python
		problem.Hint = "check the spelling of the name, and whether the index of this machine has it"
		if locked := r.lockedVersion(name); locked != "" {
			problem.Found = fmt.Sprintf("%s has %s %s, from an index or a wheel folder that this machine does not name", r.Path, name, locked)
			problem.Hint = "name it in RECONCILE_INDEX_URL or RECONCILE_FIND_LINKS; `reconcile facts` shows the settings, under \"index\""
		}
		if index := r.namedIndex(ctx, name); index != "" && p.Index == "" {
			problem.Hint = takeFrom(index, name)
		}
		return problem
	}
	problem.Found = fmt.Sprintf("%s %s is the newest version for %s and Python %s", p.Name, newest, platform, r.Python)
	if asked == "" || pep.CompareVersions(newest, asked) > 0 {
		problem.Hint = fmt.Sprintf("request %s==%s, or another available version", p.Name, newest)
	}
	return problem
}

// lockedVersion returns the version of a package in the previous lock, "" for none.
func (r *resolver) lockedVersion(name string) string {
	if r.Previous != nil {
		for _, p := range r.Previous.Packages {
			if p.Name == name && p.URL == "" {
				return p.Version
			}
		}
	}
	return ""
}

// otherSystem returns why no wheel of a pinned version is for a platform, if there are wheels
// for newer systems of it or other Python versions, what to do, and the keys of the environment
// that would do it.
func (r *resolver) otherSystem(offers []Offer, p Requirement, platform string) (found, hint string, keys map[string]string) {
	version, _ := pep.CanonicalVersion(p.Pin())
	var wheels []Wheel
	for _, o := range offers {
		if o.Version == version && strings.HasSuffix(o.File, ".whl") {
			wheels = append(wheels, Wheel{File: o.File})
		}
	}
	if len(wheels) == 0 {
		return "", "", nil
	}
	i := Chooser(r.Python, []string{platform}, newestSystems)(wheels)[0]
	if i < 0 {
		if pythons := pythonsOf(wheels, platform); len(pythons) > 0 {
			return "its wheels for " + platform + " are for Python " + strings.Join(pythons, ", "), r.otherPython(offers, p, platform, pythons), nil
		}
		return "it has no wheel for " + platform, fmt.Sprintf("change the version of %s, or limit it to other platforms: {name: %s, version: %s, platforms: [PLATFORM]}", p.Name, p.Name, p.Pin()), nil
	}
	if strings.HasPrefix(platform, "macos") {
		if major := MacOS(wheels[i].File); major > r.Systems.macOSMajor() {
			return fmt.Sprintf("its wheels need macOS %d", major), fmt.Sprintf("if all Macs have it, add macos: \"%d\" to the environment", major), map[string]string{"macos": strconv.Itoa(major)}
		}
	}
	if minor := Glibc(wheels[i].File); minor > r.Systems.glibc() {
		return fmt.Sprintf("its wheels need glibc 2.%d", minor), fmt.Sprintf("if all machines have it, add glibc: \"2.%d\" to the environment", minor), map[string]string{"glibc": fmt.Sprintf("2.%d", minor)}
	}
	return "", "", nil
}

// pythonsOf returns the minor versions of Python with a wheel for a platform, ascending.
func pythonsOf(wheels []Wheel, platform string) (minors []string) {
	for minor := range 50 {
		version := fmt.Sprintf("3.%d", minor)
		if Chooser(version, []string{platform}, newestSystems)(wheels)[0] >= 0 {
			minors = append(minors, version)
		}
	}
	return minors
}

// recent is how much older than the requested release one may be that is proposed instead.
const recent = 365 * 24 * time.Hour

// otherPython returns what to do about a pinned version without a wheel for the locked Python.
func (r *resolver) otherPython(offers []Offer, p Requirement, platform string, pythons []string) string {
	var ways []string
	newest := r.newest(offers, platform)
	asked, offered := uploaded(offers, p.Pin()), uploaded(offers, newest)
	if newest != "" && (pep.CompareVersions(newest, p.Pin()) > 0 || !asked.IsZero() && !offered.IsZero() && asked.Sub(offered) < recent) {
		ways = append(ways, fmt.Sprintf("request %s==%s, the newest version for Python %s", p.Name, newest, r.Python))
	}
	nearest := pythons[len(pythons)-1]
	if pep.CompareVersions(nearest, r.Python) > 0 {
		nearest = pythons[0]
	}
	if end, known := catalog.PythonEnd(nearest); !known || !end.IsPast(time.Now()) {
		ways = append(ways, fmt.Sprintf("write python: %q in the environment", nearest))
	}
	if len(ways) == 0 {
		return "request another version of " + p.Name
	}
	return strings.Join(ways, "\nor ")
}

// uploaded returns when the first file of a version was published, the zero Time if unknown.
func uploaded(offers []Offer, version string) (first time.Time) {
	version, _ = pep.CanonicalVersion(version)
	for _, o := range offers {
		if o.Version == version && !o.Uploaded.IsZero() && (first.IsZero() || o.Uploaded.Before(first)) {
			first = o.Uploaded
		}
	}
	return first
}

// indexName returns an index in words.
func indexName(name string) string {
	if name == "" {
		return "the index"
	}
	return "index " + name
}

// newest returns the newest final release with a wheel for a platform, "" for none.
func (r *resolver) newest(offers []Offer, platform string) string {
	best := Chooser(r.Python, []string{platform}, r.Systems)
	newest := ""
	for _, o := range offers {
		v, ok := pep.ParseVersion(o.Version)
		if !ok || v.IsPreRelease() || o.Yanked || !pep.AllowsPython(o.RequiresPython, r.Python) || newest != "" && pep.CompareVersions(o.Version, newest) <= 0 {
			continue
		}
		if best([]Wheel{{File: o.File}})[0] == 0 {
			newest = o.Version
		}
	}
	return newest
}

// conflict returns the Problem of requirements that exclude each other, at the first one of those
// that the message of uv names.
func (r *resolver) conflict(ctx context.Context, platform, text string) error {
	_, reason, _ := strings.Cut(text, "No solution found when resolving dependencies")
	reason = strings.TrimPrefix(strings.TrimLeft(reason, ": \n"), "cause: ")
	reason = uvHint().ReplaceAllString(reason, "")
	var lines []string
	for line := range strings.Lines(reason) {
		lines = append(lines, strings.TrimSpace(line))
	}
	reason = inputDepends().ReplaceAllString(strings.Join(lines, "\n"), "the project requires")
	p := &diag.Problem{
		Code: "lock.conflict", Summary: "the requirements cannot be installed together on " + platform,
		Hint: "change one of the requirements named above",
	}
	flat := strings.Join(strings.Fields(reason), " ")
	for _, q := range slices.Concat(r.Packages, r.Constraints, r.Overrides) {
		if !mentions(flat, q) {
			continue
		}
		if p.Pos = cmp.Or(p.Pos, q.Pos); q.Pos.IsValid() {
			reason += fmt.Sprintf("\n%s: %s", q.Pos, q.Request())
		}
	}
	p.Found, p.Pos = reason, cmp.Or(p.Pos, diag.Pos{File: r.Path})
	for _, q := range r.Packages {
		if mentions(flat, q) && q.URL == "" && r.Offers != nil && !r.hasUsableWheel(ctx, q) {
			r.explainNewest(ctx, p, q, platform)
		}
	}
	if m := notFound().FindStringSubmatch(flat); m != nil {
		if index := r.namedIndex(ctx, m[1]); index != "" {
			p.Hint = takeFrom(index, m[1])
		}
	}
	return p
}

// newestAllowed returns the pinned version of a requirement, or the newest final release that it
// allows, for any system and Python; "" for none.
func newestAllowed(offers []Offer, p Requirement) string {
	if pin := p.Pin(); pin != "" {
		return pin
	}
	clauses, _ := pep.ParseClauses(p.Specifier)
	newest := ""
	for _, o := range offers {
		v, ok := pep.ParseVersion(o.Version)
		allowed, known := pep.Allows(clauses, o.Version)
		if ok && !v.IsPreRelease() && !o.Yanked && allowed && known && (newest == "" || pep.CompareVersions(o.Version, newest) > 0) {
			newest = o.Version
		}
	}
	return newest
}

// explainNewest adds to a Problem why the newest release that a requirement allows has no wheel for
// the locked systems or Python, and what to do.
func (r *resolver) explainNewest(ctx context.Context, problem *diag.Problem, p Requirement, platform string) {
	offers := r.offers(ctx, p.Index, p.Name)
	newest := newestAllowed(offers, p)
	if newest == "" {
		return
	}
	found, hint, keys := r.otherSystem(offers, Requirement{Name: p.Name, Specifier: "==" + newest}, platform)
	if found == "" {
		return
	}
	problem.Found += fmt.Sprintf("\n%s %s: %s", p.Name, newest, found)
	problem.Hint, problem.Keys = hint, keys
}

// mentions reports whether a message of uv names a requirement: its versions or, since uv
// writes several ranges as one, only its package.
func mentions(message string, q Requirement) bool {
	name := regexp.QuoteMeta(pep.Normalize(q.Name))
	return regexp.MustCompile(`(?:^|[^A-Za-z0-9._-])` + name + `(?:[^A-Za-z0-9._-]|[.]?$|[.] )`).MatchString(message)
}

func takeFrom(index, name string) string {
	return fmt.Sprintf("index %s has %s; to take it from there, add to `packages`: {name: %s, index: %s}", index, name, name, index)
}

// namedIndex returns the name of an index that has a package, and is searched only for packages
// that are bound to it; "" for none.
func (r *resolver) namedIndex(ctx context.Context, name string) string {
	for _, x := range r.Indexes {
		if !x.Searched && len(r.offers(ctx, x.Name, name)) > 0 {
			return x.Name
		}
	}
	return ""
}
