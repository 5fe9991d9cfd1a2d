package nearest

import (
	"testing"

	"pgregory.net/rapid"
)

func TestWord(t *testing.T) {
	words := []string{"packages", "path", "smoke_test", "disk.low", "apply.disk-full"}
	for v, want := range map[string]string{
		"packages": "packages", "pakcages": "packages", "Path": "path", "paht": "path", "": "", "disk.lwo": "disk.low",
		"apply.disk_full": "apply.disk-full", "unrelated words": "", "xyz": "",
	} {
		if got := Word(v, words); got != want {
			t.Errorf("Word(%q) = %q, want %q", v, got, want)
		}
	}
}

// TestDistance checks properties of a distance: zero to itself, symmetric, and one for
// an added letter.
func TestDistance(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringMatching(`[ab.]{0,6}`)
		a, b := word.Draw(t, "a"), word.Draw(t, "b")
		if edits(a, a) != 0 || edits(a, b) != edits(b, a) || edits(a, a+"x") != 1 || a != b && edits(a, b) == 0 {
			t.Errorf("edits(%q, %q) = %d, reversed %d", a, b, edits(a, b), edits(b, a))
		}
	})
}
