package resourcetest

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// brokenSpec breaks one rule of the contract.
type brokenSpec struct {
	Path  string `json:"path"`
	Other string `json:"other,omitempty"`

	reads []facts.Key
	diff  func(s *brokenSpec, v facts.View) resources.Change
}

func (s *brokenSpec) Owns() facts.Key { return facts.PathKey(s.Path) }

func (s *brokenSpec) Reads() []facts.Key {
	if s.reads != nil {
		return s.reads
	}
	return []facts.Key{s.Owns()}
}

func (s *brokenSpec) Diff(v facts.View) resources.Change { return s.diff(s, v) }

// A recorder is a testing.TB that records failures.
type recorder struct {
	testing.TB
	failures strings.Builder
}

func (r *recorder) Helper() {}

func (r *recorder) Error(args ...any) { fmt.Fprintln(&r.failures, args...) }

func (r *recorder) Errorf(format string, args ...any) { fmt.Fprintf(&r.failures, format+"\n", args...) }

func (r *recorder) Fatal(args ...any) {
	r.Error(args...)
	runtime.Goexit()
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

const recorded = `{"facts": {"path": {"a": {"type": "absent"}}}}`

// TestRunDetectsBrokenRules breaks each rule of the contract.
func TestRunDetectsBrokenRules(t *testing.T) {
	create := func(s *brokenSpec, _ facts.View) resources.Change {
		return resources.Change{
			Action:   resources.Create,
			Steps:    []resources.Step{resources.MakeDir{Path: s.Path}},
			Predicts: []facts.Fact{facts.Path{Path: s.Path, Type: facts.Dir}},
		}
	}
	calls := 0
	for _, c := range []struct {
		name, want string
		spec       brokenSpec
	}{
		{"never settles", "does not settle", brokenSpec{diff: create}},
		{"own key not read", "does not contain Owns", brokenSpec{reads: []facts.Key{}, diff: create}},
		{"unknown fact", "has no host:", brokenSpec{reads: []facts.Key{facts.HostKey}, diff: create}},
		{"not deterministic", "a second Diff differs", brokenSpec{diff: func(*brokenSpec, facts.View) resources.Change {
			calls++
			return resources.Change{Summary: fmt.Sprint(calls)}
		}}},
		{"blocked without a reason", "blocked without a problem", brokenSpec{diff: func(*brokenSpec, facts.View) resources.Change {
			return resources.Change{Action: resources.Blocked}
		}}},
		{"an error that does not block", "a problem that is no warning", brokenSpec{diff: func(*brokenSpec, facts.View) resources.Change {
			return resources.Change{Problem: &diag.Problem{Code: "a", Summary: "b", Hint: "c"}}
		}}},
		{"a problem without a hint", "without code, summary or hint", brokenSpec{diff: func(*brokenSpec, facts.View) resources.Change {
			return resources.Block(&diag.Problem{Code: "a", Summary: "b"})
		}}},
		{"a change without steps", "without steps", brokenSpec{diff: func(*brokenSpec, facts.View) resources.Change {
			return resources.Change{Action: resources.Update}
		}}},
		{"steps that do not survive", "does not survive JSON", brokenSpec{diff: func(*brokenSpec, facts.View) resources.Change {
			return resources.Change{Action: resources.Create, Steps: []resources.Step{resources.Run{Program: "/a", Args: []string{}}}}
		}}},
		{"another plan than the golden", "the plan differs", brokenSpec{diff: func(*brokenSpec, facts.View) resources.Change {
			return resources.Change{Summary: "other"}
		}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			kind := resources.Kind{Name: "broken", New: func() resources.Spec {
				spec := c.spec
				return &spec
			}}
			file := filepath.Join(t.TempDir(), "case.txtar")
			text := "-- spec.json --\n{\"path\": \"a\"}\n-- facts.json --\n" + recorded + "\n-- plan --\nnone\n"
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			r := &recorder{TB: t}
			done := make(chan struct{})
			go func() {
				defer close(done)
				runCase(r, kind, file)
			}()
			<-done
			if !strings.Contains(r.failures.String(), c.want) {
				t.Errorf("failures %q, want %q", r.failures.String(), c.want)
			}
		})
	}
}

// TestOtherFacts checks that otherFacts has a fact of every kind.
func TestOtherFacts(t *testing.T) {
	has := map[facts.Kind]bool{}
	for _, f := range otherFacts() {
		has[f.Key().Kind] = true
	}
	for _, f := range facts.Zero() {
		if !has[f.Key().Kind] {
			t.Errorf("otherFacts has no %T", f)
		}
	}
}
