package planner

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// thing is a kind for tests: it wants a directory at its path once all that it
// needs are directories.
type thing struct {
	path  string
	needs []string
	vague bool // predicts nothing
}

func (s *thing) Owns() facts.Key { return facts.PathKey(s.path) }

func (s *thing) Reads() []facts.Key {
	keys := []facts.Key{s.Owns()}
	for _, n := range s.needs {
		keys = append(keys, facts.PathKey(n))
	}
	return keys
}

func (s *thing) Diff(v facts.View) resources.Change {
	for _, n := range s.needs {
		if facts.Get[facts.Path](v, facts.PathKey(n)).Type != facts.Dir {
			return resources.Block(&diag.Problem{Summary: n + " is no directory"})
		}
	}
	switch facts.Get[facts.Path](v, s.Owns()).Type {
	case facts.Dir:
		return resources.Change{}
	case facts.Absent:
	default:
		return resources.Block(&diag.Problem{Code: "test.in-the-way", Summary: "something is in the way"})
	}
	c := resources.Change{Action: resources.Create, Steps: []resources.Step{resources.MakeDir{Path: s.path}}}
	if !s.vague {
		c.Predicts = []facts.Fact{facts.Path{Path: s.path, Type: facts.Dir}}
	}
	return c
}

func want(path string, needs ...string) resources.Resource {
	return resources.Resource{Addr: resources.Addr{Kind: "thing", Name: path}, Spec: &thing{path: path, needs: needs}}
}

func absent(paths ...string) *facts.Facts {
	f := &facts.Facts{}
	for _, p := range paths {
		f.Set(facts.Path{Path: p, Type: facts.Absent})
	}
	return f
}

func outline(p *Plan) []string {
	var out []string
	for _, it := range p.Items {
		out = append(out, it.Resource.Addr.Name+" "+string(it.Change.Action))
	}
	return out
}

func TestReadersComeAfterOwnersAndSeePredictions(t *testing.T) {
	p, err := Make([]resources.Resource{want("b", "a"), want("a")}, absent("a", "b"))
	if err != nil {
		t.Fatal(err)
	}
	if got := outline(p); !slices.Equal(got, []string{"a create", "b create"}) {
		t.Errorf("%q", got)
	}
	if after := p.Items[1].After; !slices.Equal(after, []int{0}) {
		t.Errorf("b waits for %v", after)
	}
}

func TestPathsComeAfterTheDirectoryThatHoldsThem(t *testing.T) {
	p, err := Make([]resources.Resource{want("x/y/z"), want("x")}, absent("x", "x/y/z"))
	if err != nil {
		t.Fatal(err)
	}
	if got := outline(p); !slices.Equal(got, []string{"x create", "x/y/z create"}) {
		t.Errorf("%q", got)
	}
}

func TestUnknownIsNotAbsent(t *testing.T) {
	f := absent("b")
	f.Fail(facts.PathKey("a"), "permission denied")
	p, err := Make([]resources.Resource{want("a"), want("b", "a")}, f)
	if err != nil {
		t.Fatal(err)
	}
	if got := outline(p); !slices.Equal(got, []string{"a blocked", "b blocked"}) {
		t.Fatalf("%q", got)
	}
	if found := p.Items[0].Change.Problem.Found; found != "permission denied" {
		t.Errorf("reason %q", found)
	}
	if hint := p.Items[1].Change.Problem.Hint; !strings.Contains(hint, "thing.a") {
		t.Errorf("the root cause is not named: %q", hint)
	}
}

// lenient is a requirement that answers where nobody could look.
type lenient struct{ thing }

func (s *lenient) Requirement() {}

func (s *lenient) Unseen(reason string) resources.Change {
	return resources.CheckResult("not known", &diag.Problem{Code: "test.unseen", Severity: diag.Warn, Summary: reason})
}

func TestSomeRequirementsAnswerUnseen(t *testing.T) {
	f := absent("a")
	f.Fail(facts.PathKey("b"), "permission denied")
	list := []resources.Resource{{Addr: resources.Addr{Kind: "lenient", Name: "b"}, Spec: &lenient{thing{path: "b"}}}, want("a"), want("c")}
	p, err := Make(list, f)
	if err != nil {
		t.Fatal(err)
	}
	if got := outline(p); !slices.Equal(got, []string{"b ", "a create", "c blocked"}) {
		t.Fatalf("plan: %v", got)
	}
	if problem := p.Items[0].Change.Problem; problem.Summary != "permission denied" || problem.Severity != diag.Warn {
		t.Errorf("problem: %+v", problem)
	}
}

func TestWhatCannotBePredictedIsDeferred(t *testing.T) {
	vague := want("a")
	vague.Spec.(*thing).vague = true
	p, err := Make([]resources.Resource{vague, want("b", "a"), want("c", "b")}, absent("a", "b", "c"))
	if err != nil {
		t.Fatal(err)
	}
	if got := outline(p); !slices.Equal(got, []string{"a create", "b deferred", "c deferred"}) {
		t.Errorf("%q", got)
	}
}

