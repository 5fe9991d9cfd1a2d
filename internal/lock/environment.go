package lock

import (
	"fmt"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/pep"
)

// A CondaFile is what an environment file of conda is written from.
type CondaFile struct {
	Project     string
	Environment string // as the manifest names it
	Name        string // as conda will name it
	Channels    []string
	Python      string // line; the lock knows the release
	Conda       []CondaPin
	Pins        []Pin
	Closure     *Lock // nil: the pins alone
}

// Encode writes an environment file that makes the same environment with a client
// of conda alone (conda env create -f): conda brings the interpreter and what the
// manifest asks of it, pip everything else, exact, each pin with its reason above
// it. pip knows nothing of conda's pins, so that no package stands in both.
func (f CondaFile) Encode() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Environment %s of project %s.\n", comment(f.Environment), comment(f.Project))
	b.WriteString("# Written by `reconcile apply` from manifest.yaml: change it there, run `reconcile lock`, then apply.\n")
	b.WriteString("# Works alone too: conda env create -f, mamba env create -f, micromamba create -f.\n")
	fmt.Fprintf(&b, "name: %s\nchannels:\n", yamlWord(f.Name))
	for _, c := range f.Channels {
		fmt.Fprintf(&b, "  - %s\n", yamlWord(c))
	}
	b.WriteString("dependencies:\n")
	f.conda(&b)
	var pip strings.Builder
	if f.pip(&pip); pip.Len() > 0 {
		b.WriteString("  - pip:\n" + pip.String())
	}
	return b.String()
}

// conda writes what conda brings. In its words name=3.10 is any 3.10.x, name==3.10.14
// exactly that.
func (f CondaFile) conda(b *strings.Builder) {
	version := ""
	if f.Closure != nil && f.Closure.Conda != nil {
		version = f.Closure.Conda.Version("python")
	}
	pins := f.Conda
	named := func(name string) bool {
		for _, p := range pins {
			if p.Name == name {
				return true
			}
		}
		return false
	}
	if !named("python") {
		if version == "" {
			fmt.Fprintf(b, "  - python=%s\n", f.Python)
		} else {
			fmt.Fprintf(b, "  - python==%s\n", version)
		}
	}
	for _, p := range pins {
		if why := comment(p.Why); why != "" {
			b.WriteString("  # " + why + "\n")
		}
		line := p.Name + "==" + p.Version
		if p.Build != "" {
			line = p.Name + "=" + p.Version + "=" + p.Build
		}
		fmt.Fprintf(b, "  - %s\n", yamlWord(line))
	}
	if !named("pip") { // else clients add one of their choice, with a warning
		pip := "pip"
		if f.Closure != nil && f.Closure.Conda != nil && f.Closure.Conda.Version("pip") != "" {
			pip += "==" + f.Closure.Conda.Version("pip")
		}
		b.WriteString("  - " + pip + "\n")
	}
}

// pip writes the requirements, one a line.
func (f CondaFile) pip(b *strings.Builder) {
	line := func(text string) { fmt.Fprintf(b, "    - %s\n", yamlWord(strings.TrimSuffix(text, "\n"))) }
	declared := map[string]bool{}
	for _, p := range f.Pins {
		declared[pep.Normalize(p.Name)] = true
		if why := comment(p.Why); why != "" {
			b.WriteString("    # " + why + "\n")
		}
		line(requirement(p.Name, p.Extras, p.Version, p.Marker))
	}
	if f.Closure == nil {
		return
	}
	header := "    # What the packages above need, as locked in " + comment(f.Closure.Path) + ".\n"
	for _, p := range f.Closure.Packages {
		if declared[p.Name] {
			continue
		}
		marker := ""
		if p.Platforms != nil && len(p.Platforms) < len(f.Closure.Platforms) {
			marker = Marker(p.Platforms)
		}
		b.WriteString(header)
		header = ""
		line(requirement(p.Name, nil, p.Version, marker))
	}
}

// yamlWords are what YAML 1.1 reads as something else than a text, in any case.
var yamlWords = []string{"null", "true", "false", "yes", "no", "on", "off", "y", "n"}

// yamlWord writes a text as YAML reads it back: plain where that is safe, else in
// double quotes.
func yamlWord(s string) string {
	const safe = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./+=-"
	plain := s != "" && strings.Trim(s, safe) == "" && strings.Trim(s[:1], "-=.0123456789+") != ""
	if plain && !slices.Contains(yamlWords, strings.ToLower(s)) {
		return s
	}
	return quote(s) // TOML's basic string is one of YAML's double-quoted ones
}
