package apply

import (
	"bytes"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/failpoint"
	"github.com/reconcile-ml/reconcile/internal/plural"
	"github.com/reconcile-ml/reconcile/internal/pyenv"
	"github.com/reconcile-ml/reconcile/internal/state"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// task is one item while its steps run.
type task struct {
	*engine
	index      int
	item       *planner.Item
	step       string              // word of the step that runs
	kept       []Kept              // contents that were replaced
	need       int64               // bytes on disk that the change takes
	smokeTests []SmokeTestPart     // what the proof of the generation showed
	verified   pyenv.VerifiedFiles // files of the generation that were read during the proof
}

// doItem works on one item that is not part of a group.
func (e *engine) doItem(ctx context.Context, i int) (itemEnd, error) {
	it := &e.items[i]
	end := itemEnd{index: i, outcome: Failed}
	var err error
	if isCheck(it) {
		end.outcome, err = checkOutcome(it)
		return end, err
	}
	e.emit(Event{Kind: ItemStarted, Addr: it.Resource.Addr, Action: it.Change.Action})
	f := e.o.Probe(ctx, it.Resource.Spec.Reads())
	if err := ctx.Err(); err != nil {
		return end, err
	}
	change, err := recheck(it, f, nil)
	if err != nil {
		return end, err
	}
	if change.Action == resources.None {
		end.outcome = Unchanged
		return end, e.observe(f, it)
	}
	if err := e.record(func(j *state.Journal) error { return j.Intend(intent(it, change)) }); err != nil {
		return end, err
	}
	t := &task{engine: e, index: i, item: it, need: change.Need.Disk}
	err = t.runSteps(ctx, change.Steps)
	end.kept, end.smokeTests = t.kept, t.smokeTests
	if err != nil {
		return end, e.giveUp(it, err)
	}
	f = e.o.Probe(context.WithoutCancel(ctx), it.Resource.Spec.Reads())
	if err := checkSettled(it, f, nil); err != nil {
		return end, e.giveUp(it, err)
	}
	end.outcome, end.packages = Done, packages(change)
	return end, e.record(func(j *state.Journal) error {
		return e.done(j, it, entry(j, it, change.Action, f, replacedContent(t.kept)))
	})
}

// packages is what a change does to the packages of an environment by building
// a generation.
func packages(c resources.Change) []resources.PackageChange {
	for _, s := range c.Steps {
		if _, builds := s.(resources.Seal); builds {
			return c.Packages
		}
	}
	return nil
}

// replaced is the content that the journal remembers of an item: it writes one
// file that is not its own, if any.
func replacedContent(kept []Kept) facts.SHA256 {
	if len(kept) == 0 {
		return facts.SHA256{}
	}
	return kept[0].SHA256
}

// checked is the outcome of an item without steps.
func checkOutcome(it *planner.Item) (Outcome, error) {
	p := it.Change.Problem
	if it.Change.Action == resources.Blocked || p != nil && p.Severity == diag.Fail {
		if p == nil {
			p = &diag.Problem{Code: "apply.blocked", Summary: "blocked"}
		}
		return Failed, p
	}
	return Unchanged, nil
}

// runSteps runs the steps of one change in order. It stops between two of them.
func (t *task) runSteps(ctx context.Context, steps []resources.Step) error {
	for _, s := range steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		t.step = resources.StepName(s)
		t.emit(Event{Kind: StepStarted, Addr: t.item.Resource.Addr, Action: t.item.Change.Action, Step: t.step, Text: stepText(s)})
		failpoint.Step(t.step, failpoint.Before)
		if err := t.run(ctx, s); err != nil {
			return err
		}
		failpoint.Step(t.step, failpoint.After)
	}
	return nil
}

// run runs one step.
func (t *task) run(ctx context.Context, s resources.Step) error {
	switch s := s.(type) {
	case resources.MakeDir:
		return t.makeDir(s)
	case resources.WriteFile:
		return t.writeFile(s)
	case resources.SetMode:
		return t.setMode(s)
	case resources.Link:
		return t.link(s)
	case resources.Remove:
		return t.remove(s)
	case resources.Move:
		return t.move(s)
	case resources.Fetch:
		return t.fetch(ctx, s)
	case resources.Run:
		return t.runProgram(ctx, s)
	case resources.Reuse:
		return t.reuse(ctx, s)
	case resources.Compile:
		return t.compile(ctx, s)
	case resources.SmokeTest:
		return t.smokeTest(ctx, s)
	case resources.Seal:
		return t.seal(ctx, s)
	case resources.Switch:
		return t.switchTo(s)
	}
	panic(fmt.Sprintf("step %T cannot be run", s))
}

// stepText says in a few words what a step works on.
func stepText(s resources.Step) string {
	switch s := s.(type) {
	case resources.MakeDir:
		return s.Path
	case resources.WriteFile:
		return s.Path
	case resources.SetMode:
		return s.Path
	case resources.Link:
		return s.Path
	case resources.Remove:
		return s.Path
	case resources.Move:
		return s.From + " -> " + s.To
	case resources.Fetch:
		return s.Path
	case resources.Run:
		return programText(s)
	case resources.Reuse:
		return plural.Count(len(s.Dists), "package") + " of generation " + path.Base(s.From)
	case resources.Compile:
		return "bytecode of generation " + path.Base(s.Generation)
	case resources.SmokeTest:
		return smokeTestText(s)
	case resources.Seal:
		return fmt.Sprintf("generation %s: %s", path.Base(s.Generation), plural.Count(len(s.Packages)+len(s.Conda), "package"))
	case resources.Switch:
		return s.Link + " -> " + path.Base(s.Target)
	}
	return ""
}

