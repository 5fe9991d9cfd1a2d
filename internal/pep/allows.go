package pep

import (
	"slices"
	"strconv"
	"strings"
)

// Allows reports whether clauses allow a release, such as "3.10.4". ok is false if the
// release or a clause is not only numbers: pre-releases are not compared.
func Allows(clauses []Clause, release string) (allowed, ok bool) {
	have, ok := numbers(release)
	if !ok {
		return false, false
	}
	allowed = true
	for _, c := range clauses {
		version, wildcard := strings.CutSuffix(c.Version, ".*")
		want, ok := numbers(version)
		if !ok {
			return false, false
		}
		allowed = allowed && c.allows(have, want, wildcard)
	}
	return allowed, true
}

func (c Clause) allows(have, want []int, wildcard bool) bool {
	equal := compareNumbers(have, want) == 0
	if wildcard {
		equal = hasPrefix(have, want)
	}
	order := compareNumbers(have, want)
	switch c.Op {
	case "==", "===":
		return equal
	case "!=":
		return !equal
	case "~=":
		return order >= 0 && len(want) > 1 && hasPrefix(have, want[:len(want)-1])
	case "<=":
		return order <= 0
	case ">=":
		return order >= 0
	case "<":
		return order < 0
	}
	return order > 0
}

// hasPrefix reports whether a release begins with prefix: 3.10.4 begins with 3.10.
func hasPrefix(release, prefix []int) bool {
	for len(release) < len(prefix) {
		release = append(slices.Clip(release), 0)
	}
	return slices.Equal(release[:len(prefix)], prefix)
}

// compareNumbers compares releases; missing numbers are 0.
func compareNumbers(a, b []int) int {
	for len(a) < len(b) {
		a = append(slices.Clip(a), 0)
	}
	for len(b) < len(a) {
		b = append(slices.Clip(b), 0)
	}
	return slices.Compare(a, b)
}

// numbers reads a release; each number has at most four digits.
func numbers(s string) ([]int, bool) {
	var list []int
	for part := range strings.SplitSeq(s, ".") {
		n, err := strconv.ParseUint(part, 10, 16)
		if err != nil || len(part) > 4 {
			return nil, false
		}
		list = append(list, int(n))
	}
	return list, true
}
