package lock

import (
	"fmt"
	"slices"
	"strings"
)

// A CondaFile is the input of an environment file of conda.
type CondaFile struct {
	Project     string
	Environment string // its name in the manifest
	Name        string // its name for conda
	Channels    []string
	Python      string // minor version; the lock has the release
	Conda       []CondaPin
	Packages    []Requirement
	Closure     *Lock // nil: only the requests
	// Command writes the file; "" for reconcile apply, which keeps it up to date.
	Command string
	// Pip replaces the lines for pip that Packages and Closure have.
	Pip []PipLine
}

// A PipLine is a line of a requirements file, with a comment above it; "" for none.
type PipLine struct{ Comment, Line string }

// Encode writes an environment file for a conda client without reconcile
// (conda env create -f): conda installs Python and the conda packages, pip all else. Pip
// ignores what conda requires, so no package is in both parts.
func (f CondaFile) Encode() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Environment %s of project %s.\n", comment(f.Environment), comment(f.Project))
	if f.Command == "" {
		b.WriteString("# Written by `reconcile apply` from manifest.yaml: change it there, run `reconcile lock`, then apply.\n")
	} else {
		fmt.Fprintf(&b, "# Written by `%s`.\n", comment(f.Command))
	}
	b.WriteString("# For a conda client alone: conda env create -f, mamba env create -f, micromamba create -f.\n")
	fmt.Fprintf(&b, "name: %s\nchannels:\n", yamlWord(f.Name))
	for _, c := range f.Channels {
		fmt.Fprintf(&b, "  - %s\n", yamlWord(c))
	}
	b.WriteString("dependencies:\n")
	f.conda(&b)
	lines := f.Pip
	if lines == nil {
		lines = f.pipLines()
	}
	if len(lines) > 0 {
		b.WriteString("  - pip:\n")
	}
	for _, l := range lines {
		if text := comment(l.Comment); text != "" {
			b.WriteString("    # " + text + "\n")
		}
		fmt.Fprintf(&b, "    - %s\n", yamlWord(l.Line))
	}
	return b.String()
}

// pipLines returns the requested packages and their dependencies.
func (f CondaFile) pipLines() (lines []PipLine) {
	for _, p := range f.Packages {
		why := p.Why
		for _, line := range f.Closure.pinned(p) {
			lines = append(lines, PipLine{why, line})
			why = ""
		}
	}
	for i, line := range f.Closure.dependencies(f.Packages) {
		l := PipLine{Line: line}
		if i == 0 {
			l.Comment = "Dependencies, locked in " + f.Closure.Path + "."
		}
		lines = append(lines, l)
	}
	return lines
}

// conda writes the conda packages. To conda, name=3.10 is any 3.10.x, and name==3.10.14 an
// exact version.
func (f CondaFile) conda(b *strings.Builder) {
	var locked *Conda
	if f.Closure != nil {
		locked = f.Closure.Conda
	}
	named := func(name string) bool {
		return slices.ContainsFunc(f.Conda, func(p CondaPin) bool { return p.Name == name })
	}
	switch version := locked.Version("python"); {
	case named("python"):
	case version == "":
		fmt.Fprintf(b, "  - python=%s\n", f.Python)
	default:
		fmt.Fprintf(b, "  - python==%s\n", version)
	}
	for _, p := range f.Conda {
		if why := comment(p.Why); why != "" {
			b.WriteString("  # " + why + "\n")
		}
		line := p.Name + "==" + p.Version
		if p.Build != "" {
			line = p.Name + "=" + p.Version + "=" + p.Build
		}
		fmt.Fprintf(b, "  - %s\n", yamlWord(line))
	}
	switch version := locked.Version("pip"); { // without pip, clients add one and print a warning
	case named("pip"):
	case version == "":
		b.WriteString("  - pip\n")
	default:
		fmt.Fprintf(b, "  - pip==%s\n", version)
	}
}

// yamlWord writes a text that YAML 1.1 reads back: plain if that is safe, else in double
// quotes.
func yamlWord(s string) string {
	plain := s != "" && strings.Trim(s, alphanumeric+"_./+=-") == "" && strings.Trim(s[:1], "-=.0123456789+") != ""
	if plain && !slices.Contains([]string{"null", "true", "false", "yes", "no", "on", "off", "y", "n"}, strings.ToLower(s)) {
		return s
	}
	return quote(s)
}
