package catalog

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/reconcile-ml/reconcile/internal/pep"
)

// A Release is one version of a package. The name is normalised.
type Release struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	// Conda marks a conda package of this name. The table is about wheels: a conda package only
	// counts as the second package of a pair.
	Conda bool `json:"conda,omitempty"`
}

// A Conflict is two releases that do not work together although their metadata allows them, or
// a release that does not work because a package that it does not declare is missing.
type Conflict struct {
	Package     Release
	Other       Release // Version is "" if the package is missing
	Consequence string  // a clause: "`import trl` stops with an ImportError"
	Fails       bool    // the environment cannot work, or works wrongly in silence
	Remedies    []Remedy
}

// String returns the releases: "torch 2.1.2 with numpy 2.0.2", "triton 2.1.0 without setuptools".
func (c Conflict) String() string {
	if c.Other.Version == "" {
		return fmt.Sprintf("%s %s without %s", c.Package.Name, c.Package.Version, c.Other.Name)
	}
	return fmt.Sprintf("%s %s with %s %s", c.Package.Name, c.Package.Version, c.Other.Name, c.Other.Version)
}

// Resolution returns the remedies as a sentence without capital letter and period: "pin numpy
// 1.26.4 (<2) or torch 2.3.1 (>=2.3)".
func (c Conflict) Resolution() string {
	var texts []string
	for _, r := range c.Remedies {
		switch {
		case r.Version == "":
			return "add " + r.Package
		case len(texts) == 0:
			texts = append(texts, "pin "+r.String())
		default:
			texts = append(texts, r.String())
		}
	}
	return strings.Join(texts, " or ")
}

// A Remedy is a version of a package with which a Conflict does not occur.
type Remedy struct {
	Package  string `json:"package"`
	Versions string `json:"versions,omitempty"` // specifier of all versions without the conflict; "" for all
	Version  string `json:"version,omitempty"`  // one of them, which exists; "" for a missing package
}

// String returns "numpy 1.26.4 (<2)".
func (r Remedy) String() string { return fmt.Sprintf("%s %s (%s)", r.Package, r.Version, r.Versions) }

// A pair is a row of a table. The packages of "pairs" are in one environment, those of
// "exchanges" in two: files that one version writes cannot be read by the other.
type pair struct {
	Package       string   `json:"package"`
	Versions      string   `json:"versions"`
	Other         string   `json:"other,omitempty"`          // the same package in "exchanges"
	OtherVersions string   `json:"other_versions,omitempty"` // "" for all
	Absent        bool     `json:"absent,omitempty"`         // the conflict is that Other is missing
	With          string   `json:"with,omitempty"`           // a third package without which there is no conflict
	WithVersions  string   `json:"with_versions,omitempty"`
	Consequence   string   `json:"consequence"`
	Severity      string   `json:"severity"` // "fail" or "warn"
	Remedies      []Remedy `json:"remedies"` // each resolves the conflict alone
	// Seen are versions with the conflict, which exist: of Package, and of Other or else of With.
	Seen []string `json:"seen"`
}

type pairTables struct {
	Pairs     []pair `json:"pairs"`
	Exchanges []pair `json:"exchanges"` // Versions reads, OtherVersions writes
}

//go:embed pairs.json
var pairsJSON []byte

var knownPairs = sync.OnceValue(func() pairTables { return decode[pairTables]("pairs.json", pairsJSON) })

// Compared returns the releases of an environment that Pairs compares: those of rows whose
// first package is there, and whose second one is there too or should be. It is nil if
// there is no such row.
func Compared(closure []Release) []Release {
	compared := map[string]bool{}
	for i := range knownPairs().Pairs {
		p := &knownPairs().Pairs[i]
		if has(closure, p.Package, false) && (p.Absent || has(closure, p.Other, true)) && p.accompanied(closure) {
			compared[p.Package], compared[p.Other], compared[p.With] = true, true, true // With may be ""
		}
	}
	var list []Release
	for _, r := range closure {
		if compared[r.Name] && !slices.Contains(list, r) {
			list = append(list, r)
		}
	}
	return list
}

