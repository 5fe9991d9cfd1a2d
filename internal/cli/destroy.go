package cli

import (
	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/ownership"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/pkg/planner"
)

func destroyCommand(a *app) *cobra.Command {
	var o applyFlags
	cmd := &cobra.Command{
		Use:   "destroy",
		Short: "remove what reconcile created on this machine, and only that",
		Long: long(`
Shows the plan that removes what reconcile created here and that is unchanged, and asks for
"yes". Resources that existed before, were edited since or are protected, directories
that are not empty and environments that a process uses stay, and are named. Contents of files are
kept in the store; the records of runs stay there too. The manifest is not changed:
`+"`reconcile apply`"+` creates all of it again.`,
			destructive, exit.Done, exit.Error, exit.Partly, exit.Locked, exit.Interrupted),
		Example: "  reconcile destroy",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			m, err := a.observe(cmd.Context(), "")
			if err != nil {
				return err
			}
			plan, err := ownership.PlanDestroy(cmd.Context(), m)
			if err != nil {
				return err
			}
			if plan.Totals().Changes() > 0 {
				return a.confirmAndApply(cmd.Context(), proposal{machine: m, plan: plan, word: "Destroy"}, o)
			}
			a.cleanup(cmd.Context(), m, plan)
			return a.reportNotDestroyed(plan)
		},
	}
	o.register(cmd)
	o.registerDetail(cmd)
	return cmd
}

// reportNotDestroyed prints why a plan of destroy removes nothing.
func (a *app) reportNotDestroyed(plan *planner.Plan) error {
	if a.json {
		return report.PlanJSON(a.out, plan)
	}
	for i := range plan.Items {
		if p := plan.Items[i].Change.Problem; p != nil {
			if err := writeLine(a.out, "%s: %s", p.Addr, p.Summary); err != nil {
				return err
			}
		}
	}
	return writeLine(a.out, "Nothing to destroy: nothing that reconcile created on this machine can be removed.")
}
