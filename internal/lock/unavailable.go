package lock

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/reconcile-ml/reconcile/internal/catalog"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/pep"
)

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
