package apply

import (
	"bytes"
	"cmp"
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
	"github.com/reconcile-ml/reconcile/internal/wheels"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// task is one item while its steps run.
type task struct {
	*engine
	item       *planner.Item
	step       string              // name of the running step
	kept       []Kept              // contents that were replaced
	smokeTests []SmokeTestPart     // of the new generation
	verified   pyenv.VerifiedFiles // files of the new generation with the recorded content
	entries    []*wheels.Entry     // that the new generation was assembled from
	bytecode   bytecodeList        // of the new generation
	isVerified bool                // verify succeeded
}

// doItem runs one item that is not part of a group.
func (e *engine) doItem(ctx context.Context, i int) (itemEnd, error) {
	it := &e.items[i]
	end := itemEnd{index: i, outcome: Failed}
	if isCheck(it) {
		err := checkError(it)
		if err == nil {
			end.outcome = Unchanged
		}
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
		return end, e.recordUnchanged(f, it)
	}
	if err := e.record(func(j *state.Journal) error { return j.Intend(intent(it, change)) }); err != nil {
		return end, err
	}
	t := &task{engine: e, item: it}
	err = t.runSteps(ctx, change.Steps)
	end.kept, end.smokeTests = t.kept, t.smokeTests
	if err != nil {
		return end, e.recordFailure(it, err)
	}
	f = e.o.Probe(context.WithoutCancel(ctx), it.Resource.Spec.Reads())
	if err := checkSettled(it, f); err != nil {
		return end, e.recordFailure(it, err)
	}
	end.outcome = Done
	if slices.ContainsFunc(change.Steps, func(s resources.Step) bool { _, builds := s.(resources.Seal); return builds }) {
		end.packages = change.Packages
	}
	return end, e.record(func(j *state.Journal) error {
		return recordDone(j, it, newEntry(j, it, change.Action, f, replacedContent(t.kept)))
	})
}

// replacedContent returns the digest that the journal records for an item: a change
// replaces at most one file that is not in the store.
func replacedContent(kept []Kept) facts.SHA256 {
	if len(kept) == 0 {
		return facts.SHA256{}
	}
	return kept[0].SHA256
}

// checkError returns the problem of an item without steps if it is a failure.
func checkError(it *planner.Item) error {
	p := it.Change.Problem
	switch {
	case it.Change.Action == resources.Blocked && p == nil:
		return &diag.Problem{Code: "apply.blocked", Summary: "blocked"}
	case it.Change.Action == resources.Blocked, p != nil && p.Severity == diag.Fail:
		return p
	}
	return nil
}

// runSteps runs the steps of one change in order. The end of ctx stops it between two
// of them.
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
	case resources.Build:
		return t.build(ctx, s)
	case resources.Unpack:
		return t.unpackWheels(ctx, s)
	case resources.FetchWheel:
		return t.fetchWheel(ctx, s)
	case resources.Assemble:
		return t.assemble(ctx, s)
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

// stepText describes the object of a step in a few words.
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
	case resources.FetchWheel:
		return s.Path
	case resources.Build:
		return s.Name + " " + s.Version + " from " + s.Source.String()
	case resources.Unpack:
		return plural.Count(len(s.Wheels), "package")
	case resources.Assemble:
		return plural.Count(len(s.Wheels), "package") + " in generation " + path.Base(s.Generation)
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

// smokeTestText lists the tested modules and features: "torch, bitsandbytes, CUDA, QLoRA".
func smokeTestText(s resources.SmokeTest) string {
	words := slices.Clone(s.Imports)
	if s.CUDA && s.GPU {
		words = append(words, "CUDA")
	}
	if s.QLoRA != nil && s.GPU {
		words = append(words, "QLoRA")
	}
	if s.MPS && s.Apple {
		words = append(words, "MPS")
	}
	return strings.Join(words, ", ")
}

// programText is the name of a program with its arguments up to the first long option,
// three at most. The plan shows all of them.
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

// recheck diffs the resource again with current facts, overlaid with predicted: the
// results of earlier items of the same group. It returns the change to run, with
// action None if there is nothing to do.
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
			return now, changedProblem("the change still cannot be determined")
		}
		return now, nil
	}
	if now.Action == it.Change.Action && sameSteps(it.Change.Steps, now.Steps) {
		return now, nil
	}
	return now, changedProblem(difference(it, now))
}

