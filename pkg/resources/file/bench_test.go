package file

import (
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// BenchmarkDiff measures the cost of one file in a plan: one that agrees, and one whose
// digest is computed for the first time.
func BenchmarkDiff(b *testing.B) {
	content := strings.Repeat("x", 300)
	agreeing := &Spec{Path: "data/raw/books.txt", Content: content}
	known := facts.Of(facts.Path{Path: agreeing.Path, Type: facts.Regular, Mode: 0o644, Size: 300, SHA256: agreeing.Digest()})
	view := facts.NewView(known, agreeing.Reads())
	b.Run("agrees", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if c := agreeing.Diff(view); c.Action != resources.None {
				b.Fatal(c.Action)
			}
		}
	})
	b.Run("first", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s := Spec{Path: agreeing.Path, Content: content}
			if c := s.Diff(view); c.Action != resources.None {
				b.Fatal(c.Action)
			}
		}
	})
}

// TestDiffAllocates checks that a file that agrees costs no allocation.
func TestDiffAllocates(t *testing.T) {
	s := &Spec{Path: "a", Content: "a\n"}
	view := facts.NewView(facts.Of(facts.Path{Path: "a", Type: facts.Regular, Size: 2, SHA256: s.Digest()}), s.Reads())
	if n := testing.AllocsPerRun(100, func() { s.Diff(view) }); n != 0 {
		t.Errorf("Diff of a file that agrees allocates %v times, want 0", n)
	}
}
