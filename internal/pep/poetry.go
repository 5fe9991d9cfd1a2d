package pep

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

var poetryClause = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(\^|~=|~|===?|!=|<=|>=|<|>|=)?\s*([^\s,<>=!~^|]+)(?:\s*,\s*|\s+|$)`)
})

// PoetryClauses returns the clauses of a constraint of Poetry: "^1.2", "~1.2", "1.2", "*",
// ">=1,<2". Alternatives (||) have no clauses.
func PoetryClauses(text string) ([]Clause, bool) {
	var list []Clause
	for text = strings.TrimSpace(text); text != ""; {
		m := poetryClause().FindStringSubmatch(text)
		if m == nil {
			return nil, false
		}
		text = strings.TrimSpace(text[len(m[0]):])
		op, version := m[1], m[2]
		if version == "*" && (op == "" || op == "==") {
			continue
		}
		switch op {
		case "", "=":
			op = "=="
		case "^", "~":
			upper, ok := upperBound(op, version)
			if !ok {
				return nil, false
			}
			list = append(list, Clause{Op: ">=", Version: version}, Clause{Op: "<", Version: upper})
			continue
		}
		clauses, ok := ParseClauses(op + version)
		if !ok {
			return nil, false
		}
		list = append(list, clauses...)
	}
	return list, true
}

// upperBound returns the first release that ^VERSION or ~VERSION does not allow.
func upperBound(op, version string) (string, bool) {
	canonical, ok := CanonicalVersion(version)
	if !ok {
		return "", false
	}
	end := strings.IndexFunc(canonical, func(c rune) bool { return (c < '0' || c > '9') && c != '.' })
	if end < 0 {
		end = len(canonical)
	}
	parts := strings.Split(strings.TrimSuffix(canonical[:end], "."), ".")
	i := 0
	switch {
	case op == "~":
		i = min(1, len(parts)-1)
	default:
		i = slices.IndexFunc(parts, func(p string) bool { return p != "0" })
		if i < 0 {
			i = len(parts) - 1
		}
	}
	n, err := strconv.ParseUint(parts[i], 10, 32)
	if err != nil {
		return "", false
	}
	parts = append(slices.Clone(parts[:i]), strconv.FormatUint(n+1, 10))
	return strings.Join(parts, "."), true
}
