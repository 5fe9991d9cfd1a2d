package state

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// TestBegunPlansAreRemembered shows that the memory of plans outlives closing and
// compaction, and that what may have been forgotten is said.
func TestBegunPlansAreRemembered(t *testing.T) {
	path := filepath.Join(t.TempDir(), "part", "state.jsonl")
	j, err := Open(path, clock)
	check(t, err)
	if !j.IsBlank() {
		t.Errorf("a new journal is not blank: serial %d", j.Serial)
	}
	for n := range MaxAppliedPlans + 50 {
		check(t, j.BeginPlan(fmt.Sprint("plan ", n)))
		check(t, j.Failed(Failure{Addr: entry("x", "").Addr, Code: strings.Repeat("x", 2000)})) // makes it worth compacting
	}
	if j.IsBlank() {
		t.Error("a journal with lines is blank")
	}
	check(t, j.Close())
	s, err := Read(path)
	check(t, err)
	if len(s.appliedPlans) != MaxAppliedPlans {
		t.Fatalf("%d plans are remembered after a compaction", len(s.appliedPlans))
	}
	for n := range MaxAppliedPlans + 50 {
		b, known := s.AppliedPlan(fmt.Sprint("plan ", n))
		if known != (n >= 50) || known && (b.Time == "" || s.MayHaveDroppedPlan(b.At)) {
			t.Errorf("plan %d: known %v, %+v", n, known, b)
		}
	}
	if oldest := s.appliedPlans[0].At; !s.MayHaveDroppedPlan(oldest-1) || s.MayHaveDroppedPlan(oldest) {
		t.Errorf("what was made before %d may be forgotten, and nothing later", oldest)
	}
}

// TestFewBegunPlansForgetNothing shows that a journal that never dropped a plan
// knows of each.
func TestFewBegunPlansForgetNothing(t *testing.T) {
	j, err := Open(filepath.Join(t.TempDir(), "state.jsonl"), clock)
	check(t, err)
	check(t, j.BeginPlan("one"))
	if j.MayHaveDroppedPlan(0) {
		t.Error("it forgets")
	}
	if _, ok := j.State.AppliedPlan("two"); ok {
		t.Error("it knows a plan that was never begun")
	}
	check(t, j.Close())
}
