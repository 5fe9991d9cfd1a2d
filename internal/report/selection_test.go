package report_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// partPlan overwrites a file that was changed on the machine, and excludes the rest.
func partPlan() *planner.Plan {
	named := func(name string, a resources.Action, why string) planner.ExcludedResource {
		return planner.ExcludedResource{Addr: resources.Addr{Kind: "file", Name: name}, Action: a, Why: why}
	}
	return &planner.Plan{
		Host: "gpu1", Unchanged: 2,
		Items: []planner.Item{{
			Resource: res("file", "paths.py", facts.PathKey("paths.py")), Drift: true, Conflict: true,
			Change: resources.Change{
				Action: resources.Update,
				Steps:  []resources.Step{resources.WriteFile{Path: "paths.py", Mode: 0o644, Content: newPaths, Replaces: facts.SHA256{1}}},
			},
		}},
		Excluded: &planner.Excluded{
			Flags: "--target and --exclude", Total: 5, Differ: 2, Resources: []planner.ExcludedResource{
				named("notes.txt", resources.Create, "matches --exclude file.n*"),
				named("old.txt", resources.Delete, "not selected by --target"),
				named("same.txt\x1b[2J", resources.None, "depends on file.notes.txt, which is excluded"),
			},
		},
	}
}

func TestPlanOfAPart(t *testing.T) {
	page(t, "part", func(b *bytes.Buffer, o report.Options) error {
		o.ReadText = readText
		return report.Plan(b, partPlan(), o)
	})
}

// TestMarkdownOfAPart checks that a comment on a pull request reports the excluded part.
func TestMarkdownOfAPart(t *testing.T) {
	var b bytes.Buffer
	if err := report.PlanMarkdown(&b, partPlan(), report.Options{ReadText: readText}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"**Overwrites**", "conflict", "Excluded by --target and --exclude: 5 resources; 2 of them differ"} {
		if !strings.Contains(strings.ReplaceAll(b.String(), `\`, ""), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

func TestPlanOfNothingInAPart(t *testing.T) {
	p := partPlan()
	p.Items = nil
	for i := range 30 {
		p.Excluded.Resources = append(p.Excluded.Resources, planner.ExcludedResource{Addr: resources.Addr{Kind: "file", Name: fmt.Sprint(i)}, Why: "not selected by --target"})
	}
	var b bytes.Buffer
	if err := report.Plan(&b, p, report.Options{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"and 13 more; --json lists them", "Nothing to do in the selected part: 2 resources agree"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

func TestDownloadOfUnknownSizeIsInTheTotals(t *testing.T) {
	item := func(kind, name string, c resources.Change) planner.Item {
		c.Action = resources.Create
		return planner.Item{Resource: res(kind, name, facts.PathKey(name)), Change: c}
	}
	plan := &planner.Plan{Items: []planner.Item{
		item("python", "3.10", resources.Change{Steps: []resources.Step{resources.Fetch{URLs: []string{"file:///build"}, Path: "/store/build"}}}),
		item("venv", "local", resources.Change{Need: resources.Need{Download: 5_000_000, Disk: 9_000_000}}),
	}}
	var b bytes.Buffer
	if err := report.Plan(&b, plan, report.Options{}); err != nil {
		t.Fatal(err)
	}
	if want := "; downloads 5 MB, takes 9 MB, and downloads 1 archive of unknown size."; !strings.Contains(b.String(), want) {
		t.Errorf("got\n%s\nwant %s", b.String(), want)
	}
}
