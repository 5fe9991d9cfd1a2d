package catalog

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/golden"
	"github.com/reconcile-ml/reconcile/internal/pep"
)

// bounds returns versions at and beside the bounds of a specifier that it allows.
func bounds(t *testing.T, specifier string) (list []string) {
	t.Helper()
	clauses, ok := pep.ParseClauses(specifier)
	if !ok {
		t.Fatalf("malformed specifier %q", specifier)
	}
	candidates := []string{"0.0.1", "9999.0"}
	for _, c := range clauses {
		candidates = append(candidates, c.Version, c.Version+".1", c.Version+".post1")
		if parts := strings.Split(c.Version, "."); parts[len(parts)-1] != "0" {
			candidates = append(candidates, strings.Join(append(slices.Clone(parts[:len(parts)-1]), before(parts[len(parts)-1]), "9999"), "."))
		}
	}
	for _, v := range candidates {
		if pep.ValidVersion(v) && allows(specifier, v) {
			list = append(list, v)
		}
	}
	if len(list) == 0 {
		t.Fatalf("no version is in %q", specifier)
	}
	return list
}

// before returns the number before a number, "0" if it is none.
func before(number string) string {
	var n int
	if _, err := fmt.Sscan(number, &n); err != nil || n == 0 {
		return "0"
	}
	return fmt.Sprint(n - 1)
}

// conflicting returns environments with the conflict of a row, which contain nothing else.
func conflicting(t *testing.T, p *pair) (list [][]Release) {
	t.Helper()
	for _, v := range bounds(t, p.Versions) {
		closure := []Release{{Name: p.Package, Version: v}}
		if p.With != "" {
			closure = append(closure, Release{Name: p.With, Version: bounds(t, p.WithVersions)[0]})
		}
		if p.Absent {
			list = append(list, closure)
			continue
		}
		for _, other := range bounds(t, p.OtherVersions) {
			list = append(list, append(slices.Clone(closure), Release{Name: p.Other, Version: other}))
		}
	}
	return list
}

// TestRemediesResolve checks, at the bounds of each row, that it has a remedy, and that each
// remedy that is proposed resolves the conflict and causes none that is as bad.
func TestRemediesResolve(t *testing.T) {
	for i := range knownPairs().Pairs {
		p := &knownPairs().Pairs[i]
		for _, closure := range conflicting(t, p) {
			found := false
			for _, c := range Pairs(closure) {
				found = found || c.Consequence == p.Consequence
				if len(c.Remedies) == 0 {
					t.Errorf("%v: no remedy for: %s", closure, c.Consequence)
				}
				for _, r := range c.Remedies {
					for _, left := range Pairs(r.apply(closure)) {
						isOld := slices.ContainsFunc(Pairs(closure), func(old Conflict) bool { return old.Consequence == left.Consequence })
						if left.Consequence == c.Consequence || left.Fails && !isOld {
							t.Errorf("%v: %s %s leaves: %s", closure, r.Package, r.Version, left.Consequence)
						}
					}
				}
			}
			if !found {
				t.Errorf("%v: not found: %s", closure, p.Consequence)
			}
			if Compared(closure) == nil {
				t.Errorf("%v is not compared", closure)
			}
		}
	}
	for _, p := range knownPairs().Exchanges {
		for _, reader := range bounds(t, p.Versions) {
			for _, writer := range bounds(t, p.OtherVersions) {
				c, ok := Exchange(Release{Name: p.Package, Version: reader}, Release{Name: p.Package, Version: writer})
				if !ok {
					t.Errorf("%s %s reads files of %s", p.Package, reader, writer)
				}
				if _, left := Exchange(Release{Name: p.Package, Version: c.Remedies[0].Version}, Release{Name: p.Package, Version: writer}); left {
					t.Errorf("%s does not resolve: %s", c.Remedies[0].Version, p.Consequence)
				}
			}
		}
	}
}

