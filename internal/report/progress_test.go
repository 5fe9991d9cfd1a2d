package report_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reconcile-ml/reconcile/internal/apply"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/golden"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/runrecord"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

var (
	venvAddr = resources.Addr{Kind: "venv", Name: "local"}
	fileAddr = resources.Addr{Kind: "file", Name: "paths"}
	diskAddr = resources.Addr{Kind: "disk", Name: "storage"}
	lateAddr = resources.Addr{Kind: "file", Name: "late"}
	toolAddr = resources.Addr{Kind: "tool", Name: "uv"}
)

// failure is the problem of the failed item.
func failure() *diag.Problem {
	return &diag.Problem{
		Code: "apply.failed", Pos: diag.Pos{File: "manifest.yaml", Line: 14, Col: 3}, Summary: "uv ended with exit status 2",
		Found: "error: no space left on device\nerror: giving up", Hint: "free some space, then `reconcile apply`",
	}
}

// watch sends the events of an apply: a check, a file, a download, a long build that fails,
// and a file that depends on it.
func watch(listen func(apply.Event)) {
	start := time.Now()
	say := func(after time.Duration, e apply.Event) {
		time.Sleep(after)
		e.Time = time.Now()
		listen(e)
	}
	const mb = 1_000_000
	say(0, apply.Event{Kind: apply.PlanStarted, Total: 4})
	say(0, apply.Event{Kind: apply.ItemDone, Addr: diskAddr, Outcome: apply.Unchanged})
	say(0, apply.Event{Kind: apply.ItemStarted, Addr: fileAddr, Action: resources.Create})
	say(20*time.Millisecond, apply.Event{Kind: apply.ItemDone, Addr: fileAddr, Action: resources.Create, Outcome: apply.Done, Elapsed: 20 * time.Millisecond})
	say(0, apply.Event{Kind: apply.ItemStarted, Addr: venvAddr, Action: resources.Replace})
	say(0, apply.Event{Kind: apply.ItemStarted, Addr: toolAddr, Action: resources.Update})
	say(0, apply.Event{Kind: apply.StepStarted, Addr: venvAddr, Step: "remove", Text: "/store/projects/x"})
	say(0, apply.Event{Kind: apply.StepStarted, Addr: toolAddr, Step: "fetch", Text: "/store/tools/uv"})
	for n := range 25 {
		say(500*time.Millisecond, apply.Event{Kind: apply.Progress, Addr: toolAddr, Step: "fetch", Bytes: int64(n+1) * mb, Total: 25 * mb})
	}
	say(0, apply.Event{Kind: apply.ItemDone, Addr: toolAddr, Action: resources.Update, Outcome: apply.Done, Elapsed: 12500 * time.Millisecond})
	say(0, apply.Event{Kind: apply.StepStarted, Addr: venvAddr, Step: "run", Text: "/usr/bin/uv pip install -r requirements.txt"})
	say(time.Second, apply.Event{Kind: apply.Log, Addr: venvAddr, Stream: "stderr", Text: "Resolved 53 packages"})
	say(time.Second, apply.Event{Kind: apply.Note, Addr: venvAddr, Text: "copied, since links do not work here"})
	say(21*time.Second, apply.Event{Kind: apply.ItemFailed, Addr: venvAddr, Action: resources.Replace, Outcome: apply.Failed, Elapsed: 35 * time.Second, Err: failure()})
	say(0, apply.Event{Kind: apply.ItemSkipped, Addr: lateAddr, Action: resources.Defer, Outcome: apply.Skipped, Err: &diag.Problem{Summary: "not done, since venv.local failed"}})
	say(0, apply.Event{Kind: apply.Finished, Total: 4, Elapsed: time.Since(start)})
}

func TestProgress(t *testing.T) {
	for name, o := range map[string]report.Options{
		"pipe": {}, "verbose": {Verbose: true},
		"80": {Width: 80, Terminal: true}, "80-color": {Width: 80, Terminal: true, Color: true},
		"40": {Width: 40, Terminal: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var b bytes.Buffer
				watch(report.Progress(&b, o))
				golden.Check(t, "testdata/progress."+name+".txt", bytes.ReplaceAll(b.Bytes(), []byte("\r"), []byte("<return>\n")))
			})
		})
	}
}

