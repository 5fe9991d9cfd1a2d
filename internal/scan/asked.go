package scan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/pep"
)

// An asked is one package that a source asks for.
type asked struct {
	name    string
	extras  []string
	version string // one exact version, "" if it is open
	build   string // of conda
	doubt   string // why it is a comment; "" for a pin
	at      place
}

// want reads what a requirement asks for on a platform.
func want(r *pep.Requirement, at place, env pep.MarkerEnvironment) asked {
	a := asked{name: r.Name, extras: r.Extras, at: at}
	pin, pinned := r.Pin()
	if r.Marker != "" {
		holds, ok := env.Holds(r.Marker)
		if !ok {
			a.version, a.doubt = pin, "has a condition that cannot be decided here"
			return a
		}
		if !holds {
			a.version, a.doubt = pin, "has a condition that does not hold here"
			return a
		}
	}
	_, local, hasLocal := strings.Cut(pin, "+")
	switch {
	case r.Direct:
		a.doubt = "comes from an address, and a lock holds files of the index alone"
	case len(r.Clauses) == 0:
		a.doubt = "names no version"
	case !pinned:
		a.doubt = "says " + printable(pep.Specifier(r.Clauses)) + ", which is no single version"
	case hasLocal:
		a.version, a.doubt = pin, fmt.Sprintf("asks for the build +%s, which the public index does not have", local)
	default:
		a.version = pin
	}
	return a
}

// markers are the values that markers see on a platform with a line of Python.
func markers(platform, line string) pep.MarkerEnvironment {
	system, machine, _ := strings.Cut(platform, "-")
	env := pep.MarkerEnvironment{
		"os_name": "posix", "sys_platform": system, "platform_system": "Linux", "platform_machine": machine,
		"python_version": line, "implementation_name": "cpython", "platform_python_implementation": "CPython", "extra": "",
	}
	if system == "macos" {
		env["sys_platform"], env["platform_system"] = "darwin", "Darwin"
	}
	return env
}

// packages are what an environment is asked for, each once.
type packages struct {
	list  []asked
	index map[string]int // by normalised name, pins alone
	more  int            // left out, over the limit
}

func (p *packages) add(a asked) {
	key := pep.Normalize(a.name)
	if i, ok := p.index[key]; ok {
		first := &p.list[i]
		if a.version == first.version && a.doubt == "" {
			first.extras = union(first.extras, a.extras)
		}
		if a.version == first.version || a.version == "" {
			return // said again, or less exactly
		}
		a.doubt = cmp.Or(a.doubt, fmt.Sprintf("is pinned to %s already, by %s", first.version, first.at))
	}
	if len(p.list) >= maxPackages || len(a.name) > 100 || len(a.extras) > 20 {
		p.more++
		return
	}
	if a.doubt == "" {
		if p.index == nil {
			p.index = map[string]int{}
		}
		p.index[key] = len(p.list)
	}
	p.list = append(p.list, a)
}

func union(list, more []string) []string {
	for _, v := range more {
		if !slices.ContainsFunc(list, func(have string) bool { return pep.Normalize(have) == pep.Normalize(v) }) {
			list = append(slices.Clip(list), v)
		}
	}
	return list
}

// pin returns the pinned version of a package, "" if it has none.
func (p *packages) pin(name string) string {
	if i, ok := p.index[name]; ok {
		return p.list[i].version
	}
	return ""
}

// settle leaves out doubts over what is pinned elsewhere, and gives the others the
// version that is installed.
func (p *packages) settle(installed func(name string) (version, in string)) {
	kept := p.list[:0]
	doubtful := map[string]int{}
	for _, a := range p.list {
		key := pep.Normalize(a.name)
		if a.doubt != "" {
			if _, pinned := p.index[key]; pinned && a.version == "" {
				continue
			}
			if i, twice := doubtful[key+a.doubt]; twice {
				kept[i].extras = union(kept[i].extras, a.extras)
				continue
			}
			doubtful[key+a.doubt] = len(kept)
			if v, in := installed(key); v != "" && a.version == "" {
				a.version, a.doubt = v, a.doubt+"; "+in+" has this one"
			}
		}
		kept = append(kept, a)
	}
	p.list = kept
	for i := range p.list {
		if p.list[i].doubt == "" {
			p.index[pep.Normalize(p.list[i].name)] = i
		}
	}
}