// proofText names what is proved: "torch, bitsandbytes, CUDA, QLoRA".
func smokeTestText(s resources.SmokeTest) string {
	words := slices.Clone(s.Imports)
	if s.CUDA && s.GPU {
		words = append(words, "CUDA")
	}
	if s.QLoRA != nil && s.GPU {
		words = append(words, "QLoRA")
	}
	return strings.Join(words, ", ")
}

// programText names a program and what it is asked to do: its words up to the
// first option that takes a value or path. The plan has shown all of them.
func programText(s resources.Run) string {
	words := []string{path.Base(s.Program)}
	for _, arg := range s.Args {
		if strings.HasPrefix(arg, "--") || len(words) == 4 {
			break
		}
		words = append(words, path.Base(arg))
	}
	return strings.Join(words, " ")
}

// recheck asks the resource again, with facts of now in front of which stand
// those that earlier items of the same group will make true. It returns the
// change to run; action none says that nothing is to be done.
func recheck(it *planner.Item, f, predicted *facts.Facts) (resources.Change, error) {
	now, err := diff(it, f, predicted)
	if err == nil && it.Recreate {
		now = resources.Recreate(it.Resource.Spec, now, view(it, f, predicted))
	}
	if err != nil || now.Action == resources.None {
		return now, err
	}
	if it.Change.Action == resources.Defer {
		if now.Problem != nil && now.Problem.Severity == diag.Fail {
			return now, now.Problem
		}
		if now.Action == resources.Defer || now.Action == resources.Blocked {
			return now, changedProblem("it still cannot be decided")
		}
		return now, nil
	}
	if now.Action == it.Change.Action && sameSteps(it.Change.Steps, now.Steps) {
		return now, nil
	}
	return now, changedProblem(difference(it, now))
}

func diff(it *planner.Item, f, predicted *facts.Facts) (resources.Change, error) {
	reads := it.Resource.Spec.Reads()
	for _, k := range reads {
		_, reason, ok := f.Lookup(k)
		if !ok && predicted != nil {
			_, _, ok = predicted.Lookup(k)
		}
		if !ok {
			return resources.Change{}, &diag.Problem{
				Code: "apply.not-seen", Summary: fmt.Sprintf("%s could not be looked at", k), Found: reason,
				Hint: "what cannot be seen is not changed; make it readable and run `reconcile apply` again",
			}
		}
	}
	return it.Resource.Spec.Diff(view(it, f, predicted)), nil
}

// view is what the resource of an item may look at.
func view(it *planner.Item, f, predicted *facts.Facts) facts.View {
	v := facts.NewView(f, it.Resource.Spec.Reads())
	if predicted != nil {
		v = v.With(predicted)
	}
	return v
}

// sameSteps compares steps as they are written. Those of files and directories,
// of which there can be very many, are compared as values.
func sameSteps(a, b []resources.Step) bool {
	if len(a) != len(b) {
		return false
	}
	plain := true
	for i := range a {
		switch a[i].(type) {
		case resources.MakeDir, resources.WriteFile, resources.SetMode, resources.Link, resources.Remove, resources.Move:
			plain = plain && a[i] == b[i]
		default:
			plain = false
		}
	}
	if plain {
		return true
	}
	x, errX := resources.MarshalSteps(a)
	y, errY := resources.MarshalSteps(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

func changedProblem(found string) *diag.Problem {
	return &diag.Problem{
		Code: "apply.changed", Summary: "the machine changed since the plan", Found: found,
		Hint: "look at a new plan: reconcile plan",
	}
}

// difference names the first fields whose actual value is no longer the one that
// the plan showed.
func difference(it *planner.Item, now resources.Change) string {
	var list []string
	was := map[string]string{}
	for _, f := range it.Change.Fields {
		was[f.Path] = f.Actual
	}
	is := map[string]bool{}
	for _, f := range now.Fields {
		is[f.Path] = true
		if old, ok := was[f.Path]; !ok || old != f.Actual {
			list = append(list, fmt.Sprintf("%s: %s is now %s", it.Resource.Spec.Owns(), f.Path, orAbsent(f.Actual)))
		}
	}
	for _, f := range it.Change.Fields {
		if !is[f.Path] {
			list = append(list, fmt.Sprintf("%s: %s no longer differs", it.Resource.Spec.Owns(), f.Path))
		}
	}
	switch {
	case now.Problem != nil:
		list = append(list, now.Problem.Summary)
		if now.Problem.Found != "" {
			list = append(list, now.Problem.Found)
		}
	case len(list) == 0:
		list = append(list, fmt.Sprintf("%s: planned was %q, now %q with other steps would be needed", it.Resource.Spec.Owns(), it.Change.Action, now.Action))
	}
	return strings.Join(list, "\n")
}

func orAbsent(s string) string {
	if s == "" {
		return "absent"
	}
	return s
}

// settled returns an error if the resource still has something to do.
func checkSettled(it *planner.Item, f, predicted *facts.Facts) error {
	left, err := diff(it, f, predicted)
	if err != nil || left.Action == resources.None {
		return err
	}
	var found []string
	for _, field := range left.Fields {
		found = append(found, fmt.Sprintf("%s: %s, not %s", field.Path, orAbsent(field.Actual), orAbsent(field.Desired)))
	}
	if left.Problem != nil {
		found = append(found, left.Problem.Summary)
	}
	return &diag.Problem{
		Code: "apply.not-settled", Summary: fmt.Sprintf("its steps ran, and %s is still to be done", left.Action),
		Found: strings.Join(found, "\n"), Hint: "something else may be changing it at the same time; run `reconcile plan`",
	}
}
