package pep

import (
	"fmt"
	"os"
	"strings"
	"testing"

	pep440 "github.com/aquasecurity/go-pep440-version"
)

// TestVersionsLikePackaging compares with recorded answers of the packaging library of Python.
func TestVersionsLikePackaging(t *testing.T) {
	text, err := os.ReadFile("testdata/versions.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		got := ""
		switch words[0] {
		case "#":
			continue
		case "compare":
			got = fmt.Sprint(CompareVersions(words[1], words[2]))
		case "allows":
			clauses, _ := ParseClauses(words[1])
			allowed, ok := Allows(clauses, words[2])
			if !ok {
				t.Errorf("%s: malformed", strings.TrimSpace(line))
			}
			got = fmt.Sprint(allowed)
		}
		if got != words[3] {
			t.Errorf("%s %s %s: got %s, want %s", words[0], words[1], words[2], got, words[3])
		}
	}
}

func TestSameVersion(t *testing.T) {
	for _, pair := range []string{"1.0 1.0.0", "2.1.0-RC.1 2.1rc1", "1.0+cu-118 1.0+cu.118", "unknown unknown"} {
		if a, b, _ := strings.Cut(pair, " "); !SameVersion(a, b) {
			t.Errorf("%s and %s are different versions", a, b)
		}
	}
	for _, pair := range []string{"1.0 1.0.post0", "1.0 1.0+cpu", "1.0 unknown", "unknown other", " 1.0"} {
		if a, b, _ := strings.Cut(pair, " "); SameVersion(a, b) {
			t.Errorf("%q and %q are the same version", a, b)
		}
	}
}

// FuzzCompare compares the order of versions with another implementation, and tests that it is
// an order.
func FuzzCompare(f *testing.F) {
	for _, s := range []string{"1.0 1.0.post1", "1.0a1.dev1 1.0a1", "1!0 2", "1.0+a.1 1.0+1.a", "2.1 2.1.0"} {
		a, b, _ := strings.Cut(s, " ")
		f.Add(a, b)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		v, ok := ParseVersion(a)
		w, okW := ParseVersion(b)
		if !ok || !okW {
			return
		}
		if got := v.Compare(w); got != -w.Compare(v) || v.Compare(v) != 0 {
			t.Errorf("%s and %s are compared as %d and %d", v, w, got, w.Compare(v))
		}
		if len(a)+len(b) > 30 {
			return // the library fails on numbers beyond 64 bits
		}
		x, err := pep440.Parse(v.String())
		y, errY := pep440.Parse(w.String())
		if err == nil && errY == nil && x.Compare(y) != v.Compare(w) && !strings.Contains(a+b, "+") {
			t.Errorf("%s and %s: Compare returns %d, the library %d", v, w, v.Compare(w), x.Compare(y))
		}
	})
}
