// Package osv reads records of known vulnerabilities in the OSV format, and finds those of a
// package of PyPI. It is pure: it uses no files and no network.
//
// The format: https://ossf.github.io/osv-schema/
package osv

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/reconcile-ml/reconcile/internal/pep"
)

// Ecosystem is the name of the Python Package Index in records and queries.
const Ecosystem = "PyPI"

// A Record is one record, reduced to what is used here.
type Record struct {
	ID        string     `json:"id"`
	Aliases   []string   `json:"aliases,omitempty"` // other identifiers of the same flaw
	Summary   string     `json:"summary,omitempty"`
	Details   string     `json:"details,omitempty"`
	Modified  time.Time  `json:"modified,omitzero"`
	Withdrawn *time.Time `json:"withdrawn,omitempty"` // nil for a record that is valid
	Severity  []Score    `json:"severity,omitempty"`
	Affected  []Affected `json:"affected,omitempty"`
	Specific  Specific   `json:"database_specific,omitzero"`
}

// A Score is a severity in a standard system.
type Score struct {
	Type  string `json:"type"`  // CVSS_V2, CVSS_V3, CVSS_V4
	Score string `json:"score"` // the vector
}

// Specific are fields that one database defines: GitHub has a severity in words.
type Specific struct {
	Severity string `json:"severity,omitempty"`
}

// UnmarshalJSON reads the fields of GitHub. Those of another database may have any type.
func (s *Specific) UnmarshalJSON(b []byte) error {
	var fields struct{ Severity any }
	if json.Unmarshal(b, &fields) == nil {
		s.Severity, _ = fields.Severity.(string)
	}
	return nil
}

// Affected are the affected versions of one package.
type Affected struct {
	Package  Package  `json:"package"`
	Severity []Score  `json:"severity,omitempty"`
	Ranges   []Range  `json:"ranges,omitempty"`
	Versions []string `json:"versions,omitempty"` // affected besides those of the ranges

	parsed []pep.Version // of Versions, once they are used
}

// A Package is the name of a package in an ecosystem.
type Package struct {
	Ecosystem string `json:"ecosystem"`
	Name      string `json:"name"`
}

// A Range is a list of events in the order of versions.
type Range struct {
	Type   string  `json:"type"` // ECOSYSTEM: versions of the ecosystem; others are not used
	Events []Event `json:"events"`

	sorted []bound // of Events, once they are used
}

// An Event has one of these versions.
type Event struct {
	Introduced   string `json:"introduced,omitempty"` // the first affected one; "0" for all before too
	Fixed        string `json:"fixed,omitempty"`      // the first one that is not affected
	LastAffected string `json:"last_affected,omitempty"`
}

// Maximum numbers in a record. Known ones have less than 100 events, and less than 10,000 versions.
const (
	maxEvents   = 2000
	maxVersions = 100_000
)

// Parse reads one record. Of the texts it keeps one line, and of the aliases those that are
// identifiers.
func Parse(text []byte) (Record, error) {
	var r Record
	if err := json.Unmarshal(text, &r); err != nil {
		return Record{}, err
	}
	switch {
	case r.ID == "":
		return Record{}, errors.New("it has no id")
	case !ValidID(r.ID):
		return Record{}, fmt.Errorf("its id is invalid: %.100q", r.ID)
	}
	events, versions := 0, 0
	for i := range r.Affected {
		versions += len(r.Affected[i].Versions)
		for k := range r.Affected[i].Ranges {
			events += len(r.Affected[i].Ranges[k].Events)
		}
	}
	if events > maxEvents || versions > maxVersions {
		return Record{}, fmt.Errorf("%s has more than %d events or %d versions", r.ID, maxEvents, maxVersions)
	}
	r.Aliases = slices.DeleteFunc(r.Aliases, func(id string) bool { return !ValidID(id) })
	r.Summary, r.Details = shorten(oneLine(r.Summary), maxSummary), firstSentence(r.Details)
	return r, nil
}

