package apply

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// trace records what a pool of fake items did.
type trace struct {
	mu         sync.Mutex
	started    []int
	ended      map[int]bool
	running    int
	maxRunning int
	tooEarly   []string
}

// fakeItem returns an item that takes a second of fake time.
func (tr *trace) fakeItem(i int, after []int, fails bool) planner.Item {
	asked := 0
	s := &spec{owns: facts.PathKey(fmt.Sprint("p", i))}
	steps := []resources.Step{resources.Remove{Path: "nothing"}}
	s.diff = func(facts.View) resources.Change {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		asked++
		if asked == 1 {
			tr.started = append(tr.started, i)
			for _, from := range after {
				if !tr.ended[from] {
					tr.tooEarly = append(tr.tooEarly, fmt.Sprintf("%d before %d", i, from))
				}
			}
			return resources.Change{Action: resources.Create, Steps: steps}
		}
		tr.ended[i] = !fails
		if fails {
			return resources.Change{Action: resources.Create, Steps: steps, Problem: &diag.Problem{Summary: "failed"}}
		}
		return resources.Change{}
	}
	r := newResource("fake", fmt.Sprint(i), s)
	return planner.Item{Resource: &r, Change: resources.Change{Action: resources.Create, Steps: steps}, After: after}
}

// probe is a Probe that takes half a second of fake time.
func (tr *trace) probe(_ context.Context, keys []facts.Key) *facts.Facts {
	tr.mu.Lock()
	tr.running++
	tr.maxRunning = max(tr.maxRunning, tr.running)
	tr.mu.Unlock()
	time.Sleep(500 * time.Millisecond)
	tr.mu.Lock()
	tr.running--
	tr.mu.Unlock()
	f := &facts.Facts{}
	for _, k := range keys {
		f.Set(facts.Path{Path: k.Name, Type: facts.Absent})
	}
	return f
}

func TestPoolRespectsDependencies(t *testing.T) {
	root := t.TempDir()
	rapid.Check(t, func(r *rapid.T) {
		n := rapid.IntRange(0, 30).Draw(r, "items")
		jobs := rapid.IntRange(1, 5).Draw(r, "jobs")
		tr := &trace{ended: map[int]bool{}}
		p := &planner.Plan{}
		fails := map[int]bool{}
		for i := range n {
			var after []int
			for from := range i {
				if rapid.IntRange(0, 5).Draw(r, "edge") == 0 {
					after = append(after, from)
				}
			}
			fails[i] = rapid.IntRange(0, 6).Draw(r, "fails") == 0
			p.Items = append(p.Items, tr.fakeItem(i, after, fails[i]))
		}
		var result *Result
		synctest.Test(t, func(*testing.T) {
			result = Run(context.Background(), p, Options{Root: root, Store: root, State: root + "/projects/test", Probe: tr.probe, Jobs: jobs})
		})
		if len(tr.tooEarly) > 0 {
			r.Fatalf("too early: %v", tr.tooEarly)
		}
		if tr.maxRunning > jobs {
			r.Fatalf("%d at once with %d jobs", tr.maxRunning, jobs)
		}
		if n > 0 && len(p.Items[0].After) == 0 && !slices.Contains(tr.started, 0) {
			r.Fatal("the first item was not started")
		}
		bad := map[int]bool{}
		for i := range p.Items {
			want := Done
			if fails[i] {
				want = Failed
			}
			for _, from := range p.Items[i].After {
				if bad[from] {
					want = Skipped
				}
			}
			bad[i] = want != Done
			if got := result.Items[i]; got.Outcome != want || want != Done && got.Cause == nil {
				r.Fatalf("%d is %s, want %s: %v", i, got.Outcome, want, got.Cause)
			}
			if want == Skipped && slices.Contains(tr.started, i) {
				r.Fatalf("%d was started", i)
			}
		}
	})
}

func TestPoolRunsInOrderAndConcurrently(t *testing.T) {
	root := t.TempDir()
	for jobs, want := range map[int]time.Duration{1: 10 * time.Second, 5: 2 * time.Second} {
		tr := &trace{ended: map[int]bool{}}
		p := &planner.Plan{}
		for i := range 10 {
			p.Items = append(p.Items, tr.fakeItem(i, nil, false))
		}
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			Run(context.Background(), p, Options{Root: root, Store: root, State: root + "/projects/test", Probe: tr.probe, Jobs: jobs})
			if took := time.Since(start); took != want {
				t.Errorf("%d jobs took %s, want %s", jobs, took, want)
			}
		})
		if jobs == 1 && !slices.IsSorted(tr.started) {
			t.Errorf("started in order %v", tr.started)
		}
	}
}

func TestCancelStopsBetweenItems(t *testing.T) {
	root := t.TempDir()
	tr := &trace{ended: map[int]bool{}}
	p := &planner.Plan{}
	for i := range 10 {
		p.Items = append(p.Items, tr.fakeItem(i, nil, false))
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3600*time.Millisecond) // while the fourth runs
		defer cancel()
		r := Run(ctx, p, Options{Root: root, Store: root, State: root + "/projects/test", Probe: tr.probe, Jobs: 1})
		if r.Count(Done) != 4 || r.Count(Interrupted) != 6 || !r.Interrupted {
			t.Errorf("got\n%s", r)
		}
		r.want(t, "fake.9", Interrupted, "apply.interrupted")
	})
}

// TestGroupSkipsDependents has a failure in the middle of a group, with dependents in and
// outside the group.
func TestGroupSkipsDependents(t *testing.T) {
	w := newWorld(t)
	w.write("bad", "in the way")
	bad := wantDir("bad", 0o755)
	bad.Spec.(*spec).diff = func(v facts.View) resources.Change {
		if facts.Get[facts.Path](v, facts.PathKey("bad")).Type == facts.Dir {
			return resources.Change{}
		}
		return resources.Change{
			Action: resources.Create, Steps: []resources.Step{resources.MakeDir{Path: "bad", Mode: 0o755}},
			Predicts: []facts.Fact{facts.Path{Path: "bad", Type: facts.Dir, Mode: 0o755}},
		}
	}
	inside := wantDir("bad/deeper", 0o755)
	file := wantFile("bad/deeper/f", "x")
	later := wantMade("later", resources.Remove{Path: "none"}, resources.WriteFile{Path: "later", Mode: 0o644})
	later.DependsOn = []resources.Addr{file.Addr}
	p := w.plan(bad, inside, file, later, wantFile("good", "x"))
	// The path is absent in the facts, so only the steps find the file.
	r := w.apply(t.Context(), p, func(o *Options) {
		o.Probe = func(ctx context.Context, keys []facts.Key) *facts.Facts {
			f := w.probe(ctx, keys)
			for _, k := range keys {
				if len(k.Name) > 3 && k.Name[:3] == "bad" {
					f.Set(facts.Path{Path: k.Name, Type: facts.Absent})
				}
			}
			return f
		}
	})
	r.want(t, "directory.bad", Failed, "")
	for _, addr := range []string{"directory.bad/deeper", "file.bad/deeper/f", "made.later"} {
		if why := r.want(t, addr, Skipped, "apply.skipped"); why.Addr != addr {
			t.Errorf("%s: %v", addr, why)
		}
	}
	r.want(t, "file.good", Done, "")
	w.checkClean()
}
