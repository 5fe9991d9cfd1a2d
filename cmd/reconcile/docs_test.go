package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/golden"
)

// head is the part of a page that people write.
func head(t *testing.T, page string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "docs", page))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestTroubleshooting holds docs/troubleshooting.md to what the packages explain.
func TestTroubleshooting(t *testing.T) {
	var b strings.Builder
	b.WriteString(head(t, "troubleshooting.md"))
	b.WriteString("## Codes\n\nBy what they are about. `reconcile explain CODE` prints the same.\n")
	explained := codes()
	of, sorted := byArea(explained)
	for _, area := range of {
		fmt.Fprintf(&b, "\n### %s\n", area.title)
		for _, code := range sorted[area.name] {
			fmt.Fprintf(&b, "\n#### %s\n\n%s\n\n%s\n", code, explained[code].Means, explained[code].Do)
		}
	}
	golden.Check(t, "../../docs/troubleshooting.md", []byte(b.String()))
}
