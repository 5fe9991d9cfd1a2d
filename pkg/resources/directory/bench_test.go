package directory

import (
	"testing"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// BenchmarkDiff measures the cost of one directory in a plan.
func BenchmarkDiff(b *testing.B) {
	s := &Spec{Path: "data/raw", Purpose: "original downloads"}
	there := facts.NewView(facts.Of(facts.Path{Path: s.Path, Type: facts.Dir, Mode: 0o755}), s.Reads())
	absent := facts.NewView(facts.Of(facts.Path{Path: s.Path, Type: facts.Absent}), s.Reads())
	b.Run("agrees", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if c := s.Diff(there); c.Action != resources.None {
				b.Fatal(c.Action)
			}
		}
	})
	b.Run("create", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if c := s.Diff(absent); c.Action != resources.Create {
				b.Fatal(c.Action)
			}
		}
	})
}

// TestDiffAllocates checks that an existing directory costs no allocation.
func TestDiffAllocates(t *testing.T) {
	s := &Spec{Path: "a"}
	view := facts.NewView(facts.Of(facts.Path{Path: "a", Type: facts.Dir}), s.Reads())
	if n := testing.AllocsPerRun(100, func() { s.Diff(view) }); n != 0 {
		t.Errorf("Diff of an existing directory allocates %v times, want 0", n)
	}
}
