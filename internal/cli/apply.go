package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/history"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/runrecord"
	"github.com/reconcile-ml/reconcile/internal/savedplan"
	"github.com/reconcile-ml/reconcile/internal/session"
	"github.com/reconcile-ml/reconcile/pkg/planner"
)

func applyCommand(a *app) *cobra.Command {
	var o applyFlags
	var selected selectFlags
	cmd := &cobra.Command{
		Use:     "apply [FILE]",
		Example: "  reconcile apply\n  reconcile plan --out tonight.plan && reconcile apply tonight.plan\n  reconcile apply -y --lock-timeout 10m\n  reconcile apply -y --on-conflict skip\n  reconcile apply --replace venv.local",
		Short:   "bring this machine to the manifest",
		Long: long(`
Shows the plan, asks for "yes", applies it, runs a smoke test of each new environment before
it is activated, and shows a summary. Stops before the first change if a check of the disk,
the NVIDIA driver or its GPUs fails. The parts of a smoke test that need a GPU are skipped,
and reported as skipped, on a machine without one.

A file that was changed on this machine since reconcile wrote it is a conflict: apply asks
for each whether to show the difference, overwrite it (its content is kept), adopt it, skip
it or quit. --on-conflict answers once for all; with -y the default is overwrite.

--target, --exclude and --replace apply a part, as they do for plan.

What was done stays done: after a failure or an interruption, apply again.

With a FILE of `+"`reconcile plan --out`"+` it does what that plan showed, or less, without a
question. If anything that the plan depends on has changed, or it was applied before, it
names that, and changes nothing.`,
			changes, exit.Done, exit.Error, exit.Blocked, exit.Partly, exit.Locked, exit.Stale, exit.Interrupted),
		Args: argCount(0, 1, "one saved plan, if any"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var p proposal
			var err error
			if len(args) == 1 {
				if !selected.selection().IsZero() || o.onConflict != "" {
					return exit.Usage("a saved plan is applied as it was saved; select a part, or what to do with conflicts, when it is made")
				}
				o.yes = true // who saved the plan has read it
				p, err = a.readSavedPlan(cmd.Context(), args[0])
			} else {
				p, err = a.propose(cmd.Context(), selected.selection())
			}
			if err != nil {
				return err
			}
			return a.confirmAndApply(cmd.Context(), p, o)
		},
	}
	o.register(cmd)
	selected.register(a, cmd)
	cmd.Flags().Var(&o.onConflict, "on-conflict", "what to do with files that were changed on this machine: `fail`, overwrite, adopt or skip (default: ask; with -y overwrite)")
	_ = cmd.RegisterFlagCompletionFunc("on-conflict", cobra.FixedCompletions(conflictPolicies(), cobra.ShellCompDirectiveNoFileComp))
	o.registerDetail(cmd)
	return cmd
}

// A proposal is a plan that is shown, confirmed and applied.
type proposal struct {
	machine    *session.Machine
	plan       *planner.Plan
	selection  planner.Selection
	saved      *savedplan.Plan // made again under the lock; nil for a plan that was made now
	word       string          // the name of the run in its summary: "Destroy"; "" for Apply
	against    string          // what the plan is compared with; "" for the manifest
	unrecorded bool            // no record of the run is kept
}

// propose plans for this machine.
func (a *app) propose(ctx context.Context, selection planner.Selection) (proposal, error) {
	m, err := a.observe(ctx, "")
	if err != nil {
		return proposal{}, err
	}
	plan, err := m.Plan(ctx, selection)
	return proposal{machine: m, plan: plan, selection: selection}, err
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
		} else if !a.json {
			fmt.Fprintln(a.err, "\nNothing was changed: resolve first what is blocked.")
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

// cleanup removes what a killed apply left, where there is nothing else to do.
func (a *app) cleanup(ctx context.Context, m *session.Machine, plan *planner.Plan) {
	if err := m.Cleanup(ctx, plan, a.lockOptions(lockFlags{}, nil)); err != nil {
		_ = writeLine(a.err, "The temporary files of an interrupted apply could not be removed yet: %v", err)
	}
}

// apply applies a plan under the machine's lock and prints a summary.
func (a *app) apply(ctx context.Context, p proposal, o applyFlags) error {
	run, err := p.machine.Lock(ctx, a.lockOptions(o.lockFlags, a.events()))
	if err != nil {
		return err
	}
	if p.saved != nil {
		if err := a.remake(run, &p); err != nil {
			return errors.Join(err, run.Close())
		}
	}
	done := runrecord.Run{Started: time.Now(), Command: a.command(), Word: p.word, Agreed: p.plan.Unchanged, Excluded: p.plan.Excluded, Times: &runrecord.Times{}}
	done.Result = run.Apply(p.machine, p.plan, done.Times.Listen)
	err = run.Close()
	now, failed := p.machine.Refresh(ctx)
	if failed != nil {
		return errors.Join(err, failed)
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
	if note := now.ShellNote(); note != "" {
		_ = writeLine(a.err, "Note: %s.", note)
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
	return exit.Quietly(code)
}

// remake makes a saved plan again under the lock, and records that it is being applied.
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
