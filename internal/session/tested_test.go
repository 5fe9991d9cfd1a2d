package session

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/reconcile-ml/reconcile/internal/apply"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/generation"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/manifest"
)

func newActiveTest(f *facts.Facts, env *manifest.Environment) (*ActiveTest, bool) {
	return NewActiveTest(f, env, "")
}

// testedMachine returns facts of a machine on which a generation is active, and an
// environment with a smoke test on the GPU.
func testedMachine(state string, change func(*facts.Host, *facts.GPU, *facts.Interpreter)) (*facts.Facts, *manifest.Environment) {
	host := facts.Host{OS: "linux", Platform: "linux-x86_64", Hostname: "node1", Libc: facts.Libc{Name: "glibc", Version: "2.39"}}
	gpu := facts.GPU{Vendor: "nvidia", Driver: "550.54.15", Models: "8 x NVIDIA H100"}
	base := facts.Interpreter{Path: "/usr/bin/python3.10", Version: "3.10.13"}
	change(&host, &gpu, &base)
	f := facts.Of(
		facts.Project{Root: "/p", Store: "/store", State: state}, host, gpu, facts.Pythons{Minor: "3.10", Found: []facts.Interpreter{base}},
		facts.Environment{Name: "local", Current: "0123", Generations: []facts.Generation{{Name: "0123", Python: "3.10.13", Base: "/usr/bin/python3.10"}}},
	)
	return f, &manifest.Environment{Name: "local", Type: "venv", Python: "3.10", SmokeTest: generation.SmokeTest{Imports: []string{"torch"}, TestCUDA: true}}
}

func same(*facts.Host, *facts.GPU, *facts.Interpreter) {}

var passed = []apply.SmokeTestPart{{Name: "imports", Outcome: apply.SmokeTestPassed}, {Name: "cuda", Outcome: apply.SmokeTestPassed}}

// TestATestCountsForEqualMachines records a test on one machine.
func TestATestCountsForEqualMachines(t *testing.T) {
	state := t.TempDir()
	activeTest := func(change func(*facts.Host, *facts.GPU, *facts.Interpreter)) *ActiveTest {
		t.Helper()
		a, ok := newActiveTest(testedMachine(state, change))
		if !ok {
			t.Fatal("there is no test")
		}
		return a
	}
	first := activeTest(same)
	if want := "environment local is not yet tested on this machine (driver 550.54.15, 8 x NVIDIA H100): `reconcile apply` tests it"; first.Note() != want {
		t.Errorf("%q, want %q", first.Note(), want)
	}
	if err := first.Record(passed, time.Now()); err != nil {
		t.Fatal(err)
	}
	for what, tt := range map[string]struct {
		change func(*facts.Host, *facts.GPU, *facts.Interpreter)
		equal  bool
	}{
		"the same machine":    {same, true},
		"another name":        {func(h *facts.Host, _ *facts.GPU, _ *facts.Interpreter) { h.Hostname = "node2" }, true},
		"another driver":      {func(_ *facts.Host, g *facts.GPU, _ *facts.Interpreter) { g.Driver = "535.1" }, false},
		"other GPUs":          {func(_ *facts.Host, g *facts.GPU, _ *facts.Interpreter) { g.Models = "NVIDIA T400" }, false},
		"no GPU":              {func(_ *facts.Host, g *facts.GPU, _ *facts.Interpreter) { *g = facts.GPU{Vendor: "none"} }, false},
		"another C library":   {func(h *facts.Host, _ *facts.GPU, _ *facts.Interpreter) { h.Libc.Version = "2.35" }, false},
		"another interpreter": {func(_ *facts.Host, _ *facts.GPU, i *facts.Interpreter) { i.Version = "3.10.14" }, false},
	} {
		if a := activeTest(tt.change); a.Passed() != tt.equal || (a.Note() == "") != tt.equal {
			t.Errorf("%s: passed %v, %q", what, a.Passed(), a.Note())
		}
	}
}

func TestOnlyCompleteTestsAreRecorded(t *testing.T) {
	for what, tt := range map[string]struct {
		outcome apply.SmokeTestOutcome
		note    string
	}{
		"passed":                      {apply.SmokeTestPassed, ""},
		"failed":                      {apply.SmokeTestFailed, "failed its smoke test"},
		"a busy GPU":                  {apply.SmokeTestUnknown, "not yet tested"},
		"a GPU that does not respond": {apply.SmokeTestSkipped, "not yet tested"},
	} {
		state := t.TempDir()
		f, env := testedMachine(state, same)
		a, _ := newActiveTest(f, env)
		parts := []apply.SmokeTestPart{passed[0], {Name: "cuda", Outcome: tt.outcome}, {Name: "qlora", Outcome: apply.SmokeTestFailed}} // qlora is not asked for
		if err := a.Record(parts, time.Now()); err != nil {
			t.Fatal(err)
		}
		if a, _ = newActiveTest(f, env); !strings.Contains(a.Note(), tt.note) || (a.Note() == "") != (tt.note == "") {
			t.Errorf("%s: %q, want %q", what, a.Note(), tt.note)
		}
	}
}

func TestTestsAreBoundedAndSurviveDamage(t *testing.T) {
	state := t.TempDir()
	for i := range maxTested + 10 {
		r := tested{Environment: "local", Generation: fmt.Sprint(i), Passed: true}
		if err := r.record(state); err != nil {
			t.Fatal(err)
		}
	}
	if f := readTested(state); len(f.Results) != maxTested || f.Results[0].Generation != "10" {
		t.Errorf("%d results, the first is of %q", len(f.Results), f.Results[0].Generation)
	}
	if info, err := os.Stat(layout.Tested(state)); err != nil || info.Size() > maxTestedBytes || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if err := os.WriteFile(layout.Tested(state), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if f := readTested(state); len(f.Results) > 0 {
		t.Error("results in a damaged file")
	}
	if err := (tested{Environment: "local", Generation: "new", Passed: true}).record(state); err != nil {
		t.Fatal(err)
	}
	if f := readTested(state); len(f.Results) != 1 {
		t.Errorf("%d results", len(f.Results))
	}
}
