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

// body is a kind whose one rule a test breaks.
type body struct {
	Path  string `json:"path"`
	Other string `json:"other,omitempty"`

	reads []facts.Key
	diff  func(s *body, v facts.View) resources.Change
}

func (s *body) Owns() facts.Key { return facts.PathKey(s.Path) }

func (s *body) Reads() []facts.Key {
	if s.reads != nil {
		return s.reads
	}
	return []facts.Key{s.Owns()}
}

func (s *body) Diff(v facts.View) resources.Change { return s.diff(s, v) }

// recorder is a testing.TB that keeps what is said and lets the test go on.
type recorder struct {
	testing.TB
	said strings.Builder
}

func (r *recorder) Helper() {}

func (r *recorder) Error(args ...any) { fmt.Fprintln(&r.said, args...) }

func (r *recorder) Errorf(format string, args ...any) { fmt.Fprintf(&r.said, format+"\n", args...) }

func (r *recorder) Fatal(args ...any) {
	r.Error(args...)
	runtime.Goexit()
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

const recorded = `{"facts": {"path": {"a": {"type": "absent"}}}}`

// TestRunCatches shows that each promise is really checked.
func TestRunCatches(t *testing.T) {
	create := func(s *body, _ facts.View) resources.Change {
		return resources.Change{
			Action:   resources.Create,
			Steps:    []resources.Step{resources.MakeDir{Path: s.Path}},
			Predicts: []facts.Fact{facts.Path{Path: s.Path, Type: facts.Dir}},
		}
	}
	calls := 0
	for _, c := range []struct {
		name, want string
		spec       body
	}{
		{"never settles", "does not settle", body{diff: create}},
		{"own key not read", "does not hold Owns", body{reads: []facts.Key{}, diff: create}},
		{"unknown fact", "says nothing of host:", body{reads: []facts.Key{facts.HostKey}, diff: create}},
		{"another answer each time", "the second answer differs", body{diff: func(*body, facts.View) resources.Change {
			calls++
			return resources.Change{Summary: fmt.Sprint(calls)}
		}}},
		{"blocked without a reason", "blocked without a problem", body{diff: func(*body, facts.View) resources.Change {
			return resources.Change{Action: resources.Blocked}
		}}},
		{"a failure that does not block", "a problem that stops the run", body{diff: func(*body, facts.View) resources.Change {
			return resources.Change{Problem: &diag.Problem{Code: "a", Summary: "b", Hint: "c"}}
		}}},
		{"a problem without a hint", "without code, summary or hint", body{diff: func(*body, facts.View) resources.Change {
			return resources.Block(&diag.Problem{Code: "a", Summary: "b"})
		}}},
		{"a change without steps", "without steps", body{diff: func(*body, facts.View) resources.Change {
			return resources.Change{Action: resources.Update}
		}}},
		{"steps that do not survive", "does not survive JSON", body{diff: func(*body, facts.View) resources.Change {
			return resources.Change{Action: resources.Create, Steps: []resources.Step{resources.Run{Program: "/a", Args: []string{}}}}
		}}},
		{"another plan than the golden", "the plan differs", body{diff: func(*body, facts.View) resources.Change {
			return resources.Change{Summary: "other"}
		}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			kind := resources.Kind{Name: "body", Doc: "a body", New: func() resources.Spec {
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
			if !strings.Contains(r.said.String(), c.want) {
				t.Errorf("said %q, want %q", r.said.String(), c.want)
			}
		})
	}
}