// TestProgressLiveLine checks that the live line never wraps and is removed at the end.
func TestProgressLiveLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		watch(report.Progress(&b, report.Options{Width: 40, Terminal: true}))
		screen := ""
		for piece := range strings.SplitAfterSeq(b.String(), "\n") {
			for drawn := range strings.SplitSeq(strings.TrimSuffix(piece, "\n"), "\r") {
				screen = drawn
				if strings.Contains(drawn, "done)") && len([]rune(drawn)) >= 40 {
					t.Errorf("live line of %d columns: %q", len([]rune(drawn)), drawn)
				}
			}
		}
		if strings.TrimSpace(screen) != "" {
			t.Errorf("left on the screen: %q", screen)
		}
	})
}

func TestProgressOfMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		listen := report.Progress(&b, report.Options{})
		listen(apply.Event{Kind: apply.PlanStarted, Total: 5000})
		for range 5000 {
			listen(apply.Event{Kind: apply.ItemDone, Addr: fileAddr, Action: resources.Create, Outcome: apply.Done, Elapsed: time.Millisecond})
		}
		listen(apply.Event{Kind: apply.ItemDone, Addr: venvAddr, Action: resources.Create, Outcome: apply.Done, Elapsed: 90 * time.Minute})
		listen(apply.Event{Kind: apply.Finished})
		want := "venv.local: created in 1 h 30 min (5001 of 5000)\n5000 changes more, each in less than a second\n"
		if b.String() != want {
			t.Errorf("got\n%.2000s\nwant\n%s", &b, want)
		}
	})
}

// TestProgressWithoutPlan sends single steps, as rollback and gc do.
func TestProgressWithoutPlan(t *testing.T) {
	var b bytes.Buffer
	listen := report.Progress(&b, report.Options{Width: 80, Terminal: true})
	listen(apply.Event{Kind: apply.StepStarted, Addr: venvAddr, Step: "switch", Text: ".venv/generation -> x"})
	listen(apply.Event{Kind: apply.Finished})
	if want := "venv.local: switch .venv/generation -> x\n"; b.String() != want {
		t.Errorf("got %q, want %q", &b, want)
	}
}

func TestEventsJSON(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		watch(report.EventsJSON(&b))
		golden.Check(t, "testdata/events.jsonl", b.Bytes())
		for line := range strings.Lines(b.String()) {
			var e struct {
				Version int
				Kind    string
			}
			if err := json.Unmarshal([]byte(line), &e); err != nil || e.Version != 1 || e.Kind == "" {
				t.Errorf("%v: %s", err, line)
			}
		}
	})
}

// result is the result of the apply.
func result() *apply.Result {
	return &apply.Result{Elapsed: 35 * time.Second, Items: []apply.ItemResult{
		{Addr: diskAddr, Outcome: apply.Unchanged},
		{Addr: fileAddr, Action: resources.Create, Outcome: apply.Done, Elapsed: 20 * time.Millisecond},
		{
			Addr: toolAddr, Action: resources.Update, Outcome: apply.Done, Elapsed: 12500 * time.Millisecond,
			Kept: []apply.Kept{{Path: "it's.py", SHA256: facts.SHA256{1}, Copy: "/store/projects/train-1f2e3d4c/kept/0100"}},
		},
		{Addr: venvAddr, Action: resources.Replace, Outcome: apply.Failed, Cause: failure(), Elapsed: 35 * time.Second},
		{Addr: lateAddr, Action: resources.Defer, Outcome: apply.Skipped, Cause: &diag.Problem{Summary: "not done, since venv.local failed"}},
	}}
}

// smokeTest has skipped parts, with text that could control a terminal.
func smokeTest() []apply.SmokeTestPart {
	return []apply.SmokeTestPart{
		{Name: "imports", Outcome: apply.SmokeTestPassed},
		{Name: "cuda", Outcome: apply.SmokeTestSkipped, Detail: "no usable NVIDIA GPU on this machine"},
		{Name: "qlora", Outcome: apply.SmokeTestUnknown, Detail: "the \x1b GPU is full"},
	}
}

func TestSummary(t *testing.T) {
	page(t, "summary", func(b *bytes.Buffer, o report.Options) error { return report.Summary(b, testRecord(o), o) })
}

