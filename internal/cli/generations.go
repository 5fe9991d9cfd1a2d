package cli

import (
	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/report"
)

func generationsCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "generations",
		Example: "  reconcile generations\n  reconcile generations --env remote --json",
		Short:   "list the built generations of the environment",
		Long: long(`
Lists the generations of this machine's environment, the newest first, with what each
alone takes on disk. The active one has a star; files that are missing or have another
size are counted. `+"`reconcile rollback NAME`"+` activates another, `+"`reconcile gc`"+` frees those that
are not needed.`, readOnly, exit.Done, exit.Error),
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			e, err := a.environment(cmd.Context())
			if err != nil {
				return err
			}
			list, err := e.List(cmd.Context())
			if err != nil {
				return err
			}
			if a.json {
				return report.JSON(a.out, map[string]any{"version": 1, "environment": e.Env.Name, "generations": list})
			}
			return report.Generations(a.out, list, a.report(a.out))
		},
	}
}
