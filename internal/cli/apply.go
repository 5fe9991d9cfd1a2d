package cli

import (
	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/exit"
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

--target, --exclude and --replace apply a part, and --all all environments of this machine,
as they do for plan. An apply of one environment leaves the others as they are.

Completed changes stay: after a failure or an interruption, apply again.

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
				p.selection = selected.selection()
				if p.machine, err = a.observe(cmd.Context(), ""); err == nil {
					p.plan, err = p.machine.Plan(cmd.Context(), p.selection)
				}
			}
			if err != nil {
				return err
			}
			return a.confirmAndApply(cmd.Context(), p, o)
		},
	}
	o.register(cmd)
	a.allFlag(cmd)
	selected.register(a, cmd)
	cmd.Flags().Var(&o.onConflict, "on-conflict", "what to do with files that were changed on this machine: `fail`, overwrite, adopt or skip (default: ask; with -y overwrite)")
	_ = cmd.RegisterFlagCompletionFunc("on-conflict", cobra.FixedCompletions(conflictPolicies(), cobra.ShellCompDirectiveNoFileComp))
	o.registerDetail(cmd)
	return cmd
}
