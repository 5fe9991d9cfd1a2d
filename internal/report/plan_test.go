package report_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/golden"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// variants are the options of the goldens of a page.
func variants() map[string]report.Options {
	all := map[string]report.Options{"pipe": {}}
	for _, width := range []int{60, 80, 120} {
		all[fmt.Sprint(width)] = report.Options{Width: width, Terminal: true}
		all[fmt.Sprintf("%d-color", width)] = report.Options{Width: width, Terminal: true, Color: true}
	}
	return all
}

// page compares the output of print with a golden for each variant.
func page(t *testing.T, name string, print func(*bytes.Buffer, report.Options) error) {
	t.Helper()
	for variant, o := range variants() {
		t.Run(variant, func(t *testing.T) {
			var b bytes.Buffer
			if err := print(&b, o); err != nil {
				t.Fatal(err)
			}
			golden.Check(t, filepath.Join("testdata", name+"."+variant+".txt"), b.Bytes())
		})
	}
}

func TestPlan(t *testing.T) {
	page(t, "plan", func(b *bytes.Buffer, o report.Options) error {
		o.ReadText = readText
		return report.Plan(b, fullPlan(), o)
	})
}

func TestPlanForAnotherMachine(t *testing.T) {
	var b bytes.Buffer
	if err := report.Plan(&b, fullPlan(), report.Options{}); err != nil {
		t.Fatal(err)
	}
	if want := "(the difference is not shown: the existing file was not recorded)"; !strings.Contains(b.String(), want) {
		t.Errorf("no %q in\n%s", want, &b)
	}
}

func TestPlanTooSmall(t *testing.T) {
	p, err := planner.Make(manifestResources(), machineFacts(15_000_000_000))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := report.Plan(&b, p, report.Options{ReadText: readText}); err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "testdata/plan-too-small.txt", b.Bytes())
}

func TestPlanMany(t *testing.T) {
	for name, o := range map[string]report.Options{"short": {}, "detail": {Detail: true}} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := report.Plan(&b, manyPlan(20), o); err != nil {
				t.Fatal(err)
			}
			golden.Check(t, "testdata/plan-many."+name+".txt", b.Bytes())
		})
	}
}

func TestPlanNothingToDo(t *testing.T) {
	ok := resources.Change{Summary: "212.3 GB free on ."}
	agreeing := &planner.Plan{
		Environment: "local", Host: "gpu1", Unchanged: 13, Notes: []string{"a note"},
		Items: []planner.Item{{Resource: res("disk", "storage", facts.DiskKey(".")), Check: true, Change: ok}},
	}
	for _, c := range []struct {
		plan *planner.Plan
		o    report.Options
		want string
	}{
		{agreeing, report.Options{}, "Nothing to do: 14 resources agree with manifest.yaml (environment local on gpu1). -v shows 1 note.\n"},
		{&planner.Plan{Unchanged: 1}, report.Options{Manifest: "m.yaml"}, "Nothing to do: 1 resource agrees with m.yaml.\n"},
		{&planner.Plan{Host: "gpu1"}, report.Options{}, "Nothing to do: 0 resources agree with manifest.yaml (on gpu1).\n"},
		{&planner.Plan{Environment: "local"}, report.Options{}, "Nothing to do: 0 resources agree with manifest.yaml (environment local).\n"},
		{agreeing, report.Options{Verbose: true}, "Checks\n  ok    disk.storage: 212.3 GB free on .\n\nNotes\n  - a note\n\nNothing to do: 14 resources agree with manifest.yaml (environment local on gpu1).\n"},
	} {
		var b bytes.Buffer
		if err := report.Plan(&b, c.plan, c.o); err != nil {
			t.Fatal(err)
		}
		if b.String() != c.want {
			t.Errorf("got\n%s\nwant\n%s", &b, c.want)
		}
	}
}

