package pep

import (
	"cmp"
	"slices"
	"strings"
)

// A Version is a version by PEP 440, parsed for comparisons. The zero value is no version.
type Version struct {
	text    string // the normal form
	epoch   string
	release []string // numbers without leading zeros, of any length
	pre     phase
	post    phase
	dev     phase
	local   []string
}

// A phase is a suffix of a version: its place in the order of suffixes, and its number.
type phase struct {
	rank   int
	number string
}

// The ranks of phases. A version without a post-release is before one with it; a version
// without a pre-release or development release is after one with it.
const (
	before = iota // a development release of the release itself has no pre-release
	alpha         // also: has a post-release, has a development release
	beta
	candidate
	after
)

// ParseVersion parses a version, or returns false if s is not one.
func ParseVersion(s string) (Version, bool) {
	text, ok := CanonicalVersion(s)
	if !ok {
		return Version{}, false
	}
	m := versionPattern().FindStringSubmatch(text)
	v := Version{text: text, epoch: cmp.Or(m[1], "0"), release: strings.Split(m[2], "."), post: phase{rank: before}, dev: phase{rank: after}}
	hasPost, hasDev := m[6] != "", m[8] != ""
	switch m[3] {
	case "a":
		v.pre = phase{alpha, m[4]}
	case "b":
		v.pre = phase{beta, m[4]}
	case "rc":
		v.pre = phase{candidate, m[4]}
	default:
		v.pre = phase{rank: after}
		if hasDev && !hasPost {
			v.pre.rank = before
		}
	}
	if hasPost {
		v.post = phase{alpha, m[7]}
	}
	if hasDev {
		v.dev = phase{alpha, m[9]}
	}
	if m[10] != "" {
		v.local = strings.Split(m[10], ".")
	}
	return v, true
}

// String returns the normal form of the version.
func (v Version) String() string { return v.text }

// IsPreRelease reports whether the version is a pre-release or a development release.
func (v Version) IsPreRelease() bool { return v.pre.rank != after || v.dev.rank != after }

// Compare returns a negative number if v is before w, 0 if they are equal (2.1 and 2.1.0),
// and a positive number if v is after w.
func (v Version) Compare(w Version) int {
	return cmp.Or(v.comparePublic(w), compareLocal(v.local, w.local))
}

// comparePublic compares without the local versions.
func (v Version) comparePublic(w Version) int {
	return cmp.Or(v.compareRelease(w), v.pre.compare(w.pre), v.post.compare(w.post), v.dev.compare(w.dev))
}

// compareRelease compares epochs and releases; missing numbers are 0.
func (v Version) compareRelease(w Version) int {
	if c := compareNumber(v.epoch, w.epoch); c != 0 {
		return c
	}
	for i := range max(len(v.release), len(w.release)) {
		if c := compareNumber(number(v.release, i), number(w.release, i)); c != 0 {
			return c
		}
	}
	return 0
}

func number(release []string, i int) string {
	if i < len(release) {
		return release[i]
	}
	return "0"
}

func (p phase) compare(q phase) int {
	return cmp.Or(cmp.Compare(p.rank, q.rank), compareNumber(p.number, q.number))
}

// compareNumber compares numbers without leading zeros, of any length.
func compareNumber(a, b string) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}

// compareLocal compares local versions: no version is before any other, and a text is before
// a number.
func compareLocal(a, b []string) int {
	return slices.CompareFunc(a, b, func(x, y string) int {
		switch xIsNumber, yIsNumber := isDigit(x[0]) && allDigits(x), allDigits(y); {
		case xIsNumber && yIsNumber:
			return compareNumber(x, y)
		case xIsNumber:
			return 1
		case yIsNumber:
			return -1
		}
		return strings.Compare(x, y)
	})
}

func allDigits(s string) bool { return strings.Trim(s, "0123456789") == "" }

// CompareVersions compares two texts as Version.Compare does. A text that is not a version is
// before every version; two of them are compared as texts.
func CompareVersions(a, b string) int {
	v, ok := ParseVersion(a)
	w, okW := ParseVersion(b)
	switch {
	case ok && okW:
		return v.Compare(w)
	case ok:
		return 1
	case okW:
		return -1
	}
	return strings.Compare(a, b)
}

// SameVersion reports whether two texts are equal versions, such as 1.0 and 1.0.0, or the same
// text.
func SameVersion(a, b string) bool { return a == b || CompareVersions(a, b) == 0 }
