package sourcebuild

import (
	"bytes"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/pep"
)

// Metadata are those of a distribution that a lock needs.
type Metadata struct {
	Name           string // as written
	Version        string
	RequiresPython string   // "" for any
	Requires       []string // PEP 508
	Extras         []string // that Requires mention in markers
}

// core are the fields of a METADATA or PKG-INFO file.
//
// https://packaging.python.org/en/latest/specifications/core-metadata/
type core struct {
	Metadata
	format  string   // Metadata-Version
	dynamic []string // in lower case
}

// parseCore reads the fields of a METADATA or PKG-INFO file. It ignores unknown ones and the
// description.
func parseCore(text []byte) core {
	var c core
	var fields [][2]string
	for line := range bytes.Lines(text) {
		line := strings.TrimRight(string(line), "\r\n")
		if line == "" {
			break
		}
		if line[0] == ' ' || line[0] == '\t' { // a folded field
			if len(fields) > 0 {
				fields[len(fields)-1][1] += " " + strings.TrimSpace(line)
			}
			continue
		}
		key, value, ok := strings.Cut(line, ":")
		if ok {
			fields = append(fields, [2]string{strings.ToLower(strings.TrimSpace(key)), strings.TrimSpace(value)})
		}
	}
	for _, f := range fields {
		switch f[0] {
		case "metadata-version":
			c.format = f[1]
		case "name":
			c.Name = f[1]
		case "version":
			c.Version = f[1]
		case "requires-python":
			c.RequiresPython = f[1]
		case "requires-dist":
			c.Requires = append(c.Requires, f[1])
		case "provides-extra":
			c.Extras = append(c.Extras, f[1])
		case "dynamic":
			c.dynamic = append(c.dynamic, strings.ToLower(f[1]))
		}
	}
	return c
}

// complete reports whether the metadata have a name, a version and valid requirements.
func (m Metadata) complete() bool {
	if !pep.ValidName(m.Name) || !pep.ValidVersion(m.Version) {
		return false
	}
	return !slices.ContainsFunc(m.Requires, func(r string) bool {
		_, err := pep.ParseRequirement(r)
		return err != nil
	})
}

// static reports whether the fields that a lock needs are those of every wheel that is built from
// the same source: Metadata-Version 2.2 or later without a dynamic one (PEP 643).
func (c core) static() bool {
	major, minor, _ := strings.Cut(c.format, ".")
	if !c.complete() || major != "2" || len(minor) == 1 && minor < "2" {
		return false
	}
	return !slices.ContainsFunc(c.dynamic, func(field string) bool {
		return field == "version" || field == "requires-dist" || field == "requires-python" || field == "provides-extra"
	})
}
