package planner_test

import (
	"encoding/json"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
	"github.com/reconcile-ml/reconcile/pkg/resources/all"
	"github.com/reconcile-ml/reconcile/pkg/resources/directory"
	"github.com/reconcile-ml/reconcile/pkg/resources/disk"
	"github.com/reconcile-ml/reconcile/pkg/resources/file"
)

func addr(t interface{ Fatal(...any) }, text string) resources.Addr {
	var a resources.Addr
	if err := a.UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return a
}

// TestMatch compares Match with regular expressions.
func TestMatch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.StringMatching(`[ab./*?]{0,8}`).Draw(t, "pattern")
		address := rapid.StringMatching(`[ab./*?]{0,8}`).Draw(t, "address")
		expr := strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(regexp.QuoteMeta(pattern))
		want := pattern == address || regexp.MustCompile(`^(?s:`+expr+`)$`).MatchString(address)
		if got := planner.Match(pattern, address); got != want {
			t.Errorf("Match(%q, %q) = %v", pattern, address, got)
		}
	})
}

// slowDependencies returns the dependencies of each resource, computed pair by pair: those
// whose path contains its own, and those that depends_on names.
func slowDependencies(list []resources.Resource) map[string][]string {
	of := map[string][]string{}
	for _, r := range list {
		for _, other := range list {
			contains := strings.HasPrefix(r.Spec.Owns().Name, other.Spec.Owns().Name+"/")
			if r.Addr != other.Addr && (contains || slices.Contains(r.DependsOn, other.Addr)) {
				of[r.Addr.String()] = append(of[r.Addr.String()], other.Addr.String())
			}
		}
	}
	return of
}

// TestSelections draws manifests, machines, states and selections. A selected resource
// must not depend on an excluded one, the order must be that of the whole plan, and
// selecting everything must equal no selection.
func TestSelections(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		list := drawList(t)
		for i := range list {
			if i > 0 && rapid.IntRange(0, 3).Draw(t, "depends") == 0 {
				list[i].DependsOn = []resources.Addr{list[rapid.IntRange(0, i-1).Draw(t, "on")].Addr}
			}
		}
		known := drawMachine(t).facts(t)
		known.Set(facts.Disk{Path: ".", Total: 100, Free: 50, Writable: true})
		list = append(list, resources.Resource{Addr: resources.Addr{Kind: "disk", Name: "storage"}, Spec: &disk.Spec{Path: "."}})
		before := planner.Prior{State: drawState(t, dir), NewSpec: emptySpec}
		whole, err := before.Make(list, known)
		if err != nil {
			return // a cycle
		}
		var words []string
		for _, it := range whole.Items {
			words = append(words, it.Resource.Addr.String())
		}
		for _, r := range list {
			words = append(words, r.Addr.String())
		}
		words = append(words, "*")
		pick := func(name string) []string {
			return rapid.SliceOfN(rapid.SampledFrom(words), 0, 2).Draw(t, name)
		}
		before.Selection = planner.Selection{Target: pick("target"), Exclude: slices.DeleteFunc(pick("exclude"), func(w string) bool { return w == "disk.storage" })}
		part, err := before.Make(list, known)
		if err != nil {
			t.Fatalf("%v", err)
		}
		checkPart(t, whole, part, list, before.Selection)

		before.Selection = planner.Selection{Target: []string{"*"}}
		same, err := before.Make(list, known)
		if err != nil {
			t.Fatal(err)
		}
		if same.Excluded == nil || same.Excluded.Total != 0 {
			t.Errorf("everything is selected, and excluded is %+v", same.Excluded)
		}
		same.Excluded = nil
		if !reflect.DeepEqual(outlineOf(t, same), outlineOf(t, whole)) {
			t.Errorf("selecting everything gives %s, not %s", outlineOf(t, same), outlineOf(t, whole))
		}
	})
}

// outlineOf returns every item of a plan as text.
func outlineOf(t *rapid.T, p *planner.Plan) string {
	var b strings.Builder
	for _, it := range p.Items {
		steps, err := resources.MarshalSteps(it.Change.Steps)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal([]any{it.Resource.Addr, it.Change, it.After, it.Drift, it.Pending, it.Orphan})
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString(string(text) + string(steps) + "\n")
	}
	return b.String()
}

func checkPart(t *rapid.T, whole, part *planner.Plan, list []resources.Resource, s planner.Selection) {
	at := map[string]int{}
	for i, it := range whole.Items {
		at[it.Resource.Addr.String()+" "+string(it.Change.Action)] = i
	}
	if (len(s.Target)+len(s.Exclude) > 0) != (part.Excluded != nil) {
		t.Errorf("excluded: %+v", part.Excluded)
	}
	excluded := map[string]bool{}
	if part.Excluded != nil {
		for _, out := range part.Excluded.Resources {
			excluded[out.Addr.String()] = true
		}
	}
	last := -1
	dependencies := slowDependencies(list)
	for _, it := range part.Items {
		name := it.Resource.Addr.String()
		i, ok := at[name+" "+string(it.Change.Action)]
		// An orphan is kept if another one in it is excluded.
		if !ok && !it.Orphan {
			t.Errorf("%s: %s is not in the whole plan", name, it.Change.Action)
		}
		if ok && i < last && !it.Orphan {
			t.Errorf("%s is out of order", name)
		}
		last = max(last, i)
		if it.Check || it.Orphan {
			continue
		}
		for _, from := range dependencies[name] {
			if excluded[from] {
				t.Errorf("%s is selected, and depends on %s, which is excluded", name, from)
			}
		}
		if slices.ContainsFunc(s.Exclude, func(p string) bool { return planner.Match(p, name) }) {
			t.Errorf("%s is excluded", name)
		}
	}
	if len(part.Items) == 0 || !slices.ContainsFunc(part.Items, func(i planner.Item) bool { return i.Check }) {
		t.Errorf("the check is excluded")
	}
}

