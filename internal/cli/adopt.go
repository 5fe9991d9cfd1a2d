package cli

import (
	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/ownership"
	"github.com/reconcile-ml/reconcile/internal/report"
)

func adoptCommand(a *app) *cobra.Command {
	var lock lockFlags
	cmd := &cobra.Command{
		Use:   "adopt ADDR...",
		Short: "take over what already exists; changes the state alone",
		Long: long(`
Records that what exists belongs to the resource of the manifest from now on. What agrees
stays as it is. What differs is shown by each plan, pending and as a conflict: apply asks
before it is overwritten, and keeps the old content of a file. Adopted resources are never
pruned. An environment that reconcile did not build, and a thing of another type, cannot be
adopted.`,
			changes, exit.Done, exit.Error, exit.Locked),
		Example: "  reconcile adopt directory.data_raw file.notes.txt",
		Args:    argCount(1, 0, "addresses of resources of the manifest"),
		RunE: func(cmd *cobra.Command, args []string) error {
			addrs, err := addresses(args)
			if err != nil {
				return err
			}
			m, err := a.observe(cmd.Context(), "")
			if err != nil {
				return err
			}
			list, err := ownership.Adopt(cmd.Context(), m, addrs, a.lockOptions(lock, nil))
			if err != nil {
				return err
			}
			if a.json {
				return report.JSON(a.out, map[string]any{"version": 1, "adopted": list})
			}
			for _, one := range list {
				text := "%s is adopted; it agrees with the manifest."
				switch {
				case !one.Changed:
					text = "%s is managed already."
				case !one.Agrees:
					text = "%s is adopted as it is; `reconcile plan` shows the changes of the next apply."
				}
				if err := writeLine(a.out, text, one.Addr); err != nil {
					return err
				}
			}
			return nil
		},
	}
	lock.registerTimeout(cmd)
	return cmd
}
