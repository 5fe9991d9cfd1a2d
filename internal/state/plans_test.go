package state

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// TestAppliedPlansAreKept checks that records of applied plans outlive closing and
// compaction, and that dropped ones are reported.
func TestAppliedPlansAreKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "part", "state.jsonl")
	j, err := Open(path, clock)
	check(t, err)
	if !j.IsBlank() {
		t.Errorf("a new journal is not blank: serial %d", j.Serial)
	}
	for n := range MaxAppliedPlans + 50 {
		check(t, j.BeginPlan(fmt.Sprint("plan ", n)))
		check(t, j.Failed(Failure{Addr: entry("x", "").Addr, Code: strings.Repeat("x", 2000)})) // makes the journal long enough to compact
	}
	if j.IsBlank() {
		t.Error("a journal with lines is blank")
	}
	check(t, j.Close())
	s, err := Read(path)
	check(t, err)
	if len(s.appliedPlans) != MaxAppliedPlans {
		t.Fatalf("%d plans are recorded after a compaction", len(s.appliedPlans))
	}
	for n := range MaxAppliedPlans + 50 {
		b, known := s.AppliedPlan(fmt.Sprint("plan ", n))
		if known != (n >= 50) || known && (b.Time == "" || s.MayHaveDroppedPlan(b.At)) {
			t.Errorf("plan %d: known %v, %+v", n, known, b)
		}
	}
	if oldest := s.appliedPlans[0].At; !s.MayHaveDroppedPlan(oldest-1) || s.MayHaveDroppedPlan(oldest) {
		t.Errorf("plans before %d may have been dropped, and no later ones", oldest)
	}
}

// TestFewAppliedPlansAreAllKept checks a journal that never dropped a plan.
func TestFewAppliedPlansAreAllKept(t *testing.T) {
	j, err := Open(filepath.Join(t.TempDir(), "state.jsonl"), clock)
	check(t, err)
	check(t, j.BeginPlan("one"))
	if j.MayHaveDroppedPlan(0) {
		t.Error("a plan may have been dropped")
	}
	if _, ok := j.State.AppliedPlan("two"); ok {
		t.Error("a plan is recorded that was never started")
	}
	check(t, j.Close())
}
