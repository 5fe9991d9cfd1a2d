package manifest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/pep"
)

var (
	auditShape  = shape{what: "audit", keys: []string{"ignore", "public_indexes", "private"}}
	ignoreShape = shape{what: "an accepted finding", keys: []string{"id", "why", "until"}, required: 2}
)

// An Audit has the findings that `reconcile audit` accepts, and the packages that it may send to a
// server.
type Audit struct {
	Ignore []Accepted
	// PublicIndexes are the names of indexes whose packages are public.
	PublicIndexes []string
	// Private are names of packages that are never sent, normalised. A * at the end matches
	// any characters.
	Private []string
}

// An Accepted is a finding that is known and accepted.
type Accepted struct {
	ID    string    // of the finding, or one of its aliases
	Why   string    // the reason
	Until time.Time // the last day, in UTC; zero for no end
	Pos   diag.Pos
}

// IsExpired reports whether the last day is over.
func (a Accepted) IsExpired(now time.Time) bool {
	return !a.Until.IsZero() && !now.Before(a.Until.AddDate(0, 0, 1))
}

// Accepts returns the entry that accepts a finding with one of ids on a day.
func (a *Audit) Accepts(now time.Time, ids ...string) (Accepted, bool) {
	i := slices.IndexFunc(a.Ignore, func(one Accepted) bool { return slices.Contains(ids, one.ID) && !one.IsExpired(now) })
	if i < 0 {
		return Accepted{}, false
	}
	return a.Ignore[i], true
}

// IsPrivate reports whether the name of a package matches Private.
func (a *Audit) IsPrivate(name string) bool {
	name = pep.Normalize(name)
	return slices.ContainsFunc(a.Private, func(pattern string) bool {
		prefix, more := strings.CutSuffix(pattern, "*")
		return name == pattern || more && strings.HasPrefix(name, prefix)
	})
}

// auditSection reads the section audit.
func (l *loader) auditSection(v value) {
	f, ok := v.object(&auditShape)
	if !ok {
		return
	}
	seen := map[string]diag.Pos{}
	for item := range f.get("ignore").items("an accepted finding") {
		if one, ok := item.accepted(); ok {
			if first, again := seen[one.ID]; again {
				item.duplicate("duplicate-item", quote(one.ID)+" is listed twice", first)
				continue
			}
			seen[one.ID] = one.Pos
			l.m.Audit.Ignore = append(l.m.Audit.Ignore, one)
		}
	}
	for item := range f.get("public_indexes").items("an index") {
		name, ok := item.slug("an index")
		if names := l.indexNames(); ok && !slices.Contains(names, name) {
			item.problem("reference", "there is no index "+quote(name), "", didYouMean(name, names))
		}
		l.m.Audit.PublicIndexes = append(l.m.Audit.PublicIndexes, name)
	}
	for item := range f.get("private").items("a package") {
		s, ok := item.scalar()
		if name, _ := strings.CutSuffix(s, "*"); ok && !isNamePattern(name, s) {
			item.problem("name", quote(s)+" is not the name of a package", "", "write a name, or the beginning of names and a *: acme-*")
			continue
		}
		l.m.Audit.Private = append(l.m.Audit.Private, pep.Normalize(s))
	}
}

// indexNames returns the names of the indexes of the manifest and of its files.
func (l *loader) indexNames() (names []string) {
	for _, x := range l.m.Indexes {
		names = append(names, x.Name)
	}
	for _, e := range l.m.Environments {
		for _, x := range e.sources.Indexes {
			names = append(names, x.Name)
		}
	}
	return names
}

// isNamePattern reports whether a name, or the beginning of names before a *, is valid.
func isNamePattern(name, pattern string) bool {
	if name == pattern {
		return pep.ValidName(name)
	}
	return pep.ValidName(name + "x")
}

// accepted reads an accepted finding.
func (v value) accepted() (a Accepted, ok bool) {
	f, ok := v.object(&ignoreShape)
	if !ok {
		return a, false
	}
	a.Pos = v.pos()
	if id := f.get("id"); id.given() {
		if a.ID, ok = id.scalar(); ok && !isFindingID(a.ID) {
			id.problem("name", quote(a.ID)+" is not the id of a finding", "", "write the id that `reconcile audit` prints, such as CVE-2025-32434")
			ok = false
		}
	}
	a.Why = f.get("why").text()
	if until := f.get("until"); until.given() {
		text, isText := until.scalar()
		day, err := time.Parse(time.DateOnly, text)
		if isText && (err != nil || day.Year() < 2000) { // the year 1 would be no end
			until.problem("value", "until is not a day", quote(text), fmt.Sprintf("write YEAR-MONTH-DAY, such as %q", "2027-01-31"))
		}
		a.Until = day
	}
	return a, ok && a.ID != "" && a.Why != ""
}

// isFindingID reports whether a text can be the id of a finding.
func isFindingID(id string) bool { return len(id) <= 200 && isSafe(id, "._:-+") && id[0] != '-' }
