package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/runrecord"
	"github.com/reconcile-ml/reconcile/pkg/planner"
)

func (a *app) applyCommand() *cobra.Command {
	var o applyFlags
	var chosen selectFlags
	cmd := &cobra.Command{
		Use:     "apply [FILE]",
		Example: "  reconcile apply\n  reconcile plan --out tonight.plan && reconcile apply tonight.plan\n  reconcile apply -y --lock-timeout 10m\n  reconcile apply -y --on-conflict skip\n  reconcile apply --replace venv.local",
		Short:   "bring this machine to the manifest",
		Long: long(`
Shows the plan, asks for "yes", carries it out, proves new environments before
they become visible, and shows a summary. Stops before the first change if a check of the
disk, the NVIDIA driver or its GPUs fails. What a proof needs a GPU for is skipped where
there is none, and said.

A file that was changed on this machine since reconcile wrote it is a conflict: apply asks
for each whether to show the difference, overwrite it (its content is kept), adopt it, skip
it or quit. --on-conflict answers once for all; with -y the default is overwrite.

--target, --exclude and --replace apply a part, as they do for plan.

What was done stays done: after a failure or an interruption, apply again.

With a FILE of `+"`reconcile plan --out`"+` it does what that plan showed, or less, without a
question. If anything that the plan depends on has changed, or it was applied before, it
names that, and changes nothing.`,
			changes, exitDone, exitError, exitBlocked, exitPartly, exitLocked, exitStale, exitInterrupted),
		Args: words(0, 1, "one saved plan, if any"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				if !chosen.selection().IsZero() || o.onConflict != "" {
					return usage("a saved plan is applied as it was saved; choose a part, or what to do with conflicts, when it is made")
				}
				return a.applySaved(cmd.Context(), args[0], o)
			}
			m, err := a.survey(cmd.Context())
			if err != nil {
				return err
			}
			m.before.Selection = chosen.selection()
			return a.converge(cmd.Context(), m, o)
		},
	}
	o.register(cmd)
	chosen.register(a, cmd)
	cmd.Flags().Var(&o.onConflict, "on-conflict", "what to do with files that were changed on this machine: `fail`, overwrite, adopt or skip (default: ask; with -y overwrite)")
	_ = cmd.RegisterFlagCompletionFunc("on-conflict", cobra.FixedCompletions(conflictPolicies, cobra.ShellCompDirectiveNoFileComp))
	cmd.Flags().BoolVar(&o.detail, "detail", false, "a block for every change, however many there are")
	return cmd
}

// applyFlags are what apply and heal have in common.
type applyFlags struct {
	yes         bool
	lockTimeout time.Duration
	noLock      bool // go on where the file system does not keep locks
	jobs        int
	detail      bool
	onConflict  policyFlag // "" to ask, or to overwrite with -y
	word        string     // what the run is called where it is no apply: "Destroy"
	// again makes the plan once more under the lock, of which the first was only shown;
	// nil to carry out the first.
	again func(context.Context, *work) (*machine, *planner.Plan, error)
}

func (o *applyFlags) register(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&o.yes, "yes", "y", false, "do what the plan shows without asking")
	cmd.Flags().DurationVar(&o.lockTimeout, "lock-timeout", 0, "wait `DURATION`, such as 10m, for another run to end")
	cmd.Flags().BoolVar(&o.noLock, "no-lock", false, "go on where the file system cannot lock; nobody else may run reconcile here")
	cmd.Flags().IntVar(&o.jobs, "jobs", 0, "make `N` changes at the same time (default: the number of cores)")
}

// converge plans, asks, applies and sums up.
func (a *app) converge(ctx context.Context, m *machine, o applyFlags) error {
	plan, err := m.plan(ctx)
	if err != nil {
		return err
	}
	return a.confirm(ctx, m, plan, o)
}

// confirm shows a plan, asks, applies and sums up.
func (a *app) confirm(ctx context.Context, m *machine, plan *planner.Plan, o applyFlags) error {
	totals := plan.Totals()
	if totals.Blocked > 0 || totals.Changes() == 0 {
		if err := a.showPlan(m, plan, o.detail); err != nil {
			return err
		}
		if totals.Blocked == 0 {
			a.tidy(ctx, m, plan)
		} else if !a.json {
			fmt.Fprintln(a.err, "\nNothing was changed: what is blocked has to be put right first.")
		}
		return exit(planCode(plan, false))
	}
	if a.json && !o.yes && !a.interactive() {
		return a.consent(false) // one document: the refusal
	}
	if !o.yes || !a.json && !a.quiet { // who is asked has to see it
		if err := a.showPlan(m, plan, o.detail); err != nil {
			return err
		}
	}
	if !o.yes && !a.interactive() {
		return a.consent(false) // a policy for conflicts is none
	}
	plan, err := a.settleConflicts(ctx, m, plan, o)
	if err != nil {
		return err
	}
	if !o.yes {
		a.tellLeft(plan)
	}
	if plan.Totals().Changes() > 0 {
		if err := a.consent(o.yes); err != nil {
			return err
		}
	}
	return a.carryOut(ctx, m, plan, o)
}

// consent asks for the word yes.
func (a *app) consent(yes bool) error {
	if yes {
		return nil
	}
	if !a.interactive() {
		return usage("there is no terminal to ask on, so nothing was changed; `-y` does what the plan shows without asking")
	}
	answer, err := a.ask("\nDo this? Only \"yes\" is taken for yes: ")
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if answer == "yes" {
		return nil
	}
	fmt.Fprintln(a.err, "\nNothing was changed.")
	return exit(exitError)
}

// carryOut applies a plan under this machine's lock and sums up what came of it.
func (a *app) carryOut(ctx context.Context, m *machine, plan *planner.Plan, o applyFlags) error {
	w, err := a.work(ctx, m.project, o)
	if err != nil {
		return err
	}
	if o.again != nil {
		if m, plan, err = o.again(w.ctx, w); err != nil {
			return errors.Join(err, w.close())
		}
		w.options.Probe = m.probe
	}
	run := runrecord.Run{Started: time.Now(), Command: a.command(), Word: o.word, Agreed: plan.Unchanged, Excluded: plan.Excluded, Times: &runrecord.Times{}}
	w.options.Events = run.Times.Listen(w.options.Events)
	run.Result = w.apply(plan)
	err = w.close()
	now, blind := a.look(ctx, m.project)
	if blind != nil {
		return errors.Join(err, blind)
	}
	after, blind := a.describe(ctx, now)
	if blind != nil {
		return errors.Join(err, blind)
	}
	run.After, run.Facts = after.Plan, after.Facts
	record := runrecord.New(run)
	if a.json {
		err = errors.Join(err, report.SummaryJSON(a.out, record))
	} else {
		err = errors.Join(err, report.Summary(a.out, record, after.Options))
	}
	if note := now.shellNote(); note != "" {
		_ = say(a.err, "Note: %s.", note)
	}
	if o.word != undoing { // the last apply stays the last: what it did is undone
		if lost := w.addRecord(record); lost != nil {
			_ = say(a.err, "The record of this run could not be kept: %v", lost)
		}
	}
	if err != nil {
		return &exitCode{max(exitError, resultCode(run.Result)), err}
	}
	return exit(partCode(resultCode(run.Result), plan))
}

// partCode is that of a run which leaves out conflicts: what the manifest asks for was
// done in part.
func partCode(code int, plan *planner.Plan) int {
	if code == exitDone && plan.Excluded != nil && plan.Excluded.Conflicts > 0 {
		return exitPartly
	}
	return code
}
