package explain

import (
	"slices"
	"strings"
	"testing"
)

// TestPage checks that the page is parsed completely: areas with different titles, sorted
// codes, and for each code a meaning and a remedy in sentences.
func TestPage(t *testing.T) {
	titles := map[string]bool{}
	area := map[string]string{}
	for _, a := range Areas() {
		if titles[a.Title] || a.Title == "" || len(a.Codes) == 0 {
			t.Errorf("area %q stands twice, or is empty", a.Title)
		}
		titles[a.Title] = true
		if !slices.IsSorted(a.Codes) {
			t.Errorf("the codes of %q are not sorted: %q", a.Title, a.Codes)
		}
		for _, code := range a.Codes {
			if prefix, _, dotted := strings.Cut(code, "."); dotted {
				if other := area[prefix]; other != "" && other != a.Title {
					t.Errorf("codes %s.… are in %q and in %q", prefix, other, a.Title)
				}
				area[prefix] = a.Title
			}
			for _, text := range []string{Codes()[code].Means, Codes()[code].Do} {
				if !strings.HasSuffix(text, ".") || strings.Count(text, "`")%2 != 0 {
					t.Errorf("%s is not explained in sentences: %q", code, text)
				}
			}
		}
	}
	if len(Codes()) < 150 {
		t.Errorf("only %d codes are explained", len(Codes()))
	}
}
