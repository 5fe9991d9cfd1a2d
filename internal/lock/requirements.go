package lock

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/reconcile-ml/reconcile/internal/pep"
)

// Requirements returns the text of a requirements file that installs the same
// environment with pip alone: each pin with its reason above it, then the rest
// of the closure, exact too. Without a lock (nil) it holds the pins alone.
func Requirements(project, environment string, pins []Pin, closure *Lock) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Python packages of environment %s of project %s.\n", comment(environment), comment(project))
	b.WriteString("# Written by `reconcile apply` from manifest.yaml: change `packages` there, run `reconcile lock`, then apply.\n")
	b.WriteString("# Works alone too: pip install -r, in an empty environment of the same Python.\n")
	declared := map[string]bool{}
	for _, p := range pins {
		declared[pep.Normalize(p.Name)] = true
		b.WriteByte('\n')
		if why := comment(p.Why); why != "" {
			b.WriteString("# " + why + "\n")
		}
		b.WriteString(requirement(p.Name, p.Extras, p.Version, p.Marker))
	}
	if closure == nil {
		return b.String()
	}
	header := "\n# What the packages above need, as locked in " + comment(closure.Path) + ".\n"
	for _, p := range closure.Packages {
		if declared[p.Name] {
			continue
		}
		marker := ""
		if p.Platforms != nil && len(p.Platforms) < len(closure.Platforms) {
			marker = Marker(p.Platforms)
		}
		b.WriteString(header + requirement(p.Name, nil, p.Version, marker))
		header = ""
	}
	return b.String()
}

// requirement returns one line of a requirements file.
func requirement(name string, extras []string, version, marker string) string {
	line := name
	if len(extras) > 0 {
		line += "[" + strings.Join(slices.Sorted(slices.Values(extras)), ",") + "]"
	}
	line += "==" + version
	if marker != "" {
		line += " ; " + marker
	}
	return line + "\n"
}

// comment makes a text fit behind a # on one line: whatever ends a line for pip
// or an editor, control characters and direction marks become spaces, runs of
// spaces one. A backslash at the end would join the next line to some readers.
func comment(text string) string {
	flat := strings.Map(func(c rune) rune {
		if unicode.IsControl(c) || unicode.IsSpace(c) || unicode.Is(unicode.Cf, c) || c >= unicode.ReplacementChar && c <= '\uffff' {
			return ' '
		}
		return c
	}, text)
	return strings.TrimRight(strings.Join(strings.Fields(flat), " "), `\ `)
}

// HashedRequirements returns the requirements file that an installer gets: exact
// versions with the digests that it may install, and nothing else.
func HashedRequirements(dists []Dist) string {
	var b strings.Builder
	for _, d := range dists {
		b.WriteString(d.Name + "==" + d.Version)
		for _, h := range d.Hashes() {
			b.WriteString(" \\\n    --hash=sha256:" + h)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