// TestPairsAreWellFormed checks the fields of each row.
func TestPairsAreWellFormed(t *testing.T) {
	for _, p := range slices.Concat(knownPairs().Pairs, knownPairs().Exchanges) {
		names := []string{p.Package, p.Other}
		if p.With != "" {
			names = append(names, p.With)
		}
		for _, name := range names {
			if name == "" || pep.Normalize(name) != name {
				t.Errorf("%s and %s: %q is not a normalised name", p.Package, p.Other, name)
			}
		}
		if p.Consequence == "" || strings.HasSuffix(p.Consequence, ".") || p.Severity != "fail" && p.Severity != "warn" {
			t.Errorf("%s and %s: severity %q, %q", p.Package, p.Other, p.Severity, p.Consequence)
		}
		if p.Absent && p.OtherVersions != "" {
			t.Errorf("%s and %s: versions of a missing package", p.Package, p.Other)
		}
		for _, r := range p.Remedies {
			if r.Package != p.Package && r.Package != p.Other {
				t.Errorf("%s and %s: a remedy is %s", p.Package, p.Other, r.Package)
			}
			if r.Version != "" && !allows(r.Versions, r.Version) {
				t.Errorf("%s and %s: %s does not allow %s", p.Package, p.Other, r, r.Version)
			}
			if r.Version == "" && !(p.Absent && r.Package == p.Other) {
				t.Errorf("%s and %s: a remedy without version", p.Package, p.Other)
			}
		}
	}
}

// TestPairsTable compares a finding of each row with the golden table.
func TestPairsTable(t *testing.T) {
	var text strings.Builder
	for i := range knownPairs().Pairs {
		closure, found := seen(&knownPairs().Pairs[i]), false
		for _, c := range Pairs(closure) {
			if c.Consequence != knownPairs().Pairs[i].Consequence {
				continue
			}
			found = true
			fmt.Fprintf(&text, "%s %s: %s\n  %s\n", severity(c), c, c.Consequence, c.Resolution())
		}
		if !found {
			t.Errorf("%v has no conflict", closure)
		}
	}
	golden.Check(t, "testdata/pairs.golden", []byte(text.String()))
}

// seen returns the environment with the conflict in which it was seen.
func seen(p *pair) []Release {
	closure := []Release{{Name: p.Package, Version: p.Seen[0]}}
	if other := cmp.Or(p.With, p.Other); len(p.Seen) > 1 {
		closure = append(closure, Release{Name: other, Version: p.Seen[1]})
	}
	return closure
}

func severity(c Conflict) string {
	if c.Fails {
		return "fail"
	}
	return "warn"
}

// TestPairsOfOthers checks environments without a conflict, and packages that are not compared.
func TestPairsOfOthers(t *testing.T) {
	for name, closure := range map[string][]Release{
		"empty":                  nil,
		"works":                  {{Name: "torch", Version: "2.3.1"}, {Name: "numpy", Version: "2.0.2"}},
		"local version":          {{Name: "torch", Version: "2.3.1+cu121"}, {Name: "numpy", Version: "2.0.2"}},
		"a post-release":         {{Name: "bitsandbytes", Version: "0.41.3.post2"}, {Name: "peft", Version: "0.7.1"}, {Name: "scipy", Version: "1.13.1"}},
		"conda has setuptools":   {{Name: "triton", Version: "2.1.0"}, {Name: "setuptools", Version: "75.8.0", Conda: true}},
		"builds of conda":        {{Name: "pandas", Version: "2.1.1", Conda: true}, {Name: "numpy", Version: "2.0.2", Conda: true}},
		"malformed":              {{Name: "torch", Version: "unknown"}, {Name: "numpy", Version: "2.0.2"}},
		"other pre-release":      {{Name: "torch", Version: "2.1.2"}, {Name: "numpy", Version: "2.0.0rc1"}},
		"without the third one":  {{Name: "bitsandbytes", Version: "0.43.3"}},
		"numpy 1 and old pandas": {{Name: "pandas", Version: "1.5.3"}, {Name: "numpy", Version: "1.26.4"}},
	} {
		if got := Pairs(closure); got != nil {
			t.Errorf("%s: %v", name, got)
		}
	}
	if got := Pairs([]Release{{Name: "torch", Version: "2.1.2+cu121"}, {Name: "numpy", Version: "2.0.2", Conda: true}}); len(got) != 1 {
		t.Errorf("numpy of conda: %v", got)
	}
	if got := Compared([]Release{{Name: "torch", Version: "2.1.2"}, {Name: "jsonlines", Version: "4.0.0"}}); got != nil {
		t.Errorf("compares %v", got)
	}
	if got := Compared([]Release{{Name: "jsonlines", Version: "4.0.0"}, {Name: "numpy", Version: "1.26.4"}, {Name: "torch", Version: "2.1.2"}}); len(got) != 2 {
		t.Errorf("compares %v", got)
	}
}