// TestSummaryListsPackages checks that all packages are listed for a new environment only.
func TestSummaryListsPackages(t *testing.T) {
	changed := []resources.PackageChange{{Name: "pandas", Actual: "2.3.2", Desired: "2.3.3"}}
	for name, c := range map[string]struct {
		item      apply.ItemResult
		verbose   bool
		has, lack string
	}{
		"created":  {item: apply.ItemResult{Action: resources.Create, Outcome: apply.Done, Packages: changed}, has: "numpy 1.26.4", lack: "status` lists"},
		"updated":  {item: apply.ItemResult{Action: resources.Update, Outcome: apply.Done, Packages: changed}, has: "7, 1 changed; `reconcile status --env local` lists them\n", lack: "numpy"},
		"changes":  {item: apply.ItemResult{Action: resources.Update, Outcome: apply.Done, Packages: changed}, has: "    ~ pandas 2.3.2 -> 2.3.3\n", lack: "pandas 2.3.3\n    trafilatura"},
		"switched": {item: apply.ItemResult{Action: resources.Update, Outcome: apply.Done}, has: "packages    7; `reconcile status --env local` lists them\n", lack: "pandas"},
		"untested": {item: apply.ItemResult{Action: resources.Create, Outcome: apply.Done, SmokeTest: smokeTest()}, has: "not tested: venv.local: cuda (skipped: no usable NVIDIA GPU on this machine), qlora (unknown: the \\x1b GPU is full)\n", lack: "imports ("},
		"failed":   {item: apply.ItemResult{Action: resources.Create, Outcome: apply.Failed, Cause: failure()}, has: "packages    7; ", lack: "pandas"},
		"verbose":  {item: apply.ItemResult{Action: resources.Update, Outcome: apply.Done}, verbose: true, has: "numpy 1.26.4", lack: "status` lists"},
	} {
		t.Run(name, func(t *testing.T) {
			c.item.Addr = venvAddr
			var b bytes.Buffer
			if err := summarize(&b, &apply.Result{Items: []apply.ItemResult{c.item}}, machine(report.Options{Verbose: c.verbose})); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(b.String(), c.has) || strings.Contains(b.String(), c.lack) {
				t.Errorf("want %q and no %q in\n%s", c.has, c.lack, &b)
			}
		})
	}
}

// TestSummaryOfManyReplaced checks the number of listed files.
func TestSummaryOfManyReplaced(t *testing.T) {
	r := &apply.Result{}
	for range 25 {
		r.Items = append(r.Items, apply.ItemResult{Addr: fileAddr, Action: resources.Update, Outcome: apply.Done, Kept: []apply.Kept{{Path: "-a b", Copy: "/store/projects/x/kept/00"}}})
	}
	var b bytes.Buffer
	if err := summarize(&b, r, report.Machine{Options: report.Options{Width: 40}}); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(b.String(), "; to restore it: cp /store/projects/x/kept/00 './-a b'\n"); n != 20 {
		t.Errorf("%d files are named in\n%s", n, &b)
	}
	if !strings.Contains(b.String(), "Replaced 5 files more;") || !strings.Contains(b.String(), "/store/projects/x/runs") {
		t.Errorf("the others are not counted in\n%s", &b)
	}
}

func TestSummaryEndings(t *testing.T) {
	done := func(actions ...resources.Action) *apply.Result {
		r := &apply.Result{Elapsed: 65 * time.Second}
		for _, a := range actions {
			r.Items = append(r.Items, apply.ItemResult{Addr: fileAddr, Action: a, Outcome: apply.Done})
		}
		return r
	}
	stopped := done(resources.Create)
	stopped.Interrupted = true
	stopped.Items = append(stopped.Items, apply.ItemResult{Addr: venvAddr, Outcome: apply.Interrupted})
	for _, c := range []struct {
		r     *apply.Result
		after report.Machine
		want  string
	}{
		{
			done(resources.Create, resources.Update, resources.Replace, resources.Delete, resources.Defer),
			report.Machine{},
			"Recap: 0 ok, 5 changed, 0 failed, 0 skipped, 0 blocked.\nApply: 1 created, 1 updated, 1 replaced, 1 deleted, 1 decided and done in 1 min 5 s.\n",
		},
		{
			done(),
			report.Machine{Plan: manyPlan(1)},
			"The machine still differs in 2 resources: run `reconcile plan`.\nRecap: 0 ok, 0 changed, 0 failed, 0 skipped, 0 blocked on gpu1.\nApply: 0 created, 0 updated in 1 min 5 s.\n",
		},
		{
			stopped,
			report.Machine{},
			"interrupted: venv.local\n\nInterrupted: finished changes are kept; `reconcile apply` continues.\nRecap: 0 ok, 1 changed, 0 failed, 1 skipped, 0 blocked.\nApply: 1 created, 0 updated, 1 not done in 1 min 5 s.\n",
		},
	} {
		var b bytes.Buffer
		if err := summarize(&b, c.r, c.after); err != nil {
			t.Fatal(err)
		}
		if b.String() != c.want {
			t.Errorf("got\n%s\nwant\n%s", &b, c.want)
		}
	}
}

