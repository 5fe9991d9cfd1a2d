package pep

import (
	"slices"
	"strings"
)

// Allows reports whether clauses allow a version, such as "3.10.4" or "2.0rc1", by the rules of
// PEP 440. It does not exclude pre-releases in general. ok is false if the version or a clause is
// malformed.
func Allows(clauses []Clause, version string) (allowed, ok bool) {
	v, ok := ParseVersion(version)
	if !ok || slices.ContainsFunc(clauses, func(c Clause) bool { return !c.valid() }) {
		return false, false
	}
	return allowsAll(clauses, v), true
}

// AllowsPython reports whether a requires-python, such as ">=3.8", allows the newest release of a
// minor version, such as "3.10". A malformed one allows all, as for pip.
func AllowsPython(requires, minor string) bool {
	clauses, ok := ParseClauses(requires)
	allowed, known := Allows(clauses, minor+".99")
	return allowed || !known || !ok
}

// HasPreRelease reports whether a clause other than != contains a pre-release, which makes
// pre-releases candidates.
func HasPreRelease(clauses []Clause) bool {
	return slices.ContainsFunc(clauses, func(c Clause) bool {
		v, ok := ParseVersion(strings.TrimSuffix(c.Version, ".*"))
		return ok && c.Op != "!=" && v.IsPreRelease()
	})
}

func allowsAll(clauses []Clause, v Version) bool {
	for _, c := range clauses {
		if !c.Allows(v) {
			return false
		}
	}
	return true
}

// valid reports whether the clause has a known operator and a version that it can have.
func (c Clause) valid() bool {
	parsed, ok := parseClause(c.Op + c.Version)
	return ok && parsed == c
}

// Allows reports whether one clause allows a version. A malformed clause allows none.
func (c Clause) Allows(v Version) bool {
	bare, wildcard := strings.CutSuffix(c.Version, ".*")
	want, ok := ParseVersion(bare)
	if !ok || v.text == "" {
		return false
	}
	order := v.comparePublic(want)
	switch c.Op {
	case "===":
		return v.text == want.text
	case "==", "!=":
		equal := order == 0 && (len(want.local) == 0 || compareLocal(v.local, want.local) == 0)
		if wildcard {
			equal = v.hasPrefix(want)
		}
		return equal == (c.Op == "==")
	case "~=":
		n := len(want.release)
		return n > 1 && order >= 0 && v.hasPrefix(Version{epoch: want.epoch, release: want.release[:n-1], pre: phase{rank: after}})
	case "<=":
		return order <= 0
	case ">=":
		return order >= 0
	case "<": // 3.1.dev0 is not < 3.1
		return order < 0 && (want.IsPreRelease() || !v.IsPreRelease() || v.compareRelease(want) != 0)
	case ">": // 3.1.post0 and 3.1+local are not > 3.1
		isPost := v.post.rank != before && want.post.rank == before
		return v.Compare(want) > 0 && (!isPost && len(v.local) == 0 || v.compareRelease(want) != 0)
	}
	return false
}

// hasPrefix reports whether v begins with a version: 3.10.4 begins with 3.10, and 1.0a1.post1
// with 1.0a1.
func (v Version) hasPrefix(prefix Version) bool {
	isRelease := prefix.pre.rank == after && prefix.post.rank == before
	if !isRelease {
		return v.compareRelease(prefix) == 0 && v.pre == prefix.pre && (prefix.post.rank == before || v.post == prefix.post)
	}
	if v.epoch != prefix.epoch {
		return false
	}
	for i, n := range prefix.release {
		if number(v.release, i) != n {
			return false
		}
	}
	return true
}
