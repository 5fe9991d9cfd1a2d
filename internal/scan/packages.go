package scan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/pep"
)

// A pkg is a package that a source requires.
type pkg struct {
	name    string
	extras  []string
	version string // exact, "" if open
	build   string // of a conda package
	why     string // why it is a comment; "" for a pin
	at      place
}

// newPackage returns the package of a requirement, for the platform and Python of env.
func newPackage(r *pep.Requirement, at place, env pep.MarkerEnvironment) pkg {
	p := pkg{name: r.Name, extras: r.Extras, at: at}
	pin, pinned := r.Pin()
	_, local, hasLocal := strings.Cut(pin, "+")
	applies, ok := env.Holds(r.Marker)
	switch {
	case r.Marker != "" && !ok:
		p.version, p.why = pin, "has an unknown condition"
	case r.Marker != "" && !applies:
		p.version, p.why = pin, "has a condition that does not apply here"
	case r.URL != "":
		p.why = "has an address; a lock has files of an index only"
	case len(r.Clauses) == 0:
		p.why = "has no version"
	case !pinned:
		p.why = "is a range: " + printable(pep.Specifier(r.Clauses))
	case hasLocal:
		p.version, p.why = pin, "requires the build +"+local+", which the public index does not have"
	default:
		p.version = pin
	}
	return p
}

// markers returns the values of environment markers on a platform.
func markers(platform, python string) pep.MarkerEnvironment {
	system, machine, _ := strings.Cut(platform, "-")
	env := pep.MarkerEnvironment{
		"os_name": "posix", "sys_platform": system, "platform_system": "Linux", "platform_machine": machine,
		"python_version": python, "implementation_name": "cpython", "platform_python_implementation": "CPython", "extra": "",
	}
	if system == "macos" {
		env["sys_platform"], env["platform_system"] = "darwin", "Darwin"
	}
	return env
}

// packages are the packages of an environment.
type packages struct {
	list []pkg
	more int // left out, over the limit
}

func (p *packages) add(a pkg) {
	if len(p.list) >= maxPackages || len(a.name) > 100 || len(a.extras) > 20 {
		p.more++
		return
	}
	p.list = append(p.list, a)
}

// settle makes each package appear once: a pin goes before a comment, and a second pin with
// another version becomes a comment. limits are the pins of constraint files, conda the pins
// of conda packages, and installed the versions in the environment in, by normalised name.
func (p *packages) settle(limits map[string]pkg, conda map[string]pkg, installed map[string]string, in string) {
	pins := map[string]*pkg{}
	for i := range p.list {
		a := &p.list[i]
		key := pep.Normalize(a.name)
		if limit, ok := limits[key]; ok && a.version == "" && (a.why == "has no version" || strings.HasPrefix(a.why, "is a range")) {
			a.version, a.why, a.at = limit.version, "", limit.at
		}
		if a.why != "" {
			continue
		}
		first := pins[key]
		switch brought, ok := conda[key]; {
		case ok:
			a.why = "is in conda_packages already, as " + brought.version
		case first == nil:
			pins[key] = a
		case first.version == a.version:
			first.extras = union(first.extras, a.extras)
			a.version, a.why = "", "duplicate" // dropped below
		default:
			a.why = fmt.Sprintf("is pinned to %s by %s", first.version, first.at)
		}
	}
	comments := map[string]*pkg{}
	kept := make([]pkg, 0, len(p.list)) // never reallocated: comments has pointers into it
	for _, a := range p.list {
		key := pep.Normalize(a.name)
		if a.why == "" {
			kept = append(kept, a)
			continue
		}
		if _, pinned := pins[key]; pinned && a.version == "" {
			continue
		}
		id := key + " " + a.why
		if first := comments[id]; first != nil {
			first.extras = union(first.extras, a.extras)
			continue
		}
		if v := installed[key]; v != "" && a.version == "" {
			a.version, a.why = v, a.why+"; "+in+" has this version"
		}
		kept = append(kept, a)
		comments[id] = &kept[len(kept)-1]
	}
	p.list = kept
}

// pins returns the pins by normalised name.
func (p *packages) pins() map[string]pkg {
	pins := map[string]pkg{}
	for _, a := range p.list {
		if a.why == "" {
			pins[pep.Normalize(a.name)] = a
		}
	}
	return pins
}

func union(list, more []string) []string {
	for _, v := range more {
		if !slices.ContainsFunc(list, func(have string) bool { return pep.Normalize(have) == pep.Normalize(v) }) {
			list = append(slices.Clip(list), v)
		}
	}
	return list
}
