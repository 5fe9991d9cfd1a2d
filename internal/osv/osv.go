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

// A Vulnerability is one flaw of one version of a package, from all records of it.
type Vulnerability struct {
	ID       string   // preferred: CVE, then GHSA, then PYSEC
	IDs      []string // all, ID first
	Summary  string
	Severity Severity
	// Fixes are the known fixed versions, in order. LastAffected is the highest version that is
	// known to be affected, if no fixed one is known.
	Fixes        []string
	LastAffected string

	records []Record
	name    string
}

// Affects reports whether another version of the package has the flaw.
func (v *Vulnerability) Affects(version string) bool {
	return slices.ContainsFunc(v.records, func(r Record) bool { return r.Affects(v.name, version) })
}

// Affecting returns the records that affect a version of a package.
func Affecting(records []Record, name, version string) (found []Record) {
	for i := range records {
		if records[i].Affects(name, version) {
			found = append(found, records[i])
		}
	}
	return found
}

// Merge returns the flaws of a version of a package, the most severe ones first, from the records
// that affect it. Records that name each other, or the same alias, are one flaw.
func Merge(records []Record, name string) []Vulnerability {
	var list []Vulnerability
	for _, group := range groups(records) {
		list = append(list, merge(group, name))
	}
	slices.SortFunc(list, func(a, b Vulnerability) int {
		return cmp.Or(cmp.Compare(b.Severity, a.Severity), compareIDs(a.ID, b.ID))
	})
	return list
}

// groups returns the records that are about the same flaw together.
func groups(records []Record) (list [][]Record) {
	at := map[string]int{} // by identifier
	for _, r := range records {
		ids := append([]string{r.ID}, r.Aliases...)
		to := -1
		for _, id := range ids {
			i, ok := at[id]
			switch {
			case !ok || i == to:
			case to < 0:
				to = i
			default: // the record joins two groups
				if len(list[i]) > len(list[to]) {
					i, to = to, i
				}
				for _, moved := range list[i] {
					at[moved.ID] = to
					for _, alias := range moved.Aliases {
						at[alias] = to
					}
				}
				list[to] = append(list[to], list[i]...)
				list[i] = nil
			}
		}
		if to < 0 {
			to = len(list)
			list = append(list, nil)
		}
		list[to] = append(list[to], r)
		for _, id := range ids {
			at[id] = to
		}
	}
	return slices.DeleteFunc(list, func(group []Record) bool { return group == nil })
}

// merge makes one flaw of the records of a group.
func merge(group []Record, name string) Vulnerability {
	v := Vulnerability{records: group, name: name}
	for i := range group {
		r := &group[i]
		v.IDs = append(append(v.IDs, r.ID), r.Aliases...)
		v.Severity = max(v.Severity, r.severity(name))
		v.Fixes = append(v.Fixes, r.Fixes(name)...)
		if last := r.LastAffected(name); pep.CompareVersions(last, v.LastAffected) > 0 {
			v.LastAffected = last
		}
	}
	slices.SortFunc(v.IDs, compareIDs)
	v.IDs = slices.Compact(v.IDs)
	v.ID = v.IDs[0]
	slices.SortFunc(v.Fixes, pep.CompareVersions)
	v.Fixes = slices.CompactFunc(v.Fixes, pep.SameVersion)
	v.Fixes = slices.DeleteFunc(v.Fixes, v.Affects) // fixed by one record, affected by another
	if len(v.Fixes) > 0 {
		v.LastAffected = ""
	}
	slices.SortFunc(group, func(a, b Record) int { return compareIDs(a.ID, b.ID) })
	for i := range group {
		if v.Summary = cmp.Or(v.Summary, group[i].Summary); v.Summary != "" {
			break
		}
	}
	for i := range group {
		v.Summary = cmp.Or(v.Summary, group[i].Details)
	}
	return v
}

// Maximum sizes in bytes of a summary, and of a sentence in its place.
const (
	maxSummary  = 500
	maxSentence = 160
)

// firstSentence returns the first sentence of a text as one line.
func firstSentence(text string) string {
	paragraph, _, _ := strings.Cut(strings.TrimSpace(text), "\n\n")
	sentence, _, _ := strings.Cut(oneLine(paragraph), ". ")
	return strings.TrimSuffix(shorten(sentence, maxSentence), ".")
}

// oneLine returns a text with single spaces.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// shorten shortens a line at a word. The result does not keep the memory of the line.
func shorten(line string, most int) string {
	if len(line) <= most {
		return strings.Clone(line)
	}
	line = line[:most]
	if at := strings.LastIndexByte(line, ' '); at > 0 {
		line = line[:at]
	}
	return strings.ToValidUTF8(line, "") + " …"
}

// SmallestFix returns the lowest fixed version above the locked one that has none of the flaws, except
// those of which no end is known; "" if there is none.
func SmallestFix(flaws []Vulnerability, locked string) string {
	flaws = slices.DeleteFunc(slices.Clone(flaws), func(v Vulnerability) bool { return len(v.Fixes) == 0 && v.LastAffected == "" })
	var fixes []string
	for i := range flaws {
		fixes = append(fixes, flaws[i].Fixes...)
	}
	slices.SortFunc(fixes, pep.CompareVersions)
	for _, fix := range fixes {
		if pep.CompareVersions(fix, public(locked)) > 0 && !slices.ContainsFunc(flaws, func(v Vulnerability) bool { return v.Affects(fix) }) {
			return fix
		}
	}
	return ""
}

// compareIDs orders identifiers: CVE, GHSA, PYSEC, others.
func compareIDs(a, b string) int {
	return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b))
}

func rank(id string) int {
	for i, prefix := range []string{"CVE-", "GHSA-", "PYSEC-"} {
		if strings.HasPrefix(id, prefix) {
			return i
		}
	}
	return 3
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
