package report

import (
	"slices"
	"strings"
	"testing"
)

func TestFoldKeepsAmounts(t *testing.T) {
	const line = "Plan: 2 to create, 3 to update, 1 to delete; downloads 182 MB, takes 720.5 MB at 5.1 MB/s (40 %)."
	for width := narrowest + 2; width < 120; width++ {
		for name, pieces := range map[string][]string{"words": fold(line, width), "phrases": foldPhrases(line, width)} {
			var words []string
			for i, piece := range pieces {
				words = append(words, strings.Fields(piece)...)
				if columns(piece) > width {
					t.Errorf("%s: %q is wider than %d", name, piece, width)
				}
				first, _, _ := strings.Cut(strings.TrimSpace(piece), " ")
				if i > 0 && (strings.HasPrefix(first, "MB") || first == "%).") {
					t.Errorf("%s: at %d an amount is torn: %q", name, width, pieces)
				}
			}
			if !slices.Equal(words, strings.Fields(line)) {
				t.Errorf("%s: at %d words are lost: %q", name, width, pieces)
			}
		}
	}
	want := []string{"Plan: 2 to create, 3 to update, 1 to delete;", "  downloads 182 MB,", "  takes 720.5 MB at 5.1 MB/s (40 %)."}
	if got := foldPhrases(line, 50); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}
