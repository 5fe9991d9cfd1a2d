package report_test

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/apply"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// foreign is what people call their files.
const foreign = "Bücher – 書籍/naïve 'fine' \\ 🎉1"

// foreignPlan has foreign names, a line that is cut, and a command.
func foreignPlan() *planner.Plan {
	return &planner.Plan{Host: "büro", Items: []planner.Item{{Resource: res("file", foreign, facts.PathKey(foreign)), Change: resources.Change{
		Action: resources.Update, Summary: foreign,
		Steps: []resources.Step{
			resources.WriteFile{Path: foreign, Content: strings.Repeat("ü", 600) + "\n"},
			resources.Run{Program: "/usr/bin/uv", Args: []string{foreign}},
		},
	}}}}
}

func TestPlanInASCII(t *testing.T) {
	o := report.Options{ASCII: true, Detail: true}
	var b, colored bytes.Buffer
	if err := report.Plan(&b, foreignPlan(), o); err != nil {
		t.Fatal(err)
	}
	if err := report.Plan(&colored, foreignPlan(), report.Options{ASCII: true, Detail: true, Color: true, Width: 60}); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{b.String(), colored.String()} {
		if at := strings.IndexFunc(text, func(r rune) bool { return r > '~' }); at >= 0 {
			t.Errorf("%q is not ASCII", text[at:])
		}
	}
	for _, want := range []string{`B\u00fccher`, "... (", `$ /usr/bin/uv $'B\303\274cher \342\200\223 `} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, &b)
		}
	}
}

// TestCommandInASCIIIsReadBack types the printed command in the C locale.
func TestCommandInASCIIIsReadBack(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash on this machine")
	}
	var b bytes.Buffer
	if err := report.Plan(&b, foreignPlan(), report.Options{ASCII: true}); err != nil {
		t.Fatal(err)
	}
	_, line, _ := strings.Cut(b.String(), "$ /usr/bin/uv ")
	line, _, _ = strings.Cut(line, "\n")
	cmd := exec.Command(bash, "-c", "printf %s "+line)
	cmd.Env = []string{"LC_ALL=C"}
	if out, err := cmd.Output(); err != nil || string(out) != foreign {
		t.Errorf("bash reads %s as %q, %v", line, out, err)
	}
}

func TestProgressInASCII(t *testing.T) {
	var b bytes.Buffer
	hear := report.Progress(&b, report.Options{ASCII: true, Terminal: true, Width: 30})
	addr := resources.Addr{Kind: "file", Name: foreign}
	hear(apply.Event{Kind: apply.PlanStarted, Total: 1})
	hear(apply.Event{Kind: apply.ItemStarted, Addr: addr})
	hear(apply.Event{Kind: apply.Note, Addr: addr, Text: foreign})
	hear(apply.Event{Kind: apply.Finished})
	if at := strings.IndexFunc(b.String(), func(r rune) bool { return r > '~' }); at >= 0 || !strings.Contains(b.String(), "...") {
		t.Errorf("%q", b.String())
	}
}

func TestSpelledSaysWhatItTook(t *testing.T) {
	var b bytes.Buffer
	n, err := report.Spelled(&b, report.Options{ASCII: true}).Write([]byte("CMD [ARG…]"))
	if err != nil || n != len("CMD [ARG…]") || b.String() != "CMD [ARG...]" {
		t.Errorf("%d, %v, %q", n, err, &b)
	}
	if w := report.Spelled(&b, report.Options{}); w != &b {
		t.Error("a reader of UTF-8 gets another writer")
	}
}
