package cli

import (
	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/report"
)

func statusCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "status",
		Example: "  reconcile status\n  reconcile status --json",
		Short:   "one line a resource: does this machine agree with the manifest",
		Long: long(`
Shows every resource with two columns, as `+"`git status -s`"+` does: what changed on this
machine since the last apply (drift), and what changed in the manifest since then
(pending). Then the installed packages, the interpreter, the GPU and the disk. With --all, of
all environments that match this machine.`, readOnly, exit.Done, exit.Error, exit.Differs, exit.Blocked),
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			m, err := a.observe(cmd.Context(), "")
			if err != nil {
				return err
			}
			if m.StateErr != nil {
				return m.StateErr
			}
			now, err := a.describe(cmd.Context(), m)
			if err != nil {
				return err
			}
			if a.json {
				err = report.StatusJSON(a.out, now)
			} else {
				err = report.Status(a.out, now)
			}
			if err != nil {
				return err
			}
			return exit.Quietly(planCode(now.Plan, true))
		},
	}
	a.allFlag(cmd)
	return cmd
}
