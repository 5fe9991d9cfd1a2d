package cli

import (
	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/environments"
	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/report"
)

func kernelCommand(a *app) *cobra.Command {
	var name, display string
	var remove bool
	cmd := &cobra.Command{
		Use:   "kernel",
		Short: "make the environment a kernel of Jupyter",
		Long: long(`
Writes a kernel.json into the folder of this user's Jupyter kernels, outside the project. The
kernel starts .venv/bin/python: it follows every apply and rollback, while a kernel that
`+"`ipykernel install`"+` wrote stays on one generation. The environment needs the package ipykernel.
Run again, it changes nothing; a kernel that starts another Python is never replaced or
removed.`,
			changes, exit.Done, exit.Error),
		Example: "  reconcile kernel\n  reconcile kernel --name train --display-name 'Training'\n  reconcile kernel --name train --remove",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			e, err := a.environment(cmd.Context())
			if err != nil {
				return err
			}
			var k *environments.Kernel
			if remove {
				k, err = e.RemoveKernel(name)
			} else {
				k, err = e.InstallKernel(name, display)
			}
			if err != nil {
				return err
			}
			if a.json {
				return report.JSON(a.out, k)
			}
			return writeLine(a.out, "Kernel %s: %s (%s).", k.Name, k.Outcome, k.File)
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "`NAME` of the kernel (default: PROJECT-ENVIRONMENT)")
	cmd.Flags().StringVar(&display, "display-name", "", "`TEXT` that Jupyter shows (default: PROJECT (ENVIRONMENT))")
	cmd.Flags().BoolVar(&remove, "remove", false, "remove the kernel")
	return cmd
}
