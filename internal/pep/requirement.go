package pep

import (
	"errors"
	"strings"
)

// A Requirement is a requirement by PEP 508.
type Requirement struct {
	Name    string
	Extras  []string
	Clauses []Clause
	URL     string // of a direct reference, NAME @ URL; it may contain a password and must not be printed
	Marker  string // "" for none; not validated
}

// A Clause is one clause of a version specifier: "==2.1.2", "<3".
type Clause struct{ Op, Version string }

var errRequirement = errors.New("is not a requirement by PEP 508")

// ParseRequirement parses a requirement. The error does not quote it.
func ParseRequirement(s string) (Requirement, error) {
	var r Requirement
	s, r.Marker = cutMarker(strings.TrimSpace(s))
	end := 0
	for end < len(s) && (isAlphanumeric(s[end]) || strings.IndexByte("-_.", s[end]) >= 0) {
		end++
	}
	r.Name, s = s[:end], strings.TrimSpace(s[end:])
	if !ValidName(r.Name) {
		return r, errRequirement
	}
	if rest, ok := strings.CutPrefix(s, "["); ok {
		list, after, closed := strings.Cut(rest, "]")
		if !closed {
			return r, errRequirement
		}
		for extra := range strings.SplitSeq(list, ",") {
			if extra = strings.TrimSpace(extra); ValidName(extra) {
				r.Extras = append(r.Extras, extra)
			} else if strings.TrimSpace(list) != "" {
				return r, errRequirement
			}
		}
		s = strings.TrimSpace(after)
	}
	if url, ok := strings.CutPrefix(s, "@"); ok {
		r.URL = strings.TrimSpace(url)
		if r.URL == "" || strings.ContainsAny(r.URL, " \t") {
			return r, errRequirement
		}
		return r, nil
	}
	if rest, ok := strings.CutPrefix(s, "("); ok {
		if s, ok = strings.CutSuffix(rest, ")"); !ok {
			return r, errRequirement
		}
	}
	var ok bool
	if r.Clauses, ok = ParseClauses(s); !ok {
		return r, errRequirement
	}
	return r, nil
}

// cutMarker splits a requirement from its marker. A URL may contain a semicolon, so the
// one after a URL must follow a space.
func cutMarker(s string) (requirement, marker string) {
	sep := ";"
	if strings.Contains(s, "://") {
		sep = " ;"
	}
	requirement, marker, _ = strings.Cut(s, sep)
	return strings.TrimSpace(requirement), strings.TrimSpace(marker)
}

// ParseClauses parses a version specifier, such as ">=3.10,<3.13". It may be empty.
func ParseClauses(s string) ([]Clause, bool) {
	if s = strings.TrimSpace(s); s == "" {
		return nil, true
	}
	var list []Clause
	for part := range strings.SplitSeq(strings.TrimSuffix(s, ","), ",") {
		c, ok := parseClause(strings.TrimSpace(part))
		if !ok {
			return nil, false
		}
		list = append(list, c)
	}
	return list, true
}

func parseClause(s string) (Clause, bool) {
	for _, op := range []string{"===", "==", "~=", "!=", "<=", ">=", "<", ">"} { // longest first
		version, ok := strings.CutPrefix(s, op)
		if !ok {
			continue
		}
		c := Clause{op, strings.TrimSpace(version)}
		bare := c.Version
		if op == "==" || op == "!=" {
			bare = strings.TrimSuffix(bare, ".*")
		}
		return c, ValidVersion(bare)
	}
	return Clause{}, false
}

// Pin returns the one exact version that a requirement allows, in its normal form.
func (r *Requirement) Pin() (string, bool) {
	for _, c := range r.Clauses {
		if c.Op != "==" && c.Op != "===" {
			continue
		}
		if v, ok := CanonicalVersion(c.Version); ok {
			return v, true
		}
	}
	return "", false
}

// String returns the requirement without its URL and its marker: "pandas[excel]>=2,<3".
func (r *Requirement) String() string {
	s := r.Name
	if len(r.Extras) > 0 {
		s += "[" + strings.Join(r.Extras, ",") + "]"
	}
	return s + Specifier(r.Clauses)
}

// Specifier returns clauses in the form that ParseClauses parses.
func Specifier(clauses []Clause) string {
	parts := make([]string, len(clauses))
	for i, c := range clauses {
		parts[i] = c.Op + c.Version
	}
	return strings.Join(parts, ",")
}