func emptySpec(kind string) resources.Spec {
	if k, ok := all.Find(kind); ok {
		return k.New()
	}
	return nil
}

// smallList has a check, a directory, a file in it and a file beside it.
func smallList() []resources.Resource {
	return []resources.Resource{
		{Addr: resources.Addr{Kind: "disk", Name: "storage"}, Spec: &disk.Spec{Path: "."}},
		{Addr: resources.Addr{Kind: "directory", Name: "data"}, Spec: &directory.Spec{Path: "data"}},
		{Addr: resources.Addr{Kind: "file", Name: "data/notes.txt"}, Spec: &file.Spec{Path: "data/notes.txt", Content: "hello\n"}},
		{Addr: resources.Addr{Kind: "file", Name: "train.yaml"}, Spec: &file.Spec{Path: "train.yaml", Content: "x"}},
	}
}

func smallFacts() *facts.Facts {
	return facts.Of(
		facts.Disk{Path: ".", Total: 100, Free: 50, Writable: true}, facts.Path{Path: "data", Type: facts.Absent},
		facts.Path{Path: "data/notes.txt", Type: facts.Absent},
		facts.Path{Path: "train.yaml", Type: facts.Regular, Mode: 0o600, Size: 1, SHA256: digest("x")},
	)
}

func TestTargetSelectsDependencies(t *testing.T) {
	p, err := planner.Prior{Selection: planner.Selection{Target: []string{"file.data/*"}}}.Make(smallList(), smallFacts())
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Items) != 3 || p.Items[1].Resource.Addr != addr(t, "directory.data") || !slices.Equal(p.Items[2].After, []int{1}) {
		t.Errorf("%+v", p.Items)
	}
	if p.Excluded.Total != 1 || p.Excluded.Differ != 0 || p.Excluded.Flags != "--target" {
		t.Errorf("%+v", p.Excluded)
	}
}

func TestExcludeExcludesDependents(t *testing.T) {
	p, err := planner.Prior{Selection: planner.Selection{Exclude: []string{"directory.*"}}}.Make(smallList(), smallFacts())
	if err != nil {
		t.Fatal(err)
	}
	want := []planner.ExcludedResource{
		{Addr: addr(t, "directory.data"), Action: resources.Create, Why: "matches --exclude directory.*"},
		{Addr: addr(t, "file.data/notes.txt"), Action: resources.Create, Why: "depends on directory.data, which is excluded"},
	}
	if len(p.Items) != 1 || p.Unchanged != 1 || !slices.Equal(p.Excluded.Resources, want) {
		t.Errorf("%+v", p.Excluded)
	}
}

func TestReplaceRewritesFileThatAgrees(t *testing.T) {
	p, err := planner.Prior{Selection: planner.Selection{Replace: []string{"file.train.yaml"}, Target: []string{"file.train.yaml"}}}.Make(smallList(), smallFacts())
	if err != nil {
		t.Fatal(err)
	}
	it := p.Items[1]
	want := resources.WriteFile{Path: "train.yaml", Mode: 0o600, Content: "x", Replaces: digest("x")}
	if it.Change.Action != resources.Replace || !it.Recreate || len(it.Change.Steps) != 1 || it.Change.Steps[0] != resources.Step(want) {
		t.Errorf("%+v", it.Change)
	}
}

func TestInvalidSelections(t *testing.T) {
	protected := smallList()
	protected[3].Protect = true
	for name, c := range map[string]struct {
		list []resources.Resource
		planner.Selection
		code, hint string
	}{
		"misspelt":         {smallList(), planner.Selection{Target: []string{"file.trian.yaml"}}, "select.nothing", "did you mean file.train.yaml?"},
		"by file name":     {smallList(), planner.Selection{Target: []string{"notes.txt"}}, "select.nothing", "did you mean file.data/notes.txt?"},
		"misspelt kind":    {smallList(), planner.Selection{Target: []string{"directry.*"}}, "select.nothing", "did you mean directory.*?"},
		"nothing near":     {smallList(), planner.Selection{Exclude: []string{"zzz"}}, "select.nothing", "reconcile status"},
		"a check":          {smallList(), planner.Selection{Exclude: []string{"disk.*"}}, "select.check", "severity: warn"},
		"a directory":      {smallList(), planner.Selection{Replace: []string{"directory.data"}}, "select.replace", "away yourself"},
		"a check replaced": {smallList(), planner.Selection{Replace: []string{"disk.storage"}}, "select.replace", "files and environments"},
		"excluded":         {smallList(), planner.Selection{Exclude: []string{"file.train.yaml"}, Replace: []string{"file.train.yaml"}}, "select.replace", "select it too"},
		"protected":        {protected, planner.Selection{Replace: []string{"file.train.yaml"}}, "select.replace", "protect: true"},
	} {
		_, err := planner.Prior{Selection: c.Selection}.Make(c.list, smallFacts())
		problems := diag.Problems(err)
		if len(problems) != 1 || problems[0].Code != c.code || !strings.Contains(problems[0].Hint, c.hint) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
