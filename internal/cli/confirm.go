package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/reconcile-ml/reconcile/internal/apply"
	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/history"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/runrecord"
	"github.com/reconcile-ml/reconcile/internal/savedplan"
	"github.com/reconcile-ml/reconcile/internal/session"
	"github.com/reconcile-ml/reconcile/pkg/planner"
)

// A proposal is a plan that is shown, confirmed and applied.
type proposal struct {
	machine    *session.Machine
	plan       *planner.Plan
	selection  planner.Selection // of plan
	saved      *savedplan.Plan   // made again under the lock; nil for a plan that was made now
	word       string            // the name of the run in its summary: "Destroy"; "" for Apply
	against    string            // the other side of the plan's comparison; "" for the manifest
	unrecorded bool              // no record of the run is kept
}

func (a *app) readSavedPlan(ctx context.Context, name string) (proposal, error) {
	saved, err := savedplan.Read(a.config(), name)
	if err != nil {
		return proposal{}, err
	}
	m, plan, err := saved.Remake(ctx)
	return proposal{machine: m, plan: plan, saved: saved}, err
}

// confirmAndApply shows a plan, asks, applies it and prints a summary.
func (a *app) confirmAndApply(ctx context.Context, p proposal, o applyFlags) error {
	a.against = p.against
	totals := p.plan.Totals()
	if totals.Blocked > 0 || totals.Changes() == 0 {
		if err := a.printPlan(p.machine, p.plan, a.planFormat(), o.detail); err != nil {
			return err
		}
		if totals.Blocked == 0 {
			a.cleanup(ctx, p.machine, p.plan)
			if p.word == "" && p.plan.Excluded == nil {
				if err := a.testActive(ctx, p.machine, p.machine.ActiveTests()); err != nil {
					return err
				}
			}
		} else if !a.json {
			fmt.Fprintln(a.err, "\nNothing was changed: resolve the blocked changes first.")
		}
		return exit.Quietly(planCode(p.plan, false))
	}
	if a.json && !o.yes && !a.interactive() {
		return a.askYes(false) // one document: the refusal
	}
	if !o.yes || !a.json && !a.quiet { // who is asked must see it
		if err := a.printPlan(p.machine, p.plan, a.planFormat(), o.detail); err != nil {
			return err
		}
	}
	if !o.yes && !a.interactive() {
		return a.askYes(false) // --on-conflict is no confirmation
	}
	p, err := a.resolveConflicts(ctx, p, o)
	if err != nil {
		return err
	}
	if !o.yes {
		a.reportRemaining(p.plan)
	}
	if p.plan.Totals().Changes() > 0 {
		if err := a.askYes(o.yes); err != nil {
			return err
		}
	}
	return a.apply(ctx, p, o)
}

// cleanup removes the temporary files of a killed apply, for a plan without changes. They do
// no harm, so an error is printed and does not fail the command.
func (a *app) cleanup(ctx context.Context, m *session.Machine, plan *planner.Plan) {
	if err := m.Cleanup(ctx, plan, a.lockOptions(lockFlags{}, nil)); err != nil {
		_ = writeLine(a.err, "The temporary files of an interrupted apply could not be removed yet: %v", err)
	}
}

// testActive runs the smoke tests of active generations, unless they passed on this machine or
// an equal one, and records the results. The generations stay active in any case; a failure
// has exit.Partly.
func (a *app) testActive(ctx context.Context, m *session.Machine, tests []*session.ActiveTest) error {
	tests = slices.DeleteFunc(tests, (*session.ActiveTest).Passed)
	if len(tests) == 0 {
		return nil
	}
	ctx, _, stop := session.Interruptible(ctx, nil)
	defer stop()
	events := a.events()
	var failed []error
	for _, t := range tests {
		err := testOne(ctx, m, t, events)
		if ctx.Err() != nil {
			return exit.Quietly(exit.Interrupted)
		}
		failed = append(failed, err)
	}
	if err := errors.Join(failed...); err != nil {
		return exit.With(exit.Partly, err)
	}
	return nil
}

// testOne runs the smoke test of an active generation and records the result.
func testOne(ctx context.Context, m *session.Machine, t *session.ActiveTest, events func(apply.Event)) error {
	note := func(format string, args ...any) {
		events(apply.Event{Time: time.Now(), Kind: apply.Note, Addr: t.Addr, Text: fmt.Sprintf(format, args...)})
	}
	note("testing it on this machine (%s)", t.On)
	parts, recorded, err := t.Run(ctx, m.Config)
	if ctx.Err() != nil {
		return err
	}
	for _, p := range parts {
		note("%s: %s", p.Name, strings.TrimSuffix(string(p.Outcome)+", "+p.Detail, ", "))
	}
	if recorded != nil {
		note("the result cannot be recorded, so that the next apply tests it again: %v", recorded)
	}
	return err
}

// apply applies a plan under the project's lock and prints a summary.
func (a *app) apply(ctx context.Context, p proposal, o applyFlags) error {
	run, err := p.machine.Lock(ctx, a.lockOptions(o.lockFlags, a.events()))
	if err != nil {
		return err
	}
	switch {
	case p.saved != nil:
		err = a.remake(run, &p)
	case p.word != "":
		err = run.CheckState(p.machine)
	}
	if err != nil {
		return errors.Join(err, run.Close())
	}
	done := runrecord.Run{Started: time.Now(), Command: a.command(), Word: p.word, Agreed: p.plan.Unchanged, Excluded: p.plan.Excluded, Times: &runrecord.Times{}}
	done.Result = run.Apply(p.machine, p.plan, done.Times.Listen)
	err = run.Close()
	now, failed := p.machine.Refresh(ctx)
	if failed != nil {
		return errors.Join(err, failed)
	}
	untested, failed := now.RecordBuilt(done.Result)
	if failed != nil {
		_ = writeLine(a.err, "The result of the smoke test could not be recorded: %v", failed)
	}
	after, failed := a.describe(ctx, now)
	if failed != nil {
		return errors.Join(err, failed)
	}
	done.After, done.Facts = after.Plan, after.Facts
	record := runrecord.New(done)
	if a.json {
		err = errors.Join(err, report.SummaryJSON(a.out, record))
	} else {
		err = errors.Join(err, report.Summary(a.out, record, after.Options))
	}
	for _, note := range append(now.ReferenceNotes(), now.ShellNote()) {
		if note != "" {
			_ = writeLine(a.err, "Note: %s.", note)
		}
	}
	if !p.unrecorded {
		if failed := history.Keep(now.Project, record); failed != nil {
			_ = writeLine(a.err, "The record of this run could not be kept: %v", failed)
		}
	}
	code := session.ResultCode(done.Result)
	if err != nil {
		return exit.With(max(exit.Error, code), err)
	}
	if code == exit.Done && p.plan.Excluded != nil && p.plan.Excluded.Conflicts > 0 {
		code = exit.Partly // conflicts were skipped
	}
	if code == exit.Done && p.word == "" && p.plan.Excluded == nil {
		if err := a.testActive(ctx, now, untested); err != nil {
			return err
		}
	}
	return exit.Quietly(code)
}

// remake makes a saved plan again under the lock, and records that it is being applied; see
// package savedplan.
func (a *app) remake(run *session.Run, p *proposal) error {
	m, plan, err := p.saved.Remake(run.Context)
	if run.Context.Err() != nil { // then a failed probe is no reason to refuse it
		return exit.Quietly(exit.Interrupted)
	}
	if err != nil {
		return err
	}
	p.machine, p.plan = m, plan
	return run.Journal.BeginPlan(p.saved.ID())
}