func has(closure []Release, name string, conda bool) bool {
	return slices.ContainsFunc(closure, func(r Release) bool { return r.Name == name && (conda || !r.Conda) })
}

// Pairs returns the known conflicts in an environment, in the order of the table. Their remedies
// are one a package, which causes no other conflict as severe.
func Pairs(closure []Release) []Conflict {
	list := conflicts(closure)
	for i := range list {
		c := &list[i]
		var harmless []Remedy
		for _, r := range c.Remedies {
			known := slices.ContainsFunc(harmless, func(h Remedy) bool { return h.Package == r.Package })
			if known || slices.ContainsFunc(conflicts(r.apply(closure)), func(left Conflict) bool {
				isOld := slices.ContainsFunc(list, func(old Conflict) bool { return old.Consequence == left.Consequence })
				return !isOld && (left.Fails || !c.Fails)
			}) {
				continue
			}
			harmless = append(harmless, r)
		}
		if harmless != nil {
			c.Remedies = harmless
		}
	}
	return list
}

func conflicts(closure []Release) (list []Conflict) {
	for i := range knownPairs().Pairs {
		p := &knownPairs().Pairs[i]
		if !p.accompanied(closure) || p.Absent && has(closure, p.Other, true) {
			continue
		}
		for _, r := range closure {
			if r.Conda || r.Name != p.Package || !allows(p.Versions, r.Version) {
				continue
			}
			if p.Absent {
				list = append(list, p.conflict(r, Release{Name: p.Other}))
				continue
			}
			for _, other := range closure {
				if other.Name == p.Other && allows(p.OtherVersions, other.Version) {
					list = append(list, p.conflict(r, other))
				}
			}
		}
	}
	return list
}

// accompanied reports whether the third package is there.
func (p *pair) accompanied(closure []Release) bool {
	return p.With == "" || slices.ContainsFunc(closure, func(r Release) bool { return r.Name == p.With && allows(p.WithVersions, r.Version) })
}

// apply returns an environment with the remedy.
func (r Remedy) apply(closure []Release) []Release {
	rest := slices.DeleteFunc(slices.Clone(closure), func(old Release) bool { return old.Name == r.Package })
	return append(rest, Release{Name: r.Package, Version: r.Version})
}

// Exchanged reports whether some other version of a package writes files that a release cannot
// read, and whether some other version cannot read the files that it writes.
func Exchanged(r Release) (reads, writes bool) {
	for i := range knownPairs().Exchanges {
		if p := &knownPairs().Exchanges[i]; p.Package == r.Name {
			reads, writes = reads || allows(p.Versions, r.Version), writes || allows(p.OtherVersions, r.Version)
		}
	}
	return reads, writes
}

// Exchange returns the conflict of a release that reads the files of another one of the same
// package, false if there is none.
func Exchange(reader, writer Release) (Conflict, bool) {
	for i := range knownPairs().Exchanges {
		p := &knownPairs().Exchanges[i]
		if reader.Name == p.Package && writer.Name == p.Package && allows(p.Versions, reader.Version) && allows(p.OtherVersions, writer.Version) {
			return p.conflict(reader, writer), true
		}
	}
	return Conflict{}, false
}

func (p *pair) conflict(r, other Release) Conflict {
	return Conflict{Package: r, Other: other, Consequence: p.Consequence, Fails: p.Severity == "fail", Remedies: p.Remedies}
}

// allows reports whether a specifier allows a version. Nothing is known of a version that is
// malformed.
func allows(specifier, version string) bool {
	clauses, ok := pep.ParseClauses(specifier)
	allowed, valid := pep.Allows(clauses, version)
	return ok && valid && allowed
}