func TestSummaryJSON(t *testing.T) {
	var b bytes.Buffer
	if err := report.SummaryJSON(&b, testRecord(report.Options{})); err != nil {
		t.Fatal(err)
	}
	if strings.Count(b.String(), "\n") != 1 {
		t.Error("the summary is not one line")
	}
	golden.Check(t, "testdata/summary.json", b.Bytes())
}

// TestEventsAreEscaped sends hostile text through events and results.
func TestEventsAreEscaped(t *testing.T) {
	addr := resources.Addr{Kind: "file", Name: hostile}
	problem := &diag.Problem{Summary: hostile, Found: hostile, Hint: hostile, Addr: hostile}
	events := []apply.Event{
		{Kind: apply.StepStarted, Addr: addr, Step: "run", Text: hostile},
		{Kind: apply.Log, Addr: addr, Text: hostile},
		{Kind: apply.Note, Addr: addr, Text: hostile},
		{Kind: apply.ItemFailed, Addr: addr, Outcome: apply.Failed, Err: problem},
	}
	var text, lines, sum bytes.Buffer
	for _, e := range events {
		report.Progress(&text, report.Options{Verbose: true})(e)
		report.EventsJSON(&lines)(e)
	}
	r := &apply.Result{Items: []apply.ItemResult{
		{Addr: addr, Outcome: apply.Failed, Cause: problem}, {Addr: addr, Outcome: apply.Skipped, Cause: problem},
	}}
	if err := summarize(&sum, r, report.Machine{}); err != nil {
		t.Fatal(err)
	}
	if err := report.SummaryJSON(&sum, runrecord.New(runrecord.Run{Command: hostile, Result: r})); err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string]*bytes.Buffer{"progress": &text, "events": &lines, "summary": &sum} {
		if b.Len() == 0 || controls(b.String()) {
			t.Errorf("%s printed %q", name, b)
		}
	}
}

// summarize prints the summary of a result.
func summarize(b *bytes.Buffer, r *apply.Result, after report.Machine) error {
	return report.Summary(b, runrecord.New(runrecord.Run{Result: r, After: after.Plan, Facts: after.Facts}), after.Options)
}

// testRecord is the record of the apply that watch sends, with measured times.
func testRecord(o report.Options) *runrecord.Record {
	times := &runrecord.Times{}
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	listen := times.Listen(func(apply.Event) {})
	for _, e := range []struct {
		after time.Duration
		event apply.Event
	}{
		{0, apply.Event{Kind: apply.StepStarted, Addr: venvAddr, Step: "remove"}},
		{200 * time.Millisecond, apply.Event{Kind: apply.StepStarted, Addr: venvAddr, Step: "run"}},
		{4 * time.Second, apply.Event{Kind: apply.StepStarted, Addr: venvAddr, Step: "write_file"}},
		{0, apply.Event{Kind: apply.StepStarted, Addr: venvAddr, Step: "run"}},
		{30 * time.Second, apply.Event{Kind: apply.ItemFailed, Addr: venvAddr}},
		{0, apply.Event{Kind: apply.ItemDone, Addr: fileAddr}}, // without steps, as in a group
	} {
		at = at.Add(e.after)
		e.event.Time = at
		listen(e.event)
	}
	after := machine(o)
	return runrecord.New(runrecord.Run{
		Started: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Command: "reconcile apply -y", Agreed: 4, Times: times,
		Result: result(), After: after.Plan, Facts: after.Facts,
	})
}

// A smoke test begins with a verification, whose bytes are not those of the program that runs
// after it.
func TestProgressWithoutTheBytesThatAreDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		listen := report.Progress(&b, report.Options{})
		listen(apply.Event{Kind: apply.PlanStarted, Total: 1})
		listen(apply.Event{Kind: apply.ItemStarted, Addr: venvAddr, Action: resources.Create})
		listen(apply.Event{Kind: apply.StepStarted, Addr: venvAddr, Step: "prove", Text: "python -c import"})
		time.Sleep(time.Second)
		listen(apply.Event{Kind: apply.Progress, Addr: venvAddr, Step: "prove", Bytes: 542_000_000, Total: 542_000_000})
		time.Sleep(10 * time.Second)
		listen(apply.Event{Kind: apply.Finished})
		if want := "still working: venv.local, smoke test, 10 s (0 of 1 done)\n"; !strings.Contains(b.String(), want) {
			t.Errorf("got\n%swant the line %s", b.String(), want)
		}
	})
}
