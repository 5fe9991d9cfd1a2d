package lock

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/pep"
)

// A Requirement is a package that a project asks for.
type Requirement struct {
	Name      string   // as written
	Extras    []string // as written
	Specifier string   // PEP 440: "==2.3.3", ">=2,<3"; "" for any version
	Marker    string   // PEP 508, "" for always
	Index     string   // name of the index that it must come from, "" for the default ones
	// URL is a direct reference, "" for a package of an index: "git+https://HOST/x.git@COMMIT",
	// "https://HOST/x-1.0-py3-none-any.whl#sha256=…", or a file or directory of the project,
	// relative to its root: "./wheels/x-1.0-py3-none-any.whl", "./libs/x".
	URL string
	Why string // "" for none
	Pos diag.Pos
}

// Pin returns the exact version that the requirement allows, "" if it allows several.
func (r Requirement) Pin() string {
	version, ok := strings.CutPrefix(r.Specifier, "==")
	if version = strings.TrimSpace(version); !ok || !pep.ValidVersion(version) {
		return ""
	}
	return version
}

// Request returns the requirement in the form of locks, with normalised names and sorted
// extras: "pandas==2.3.3", "torch>=2.9 ; sys_platform == 'linux'".
func (r Requirement) Request() string {
	r.Name = pep.Normalize(r.Name)
	extras := make([]string, len(r.Extras))
	for i, e := range r.Extras {
		extras[i] = pep.Normalize(e)
	}
	r.Extras = extras
	return r.String()
}

// String returns a line of a requirements file, with sorted extras and without repetitions.
func (r Requirement) String() string {
	line := r.Name
	if extras := slices.Compact(slices.Sorted(slices.Values(r.Extras))); len(extras) > 0 {
		line += "[" + strings.Join(extras, ",") + "]"
	}
	if r.URL != "" {
		line += " @ " + r.URL
	}
	line += r.Specifier
	if r.Marker != "" {
		line += " ; " + r.Marker
	}
	return line
}

// Requirements returns a requirements file for pip: the requested packages with their
// reasons, at their locked versions, then their locked dependencies. Without a lock (nil) it
// contains only the requests.
func Requirements(project, environment string, packages []Requirement, closure *Lock) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Python packages of environment %s of project %s.\n", comment(environment), comment(project))
	b.WriteString("# Written by `reconcile apply` from manifest.yaml: change `packages` there, run `reconcile lock`, then apply.\n")
	b.WriteString("# For pip alone: pip install -r, in an empty environment with the same Python.\n")
	for _, p := range packages {
		b.WriteByte('\n')
		if why := comment(p.Why); why != "" {
			b.WriteString("# " + why + "\n")
		}
		for _, line := range closure.pinned(p) {
			b.WriteString(line + "\n")
		}
	}
	if list := closure.dependencies(packages); len(list) > 0 {
		fmt.Fprintf(&b, "\n# Dependencies, locked in %s.\n%s\n", comment(closure.Path), strings.Join(list, "\n"))
	}
	return b.String()
}

// pinned returns the lines of a requirement with its locked versions: one, or one for each
// version if platforms need different ones. l may be nil.
func (l *Lock) pinned(r Requirement) (lines []string) {
	if l == nil || r.Pin() != "" || r.URL != "" {
		return []string{l.direct(r)}
	}
	for _, p := range l.Packages {
		if p.Name == pep.Normalize(r.Name) {
			lines = append(lines, Requirement{Name: r.Name, Extras: r.Extras, Specifier: "==" + p.Version, Marker: l.marker(p)}.String())
		}
	}
	return lines // none if no platform needs the package
}

// direct returns the line of a pin or a direct reference, with the locked commit of git. pip takes
// paths of the project only without a name. l may be nil.
func (l *Lock) direct(r Requirement) string {
	if path, ok := strings.CutPrefix(r.URL, "./"); ok {
		if !strings.HasSuffix(path, ".whl") && !ValidArchive(path[strings.LastIndexByte(path, '/')+1:]) {
			return "-e " + strings.TrimSuffix(r.URL, "/")
		}
		return r.URL
	}
	if l == nil || !strings.HasPrefix(r.URL, "git+") {
		return r.String()
	}
	for _, p := range l.Packages {
		if p.Name == pep.Normalize(r.Name) && p.Build != nil && p.Build.Git != "" {
			r.URL = "git+" + p.Build.Git + "@" + p.Build.Commit
			if p.Build.Subdirectory != "" {
				r.URL += "#subdirectory=" + p.Build.Subdirectory
			}
		}
	}
	return r.String()
}

// marker returns the marker of the platforms that need a package, "" for all.
func (l *Lock) marker(p Package) string {
	if p.Platforms == nil || len(p.Platforms) == len(l.Platforms) {
		return ""
	}
	return Marker(p.Platforms)
}

// dependencies returns the locked packages that no requirement names, as lines. l may be nil.
func (l *Lock) dependencies(packages []Requirement) (list []string) {
	if l == nil {
		return nil
	}
	declared := map[string]bool{}
	for _, p := range packages {
		declared[pep.Normalize(p.Name)] = true
	}
	for _, p := range l.Packages {
		if !declared[p.Name] {
			list = append(list, Requirement{Name: p.Name, Specifier: "==" + p.Version, Marker: l.marker(p)}.String())
		}
	}
	return list
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
