package pep

import (
	"slices"
	"strconv"
	"strings"
)

// Allows reports whether clauses allow a release, which is numbers joined by dots, such
// as that of a Python. ok is false where a clause names anything but numbers: pre-releases
// of Python are not compared.
func Allows(clauses []Clause, release string) (allowed, ok bool) {
	at, ok := numbers(release)
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
		allowed = allowed && c.allows(at, want, wildcard)
	}
	return allowed, true
}

func (c Clause) allows(at, want []int, wildcard bool) bool {
	order := compareNumbers(at, want)
	switch c.Op {
	case "==", "===":
		return wildcard && within(at, want) || !wildcard && order == 0
	case "!=":
		return wildcard && !within(at, want) || !wildcard && order != 0
	case "~=":
		return order >= 0 && len(want) > 1 && within(at, want[:len(want)-1])
	case "<=":
		return order <= 0
	case ">=":
		return order >= 0
	case "<":
		return order < 0
	}
	return order > 0
}

// within reports whether a release begins with a line: 3.10.4 is within 3.10.
func within(at, line []int) bool {
	for i, n := range line {
		if i >= len(at) && n != 0 || i < len(at) && at[i] != n {
			return false
		}
	}
	return true
}

// compareNumbers compares releases; those that are not written are 0.
func compareNumbers(a, b []int) int {
	for len(a) < len(b) {
		a = append(slices.Clip(a), 0)
	}
	for len(b) < len(a) {
		b = append(slices.Clip(b), 0)
	}
	return slices.Compare(a, b)
}

// numbers reads a release: at most four digits a number.
func numbers(s string) ([]int, bool) {
	var list []int
	for part := range strings.SplitSeq(s, ".") {
		n, err := strconv.Atoi(part)
		if err != nil || len(part) > 4 || part[0] == '+' || part[0] == '-' {
			return nil, false
		}
		list = append(list, n)
	}
	return list, true
}