func diff(it *planner.Item, f, predicted *facts.Facts) (resources.Change, error) {
	for _, k := range it.Resource.Spec.Reads() {
		_, reason, ok := f.Lookup(k)
		if !ok && predicted != nil {
			_, _, ok = predicted.Lookup(k)
		}
		if !ok {
			return resources.Change{}, &diag.Problem{
				Code: "apply.not-seen", Summary: fmt.Sprintf("%s cannot be read, so nothing was changed", k), Found: reason,
				Hint: "make it readable and run `reconcile apply` again",
			}
		}
	}
	return it.Resource.Spec.Diff(view(it, f, predicted)), nil
}

// view returns the facts that the resource of an item declares.
func view(it *planner.Item, f, predicted *facts.Facts) facts.View {
	v := facts.NewView(f, it.Resource.Spec.Reads())
	if predicted != nil {
		v = v.With(predicted)
	}
	return v
}

// sameSteps compares steps as encoded. Those of files and directories, which can be
// very many, are compared as values.
func sameSteps(a, b []resources.Step) bool {
	if len(a) != len(b) {
		return false
	}
	equal := true
	for i := range a {
		switch a[i].(type) {
		case resources.MakeDir, resources.WriteFile, resources.SetMode, resources.Link, resources.Remove, resources.Move:
			equal = equal && a[i] == b[i]
		default:
			equal = false
		}
	}
	if equal {
		return true
	}
	x, errX := resources.MarshalSteps(a)
	y, errY := resources.MarshalSteps(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

func changedProblem(found string) *diag.Problem {
	return &diag.Problem{
		Code: "apply.changed", Summary: "the machine changed since the plan", Found: found,
		Hint: "make a new plan: reconcile plan",
	}
}

// difference lists the fields whose actual value differs from the plan.
func difference(it *planner.Item, now resources.Change) string {
	var list []string
	owns := it.Resource.Spec.Owns()
	planned, seen := map[string]string{}, map[string]bool{}
	for _, f := range it.Change.Fields {
		planned[f.Path] = f.Actual
	}
	for _, f := range now.Fields {
		seen[f.Path] = true
		if old, ok := planned[f.Path]; !ok || old != f.Actual {
			list = append(list, fmt.Sprintf("%s: %s is now %s", owns, f.Path, orAbsent(f.Actual)))
		}
	}
	for _, f := range it.Change.Fields {
		if !seen[f.Path] {
			list = append(list, fmt.Sprintf("%s: %s no longer differs", owns, f.Path))
		}
	}
	switch {
	case now.Problem != nil:
		list = append(list, now.Problem.Summary)
		if now.Problem.Found != "" {
			list = append(list, now.Problem.Found)
		}
	case len(list) == 0:
		list = append(list, fmt.Sprintf("%s: the plan has %q, now %q is needed, with other steps", owns, it.Change.Action, now.Action))
	}
	return strings.Join(list, "\n")
}

func orAbsent(s string) string { return cmp.Or(s, "absent") }

// checkSettled returns an error if the resource still has a change.
func checkSettled(it *planner.Item, f *facts.Facts) error {
	left, err := diff(it, f, nil)
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
		Code: "apply.not-settled", Summary: fmt.Sprintf("all steps ran, and the plan still has %q", left.Action),
		Found: strings.Join(found, "\n"), Hint: "another program may be changing it at the same time; run `reconcile plan`",
	}
}