// Names returns the normalised names of the packages of PyPI that the record is about.
func (r *Record) Names() (names []string) {
	for i := range r.Affected {
		if name, ok := r.Affected[i].Package.pypi(); ok && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// pypi returns the normalised name of a package of PyPI.
func (p Package) pypi() (name string, ok bool) {
	ecosystem, _, _ := strings.Cut(p.Ecosystem, ":") // "PyPI:HOST" is that of another index
	return pep.Normalize(p.Name), ecosystem == Ecosystem && p.Name != ""
}

// Affects reports whether a version of a package of PyPI is affected. The local version, such as
// +cu128, has no effect: the databases have none. A withdrawn record affects nothing. A version
// that is not one by PEP 440 is compared with the listed versions alone.
func (r *Record) Affects(name, version string) bool {
	if r.Withdrawn != nil {
		return false
	}
	name, version = pep.Normalize(name), public(version)
	for i := range r.Affected {
		if of, ok := r.Affected[i].Package.pypi(); ok && of == name && r.Affected[i].has(version) {
			return true
		}
	}
	return false
}

// public returns a version without its local version.
func public(version string) string {
	version, _, _ = strings.Cut(version, "+")
	return version
}

// has reports whether a version is affected.
func (a *Affected) has(version string) bool {
	at, ok := pep.ParseVersion(version)
	if !ok || slices.Contains(a.Versions, version) {
		return slices.Contains(a.Versions, version)
	}
	if a.parsed == nil {
		for _, text := range a.Versions {
			if v, ok := pep.ParseVersion(text); ok {
				a.parsed = append(a.parsed, v)
			}
		}
	}
	if slices.ContainsFunc(a.parsed, func(v pep.Version) bool { return v.Compare(at) == 0 }) {
		return true
	}
	for i := range a.Ranges {
		if r := &a.Ranges[i]; r.Type == "ECOSYSTEM" && r.has(at) {
			return true
		}
	}
	return false
}

// A bound is an event with its version, which is the zero value for the beginning.
type bound struct {
	Event
	at pep.Version
}

// has evaluates the events in the order of their versions, as the specification does.
func (r *Range) has(version pep.Version) bool {
	if r.sorted == nil {
		r.sorted = r.bounds()
	}
	affected := false
	for _, b := range r.sorted {
		switch order := version.Compare(b.at); {
		case b.Introduced != "" && order >= 0:
			affected = true
		case b.Fixed != "" && order >= 0:
			affected = false
		case b.LastAffected != "" && order > 0:
			affected = false
		}
	}
	return affected
}

// bounds returns the events in order. An end that is not a version is left out, so that more
// versions are affected, and such a beginning is that of all versions: a flaw is rather reported
// once too often than not at all.
func (r *Range) bounds() []bound {
	var list []bound
	for _, e := range r.Events {
		at, ok := parseBound(cmp.Or(e.Introduced, e.Fixed, e.LastAffected))
		if ok || e.Introduced != "" {
			list = append(list, bound{e, at})
		}
	}
	slices.SortStableFunc(list, func(a, b bound) int { return a.at.Compare(b.at) })
	return list
}

// parseBound parses the version of an event. Some records have ">=3.9" where a version belongs.
func parseBound(text string) (pep.Version, bool) {
	if text == "0" {
		return pep.Version{}, false // before all versions
	}
	if v, ok := pep.ParseVersion(text); ok {
		return v, true
	}
	v, ok := pep.ParseVersion(strings.TrimLeft(text, ">= "))
	return v, ok
}

// Fixes returns the versions in which the record is fixed for a package, in order. They are not
// affected themselves.
func (r *Record) Fixes(name string) (list []string) {
	r.each(name, func(e Event) {
		if v, ok := parseBound(e.Fixed); ok && e.Fixed != "" && !r.Affects(name, v.String()) && !slices.Contains(list, v.String()) {
			list = append(list, v.String())
		}
	})
	slices.SortFunc(list, pep.CompareVersions)
	return list
}

// LastAffected returns the highest version of a package that is known to be affected where no
// fixed version is known; "" if it is not known either.
func (r *Record) LastAffected(name string) (last string) {
	r.each(name, func(e Event) {
		if v, ok := parseBound(e.LastAffected); ok && e.LastAffected != "" && pep.CompareVersions(v.String(), last) > 0 {
			last = v.String()
		}
	})
	return last
}

// each calls use for each event of the ranges of a package.
func (r *Record) each(name string, use func(Event)) {
	name = pep.Normalize(name)
	for i := range r.Affected {
		if of, ok := r.Affected[i].Package.pypi(); !ok || of != name {
			continue
		}
		for _, one := range r.Affected[i].Ranges {
			if one.Type != "ECOSYSTEM" {
				continue
			}
			for _, e := range one.Events {
				use(e)
			}
		}
	}
}

// ValidID reports whether a text can be an identifier: it becomes a part of URLs.
func ValidID(id string) bool {
	return id != "" && len(id) <= 100 && !strings.ContainsFunc(id, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-_.:", r))
	}) && strings.Trim(id, ".") != ""
}

// ParseAll reads a file of records: one record, an array of them, or one for each line.
func ParseAll(text []byte, use func(Record)) error {
	d := json.NewDecoder(bytes.NewReader(text))
	for n := 1; ; n++ {
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return fmt.Errorf("value %d is not JSON: %w", n, err)
		}
		if raw[0] != '[' {
			r, err := Parse(raw)
			if err != nil {
				return fmt.Errorf("value %d is not an OSV record: %w", n, err)
			}
			use(r)
			continue
		}
		var list []json.RawMessage
		if err := json.Unmarshal(raw, &list); err != nil {
			return err
		}
		for i, one := range list {
			r, err := Parse(one)
			if err != nil {
				return fmt.Errorf("item %d is not an OSV record: %w", i+1, err)
			}
			use(r)
		}
	}
}
