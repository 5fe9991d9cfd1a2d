package lock

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/pep"
)

// A Pin is a package of a manifest.
type Pin struct {
	Name    string // as written
	Version string
	Why     string // "" for none
	Extras  []string
	Marker  string   // PEP 508, "" for always
	Pos     diag.Pos // in the manifest
}

// Request returns the pin in the form of locks: "pandas==2.3.3", with normalised names and
// sorted extras.
func (p Pin) Request() string {
	extras := make([]string, len(p.Extras))
	for i, e := range p.Extras {
		extras[i] = pep.Normalize(e)
	}
	slices.Sort(extras)
	return requirement(pep.Normalize(p.Name), slices.Compact(extras), p.Version, p.Marker)
}

// Requirements returns a requirements file for pip: the pins with their reasons, then
// their locked dependencies. Without a lock (nil) it contains only the pins.
func Requirements(project, environment string, pins []Pin, closure *Lock) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Python packages of environment %s of project %s.\n", comment(environment), comment(project))
	b.WriteString("# Written by `reconcile apply` from manifest.yaml: change `packages` there, run `reconcile lock`, then apply.\n")
	b.WriteString("# For pip alone: pip install -r, in an empty environment with the same Python.\n")
	for _, p := range pins {
		b.WriteByte('\n')
		if why := comment(p.Why); why != "" {
			b.WriteString("# " + why + "\n")
		}
		b.WriteString(requirement(p.Name, p.Extras, p.Version, p.Marker) + "\n")
	}
	if list := closure.dependencies(pins); len(list) > 0 {
		fmt.Fprintf(&b, "\n# Dependencies, locked in %s.\n%s\n", comment(closure.Path), strings.Join(list, "\n"))
	}
	return b.String()
}

// dependencies returns the requirements of a lock that no pin declares. l may be nil.
func (l *Lock) dependencies(pins []Pin) (list []string) {
	if l == nil {
		return nil
	}
	declared := map[string]bool{}
	for _, p := range pins {
		declared[pep.Normalize(p.Name)] = true
	}
	for _, p := range l.Packages {
		if declared[p.Name] {
			continue
		}
		marker := ""
		if p.Platforms != nil && len(p.Platforms) < len(l.Platforms) {
			marker = Marker(p.Platforms)
		}
		list = append(list, requirement(p.Name, nil, p.Version, marker))
	}
	return list
}

// requirement returns a line of a requirements file.
func requirement(name string, extras []string, version, marker string) string {
	line := name
	if len(extras) > 0 {
		line += "[" + strings.Join(slices.Sorted(slices.Values(extras)), ",") + "]"
	}
	line += "==" + version
	if marker != "" {
		line += " ; " + marker
	}
	return line
}

// comment returns a text as a comment of one line: line ends, control characters and
// direction marks become spaces, and runs of spaces one space. A final backslash, which
// would continue the line, is removed.
func comment(text string) string {
	flat := strings.Map(func(c rune) rune {
		if unicode.IsControl(c) || unicode.IsSpace(c) || unicode.Is(unicode.Cf, c) || c >= unicode.ReplacementChar && c <= '\uffff' {
			return ' '
		}
		return c
	}, text)
	return strings.TrimRight(strings.Join(strings.Fields(flat), " "), `\ `)
}
