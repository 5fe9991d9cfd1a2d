package cli

import (
	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/history"
	"github.com/reconcile-ml/reconcile/internal/report"
)

func undoCommand(a *app) *cobra.Command {
	var o applyFlags
	cmd := &cobra.Command{
		Use:   "undo",
		Short: "give the files of the last apply their earlier content",
		Long: long(`
Shows and applies the plan that undoes the last apply's changes of files: replaced and removed
ones are restored from the kept contents, created ones are removed. A file that was changed
since is never touched: then nothing is done. Directories and links stay; `+"`reconcile rollback`"+`
goes back to the environment before. The manifest is not changed: the next apply goes
forward again.`,
			changes, exit.Done, exit.Error, exit.Blocked, exit.Partly, exit.Locked, exit.Interrupted),
		Example: "  reconcile undo",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			m, err := a.observe(cmd.Context(), "")
			if err != nil {
				return err
			}
			plan, err := history.PlanUndo(cmd.Context(), m)
			switch {
			case err != nil:
				return err
			case plan.Totals().Changes() > 0 || plan.Totals().Blocked > 0:
				// It is not recorded: the last apply stays the one that an undo undoes.
				p := proposal{machine: m, plan: plan, word: "Undo", against: "before the last apply", unrecorded: true}
				return a.confirmAndApply(cmd.Context(), p, o)
			case a.json:
				return report.PlanJSON(a.out, plan)
			}
			return writeLine(a.out, "Nothing to undo: the files of the last apply are as they were before it.")
		},
	}
	o.register(cmd)
	o.registerDetail(cmd)
	return cmd
}