// TestPlanNotes checks which notes are printed.
func TestPlanNotes(t *testing.T) {
	const long, short = "Notes\n  - a note\n  - an index\n\n", "Notes\n  - an index\n\n-v shows 1 note.\n\n"
	for name, c := range map[string]struct {
		action  resources.Action
		verbose bool
		want    string
	}{
		"create":  {action: resources.Create, want: long},
		"verbose": {action: resources.Update, verbose: true, want: long},
		"update":  {action: resources.Update, want: short},
	} {
		t.Run(name, func(t *testing.T) {
			plan := &planner.Plan{Notes: []string{"a note"}, Notices: []string{"an index"}, Items: []planner.Item{{
				Resource: res("venv", "local", facts.EnvironmentKey("local")), Change: resources.Change{Action: c.action},
			}}}
			var b bytes.Buffer
			if err := report.Plan(&b, plan, report.Options{Verbose: c.verbose}); err != nil {
				t.Fatal(err)
			}
			_, after, _ := strings.Cut(b.String(), "\n\n")
			if got, _, _ := strings.Cut(after, "Plan: "); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestNothingToDoThatDoesNotFit checks that a budget that does not fit is always printed.
func TestNothingToDoThatDoesNotFit(t *testing.T) {
	plan := &planner.Plan{Storage: &planner.Storage{Path: ".", Free: 10, Budget: []resources.Budget{{Item: "model", Low: 30, High: 40}}}}
	var b, s bytes.Buffer
	if err := errors.Join(report.Plan(&b, plan, report.Options{}), report.Status(&s, report.Machine{Plan: plan})); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"plan": b.String(), "status": s.String()} {
		if !strings.Contains(text, "Storage on .\n") || !strings.Contains(text, "  not enough: 20 B are missing for the lowest figures\n") {
			t.Errorf("%s printed\n%s", name, text)
		}
	}
	plan.Storage.Free = 30
	b.Reset()
	if err := report.Plan(&b, plan, report.Options{}); err != nil || strings.Contains(b.String(), "Storage") {
		t.Errorf("a budget that fits: %v\n%s", err, &b)
	}
}

func TestPlanJSON(t *testing.T) {
	var first, second bytes.Buffer
	if err := report.PlanJSON(&first, fullPlan()); err != nil {
		t.Fatal(err)
	}
	if err := report.PlanJSON(&second, fullPlan()); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("equal plans give different bytes")
	}
	golden.Check(t, "testdata/plan.json", first.Bytes())

	var doc struct {
		Version int
		Items   []struct{ Steps json.RawMessage }
	}
	if err := json.Unmarshal(first.Bytes(), &doc); err != nil || doc.Version != 1 {
		t.Fatalf("version %d: %v", doc.Version, err)
	}
	for i, item := range fullPlan().Items {
		if item.Change.Steps == nil {
			continue
		}
		steps, err := resources.UnmarshalSteps(doc.Items[i].Steps)
		if err != nil || len(steps) != len(item.Change.Steps) {
			t.Errorf("item %d: %d steps come back as %d: %v", i, len(item.Change.Steps), len(steps), err)
		}
	}
}

// brokenWriter is a pipe without a reader.
type brokenWriter struct{}

var errBroken = errors.New("broken pipe")

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

func TestPlanBrokenPipe(t *testing.T) {
	if err := report.Plan(brokenWriter{}, manyPlan(500), report.Options{}); !errors.Is(err, errBroken) {
		t.Errorf("got %v, want %v", err, errBroken)
	}
	if err := report.PlanJSON(brokenWriter{}, fullPlan()); !errors.Is(err, errBroken) {
		t.Errorf("got %v, want %v", err, errBroken)
	}
}

func TestDiffIsNotShown(t *testing.T) {
	long := strings.Repeat("line\n", 201)
	for _, c := range []struct{ name, content, before, want string }{
		{"long", long, "", "201 lines, 201 added and 0 removed, more than 200)"},
		{"binary", "a\x00b", "", "the new content is not text"},
		{"invalid", "a\xff\xfeb\n", "", "the new content is not text"},
		{"binary before", "a\n", "\x7fELF\x00", "the existing file is not text"},
		{"large", strings.Repeat("x", 1<<20+1), "", "the new content is large"},
		{"size", "a\x00b", "", "3 B of binary data"},
		{"unreadable", "a\n", "error", "permission denied"},
	} {
		t.Run(c.name, func(t *testing.T) {
			step := resources.WriteFile{Path: "a", Mode: 0o644, Content: c.content}
			if c.before != "" {
				step.Replaces = facts.SHA256{1}
			}
			plan := &planner.Plan{Items: []planner.Item{{Resource: res("file", "a", facts.PathKey("a")), Change: resources.Change{
				Action: resources.Update, Steps: []resources.Step{step},
			}}}}
			var b bytes.Buffer
			err := report.Plan(&b, plan, report.Options{ReadText: func(string) (string, error) {
				if c.before == "error" {
					return "", errors.New("open a: permission denied")
				}
				return c.before, nil
			}})
			if err != nil || !strings.Contains(b.String(), c.want) {
				t.Errorf("%v, no %q in\n%.2000s", err, c.want, &b)
			}
		})
	}
}

// TestDiffPrintsModes checks that a changed mode is printed beside both sides of a diff.
func TestDiffPrintsModes(t *testing.T) {
	plan := &planner.Plan{Items: []planner.Item{{Resource: res("file", "a", facts.PathKey("a")), Change: resources.Change{
		Action: resources.Update, Fields: []resources.Field{{Path: "mode", Actual: "0644", Desired: "0600"}},
		Steps: []resources.Step{resources.WriteFile{Path: "a", Mode: 0o600, Content: "new\n", Replaces: facts.SHA256{1}}},
	}}}}
	var b bytes.Buffer
	if err := report.Plan(&b, plan, report.Options{ReadText: func(string) (string, error) { return "old\n", nil }}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"--- a (on this machine, 0644)", "+++ a (manifest.yaml, 0600)", "Changes (on this machine -> manifest.yaml)"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, &b)
		}
	}
}
