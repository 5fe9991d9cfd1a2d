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

// fakeSpec is a kind for tests: a directory at a path, which is created once all that it
// needs are directories.
type fakeSpec struct {
	path  string
	needs []string
	vague bool // predicts nothing
}

func (s *fakeSpec) Owns() facts.Key { return facts.PathKey(s.path) }

func (s *fakeSpec) Reads() []facts.Key {
	keys := []facts.Key{s.Owns()}
	for _, n := range s.needs {
		keys = append(keys, facts.PathKey(n))
	}
	return keys
}

func (s *fakeSpec) Diff(v facts.View) resources.Change {
	for _, n := range s.needs {
		if facts.Get[facts.Path](v, facts.PathKey(n)).Type != facts.Dir {
			return resources.Block(&diag.Problem{Summary: n + " is not a directory"})
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

func resource(path string, needs ...string) resources.Resource {
	return resources.Resource{Addr: resources.Addr{Kind: "thing", Name: path}, Spec: &fakeSpec{path: path, needs: needs}}
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

func TestReadersFollowOwnersAndReadPredictions(t *testing.T) {
	p, err := Make([]resources.Resource{resource("b", "a"), resource("a")}, absent("a", "b"))
	if err != nil {
		t.Fatal(err)
	}
	if got := outline(p); !slices.Equal(got, []string{"a create", "b create"}) {
		t.Errorf("%q", got)
	}
	if after := p.Items[1].After; !slices.Equal(after, []int{0}) {
		t.Errorf("b depends on %v", after)
	}
}

func TestPathsFollowTheirDirectory(t *testing.T) {
	p, err := Make([]resources.Resource{resource("x/y/z"), resource("x")}, absent("x", "x/y/z"))
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
	p, err := Make([]resources.Resource{resource("a"), resource("b", "a")}, f)
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

// lenient is a requirement with its own answer to unknown facts.
type lenient struct{ fakeSpec }

func (s *lenient) Requirement() {}

func (s *lenient) DiffUnknown(reason string) resources.Change {
	return resources.CheckResult("not known", &diag.Problem{Code: "test.unknown", Severity: diag.Warn, Summary: reason})
}

func TestUnknownDifferIsNotBlocked(t *testing.T) {
	f := absent("a")
	f.Fail(facts.PathKey("b"), "permission denied")
	list := []resources.Resource{{Addr: resources.Addr{Kind: "lenient", Name: "b"}, Spec: &lenient{fakeSpec{path: "b"}}}, resource("a"), resource("c")}
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

func TestReadersOfUnpredictedKeysAreDeferred(t *testing.T) {
	vague := resource("a")
	vague.Spec.(*fakeSpec).vague = true
	p, err := Make([]resources.Resource{vague, resource("b", "a"), resource("c", "b")}, absent("a", "b", "c"))
	if err != nil {
		t.Fatal(err)
	}
	if got := outline(p); !slices.Equal(got, []string{"a create", "b deferred", "c deferred"}) {
		t.Errorf("%q", got)
	}
}

func TestContradictionsNameBothPositions(t *testing.T) {
	a, b := resource("x"), resource("x")
	a.Pos, b.Pos = diag.Pos{File: "manifest.yaml", Line: 3, Col: 5}, diag.Pos{File: "manifest.yaml", Line: 9, Col: 5}
	_, err := Make([]resources.Resource{a, b}, absent("x"))
	if err == nil || !strings.Contains(err.Error(), "manifest.yaml:3:5") || !strings.Contains(err.Error(), "manifest.yaml:9:5") {
		t.Errorf("two owners: %v", err)
	}
	_, err = Make([]resources.Resource{resource("x", "y"), resource("y", "x")}, absent("x", "y"))
	if err == nil || !strings.Contains(err.Error(), "thing.x") || !strings.Contains(err.Error(), "thing.y") {
		t.Errorf("cycle: %v", err)
	}
	c := resource("x")
	c.DependsOn = []resources.Addr{{Kind: "thing", Name: "missing"}}
	if _, err = Make([]resources.Resource{c}, absent("x")); err == nil || !strings.Contains(err.Error(), "thing.missing") {
		t.Errorf("unknown dependency: %v", err)
	}
}

// TestPlansSettleInAnyOrder checks that the set of changes does not depend on the order of
// the resources, that items depend on earlier items only, and that nothing is left to do
// once all predictions hold.
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
			list = append(list, resource(n, needs...))
		}
		first := mustMake(t, list, f)
		second := mustMake(t, rapid.Permutation(list).Draw(t, "order"), f)
		a, b := outline(first), outline(second)
		slices.Sort(a)
		slices.Sort(b)
		if !slices.Equal(a, b) {
			t.Fatalf("another order gives another plan:\n%q\n%q", a, b)
		}
		for i, it := range second.Items {
			for _, from := range it.After {
				if from >= i {
					t.Fatalf("item %d depends on item %d", i, from)
				}
			}
			for _, fact := range it.Change.Predicts {
				f.Set(fact)
			}
		}
		for _, it := range mustMake(t, list, f).Items {
			if it.Change.Action != resources.Blocked {
				t.Fatalf("%s still changes after all predictions", it.Resource.Addr)
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

// fakeDisk is a requirement for tests without limits; the plan is compared with its disk.
type fakeDisk struct{ path string }

func (s *fakeDisk) Owns() facts.Key                                { return facts.DiskKey(s.path) }
func (s *fakeDisk) Reads() []facts.Key                             { return []facts.Key{s.Owns()} }
func (s *fakeDisk) Requirement()                                   {}
func (s *fakeDisk) StorageBudget() (facts.Key, []resources.Budget) { return s.Owns(), nil }
func (s *fakeDisk) Diff(facts.View) resources.Change               { return resources.Change{} }

// large is a fakeSpec that needs 100 bytes.
type large struct{ fakeSpec }

func (s *large) Diff(v facts.View) resources.Change {
	c := s.fakeSpec.Diff(v)
	c.Need.Disk = 100
	return c
}

// TestPlanLargerThanDiskIsBlocked checks that such a plan is blocked as a whole, before
// its first change, and only if the disk is that of the project.
func TestPlanLargerThanDiskIsBlocked(t *testing.T) {
	for _, c := range []struct {
		path    string
		free    int64
		blocked int
	}{{".", 99, 1}, {".", 100, 0}, {"/srv", 99, 0}} {
		f := absent("a")
		f.Set(facts.Disk{Path: c.path, Free: c.free})
		list := []resources.Resource{
			{Addr: resources.Addr{Kind: "disk", Name: "storage"}, Spec: &fakeDisk{c.path}},
			{Addr: resources.Addr{Kind: "thing", Name: "a"}, Spec: &large{fakeSpec{path: "a"}}},
		}
		p := mustMake(t, list, f)
		if got := p.Totals().Blocked; got != c.blocked {
			t.Errorf("%d bytes free on %s: %d blocked, not %d", c.free, c.path, got, c.blocked)
		}
		if c.blocked == 1 && (p.Items[0].Change.Problem == nil || p.Items[0].Change.Problem.Code != "plan.disk") {
			t.Errorf("problem: %+v", p.Items[0].Change.Problem)
		}
	}
}
