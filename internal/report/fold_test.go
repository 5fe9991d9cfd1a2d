package report

import (
	"slices"
	"strings"
	"testing"
)

func TestFold(t *testing.T) {
	const line = "  Plan: 2 to create, 3 to update, 1 to delete; downloads 182 MB, takes 720.5 MB at 5.1 MB/s (40 %)."
	for width := narrowest; width < 120; width++ {
		var words []string
		for _, piece := range fold(line, width) {
			words = append(words, strings.Fields(piece)...)
			if columns(piece) > width || !strings.HasPrefix(piece, "  ") {
				t.Errorf("at %d: %q", width, piece)
			}
		}
		if !slices.Equal(words, strings.Fields(line)) {
			t.Errorf("at %d words are lost: %q", width, words)
		}
	}
	if got := fold(line, narrowest-1); len(got) != 1 {
		t.Errorf("folded below %d columns: %q", narrowest, got)
	}
}