func TestContradictionsNameBothPlaces(t *testing.T) {
	a, b := want("x"), want("x")
	a.Pos, b.Pos = diag.Pos{File: "manifest.yaml", Line: 3, Col: 5}, diag.Pos{File: "manifest.yaml", Line: 9, Col: 5}
	_, err := Make([]resources.Resource{a, b}, absent("x"))
	if err == nil || !strings.Contains(err.Error(), "manifest.yaml:3:5") || !strings.Contains(err.Error(), "manifest.yaml:9:5") {
		t.Errorf("two owners: %v", err)
	}
	_, err = Make([]resources.Resource{want("x", "y"), want("y", "x")}, absent("x", "y"))
	if err == nil || !strings.Contains(err.Error(), "thing.x") || !strings.Contains(err.Error(), "thing.y") {
		t.Errorf("cycle: %v", err)
	}
	c := want("x")
	c.DependsOn = []resources.Addr{{Kind: "thing", Name: "nowhere"}}
	if _, err = Make([]resources.Resource{c}, absent("x")); err == nil || !strings.Contains(err.Error(), "thing.nowhere") {
		t.Errorf("unknown dependency: %v", err)
	}
}

// Whatever the resources: the set of changes does not depend on their order,
// edges point backwards, and what the plan predicts leaves nothing to do.
func TestPlansSettleInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := []string{"a", "a/b", "a/b/c", "d", "d/e", "f"}
		var list []resources.Resource
		f := &facts.Facts{}
		for i, n := range names {
			state := rapid.SampledFrom([]facts.PathType{facts.Absent, facts.Dir, facts.Regular}).Draw(t, n)
			f.Set(facts.Path{Path: n, Type: state})
			var needs []string
			if i > 0 && rapid.Bool().Draw(t, "needs") {
				needs = append(needs, names[rapid.IntRange(0, i-1).Draw(t, "which")])
			}
			list = append(list, want(n, needs...))
		}
		first := mustMake(t, list, f)
		second := mustMake(t, rapid.Permutation(list).Draw(t, "order"), f)
		a, b := outline(first), outline(second)
		slices.Sort(a)
		slices.Sort(b)
		if !slices.Equal(a, b) {
			t.Fatalf("another order, another plan:\n%q\n%q", a, b)
		}
		for i, it := range second.Items {
			for _, from := range it.After {
				if from >= i {
					t.Fatalf("item %d waits for item %d", i, from)
				}
			}
			for _, fact := range it.Change.Predicts {
				f.Set(fact)
			}
		}
		for _, it := range mustMake(t, list, f).Items {
			if it.Change.Action != resources.Blocked {
				t.Fatalf("after all predictions, %s is still to be done", it.Resource.Addr)
			}
		}
	})
}

func mustMake(t interface{ Fatal(...any) }, list []resources.Resource, f *facts.Facts) *Plan {
	p, err := Make(list, f)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// room is a requirement for tests: any disk will do, and the plan is compared with it.
type room struct{ path string }

func (s *room) Owns() facts.Key                                { return facts.DiskKey(s.path) }
func (s *room) Reads() []facts.Key                             { return []facts.Key{s.Owns()} }
func (s *room) Requirement()                                   {}
func (s *room) StorageBudget() (facts.Key, []resources.Budget) { return s.Owns(), nil }
func (s *room) Diff(facts.View) resources.Change               { return resources.Change{} }

// large is a thing that takes 100 bytes.
type large struct{ thing }

func (s *large) Diff(v facts.View) resources.Change {
	c := s.thing.Diff(v)
	c.Need.Disk = 100
	return c
}

// TestPlanLargerThanTheDisk holds that a plan that cannot fit is blocked as a whole,
// before its first change, and only where the disk is the project's.
func TestPlanLargerThanTheDisk(t *testing.T) {
	for _, c := range []struct {
		path    string
		free    int64
		blocked int
	}{{".", 99, 1}, {".", 100, 0}, {"/srv", 99, 0}} {
		f := absent("a")
		f.Set(facts.Disk{Path: c.path, Free: c.free})
		list := []resources.Resource{
			{Addr: resources.Addr{Kind: "room", Name: "storage"}, Spec: &room{c.path}},
			{Addr: resources.Addr{Kind: "thing", Name: "a"}, Spec: &large{thing{path: "a"}}},
		}
		p := mustMake(t, list, f)
		if got := p.Totals().Blocked; got != c.blocked {
			t.Errorf("%d bytes free on %s: %d blocked, not %d", c.free, c.path, got, c.blocked)
		}
		if c.blocked == 1 && (p.Items[0].Change.Problem == nil || p.Items[0].Change.Problem.Code != "plan.disk") {
			t.Errorf("the problem is %+v", p.Items[0].Change.Problem)
		}
	}
}
