package lock

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

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
