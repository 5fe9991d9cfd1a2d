package cli

import (
	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/doctor"
	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/report"
)

func doctorCommand(a *app) *cobra.Command {
	var o doctor.Options
	cmd := &cobra.Command{
		Use:     "doctor",
		Example: "  reconcile doctor\n  reconcile doctor --offline --no-smoke-test\n  reconcile doctor --facts h100.json",
		Short:   "check this machine, and print how to fix each problem",
		Long: long(`
Checks the system, Python and its tools, the NVIDIA driver and its GPUs, the three
versions of CUDA (driver, toolkit, torch), disks, the package index and the active
environment, and runs its smoke test. The result of each check is ok, warn, fail, unknown
or skipped, with a remedy. A manifest is not needed.

The smoke test starts the environment's Python in an empty folder, on Linux without network access
if the kernel allows that. On a GPU that is not full it uses a little memory for a few seconds.`, readOnly, exit.Done, exit.Error, exit.Blocked, exit.Interrupted),
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !a.quiet && !a.json {
				o.Testing = func(environment string) { _ = writeLine(a.err, "Testing environment %s …", environment) }
			}
			d, err := doctor.Run(cmd.Context(), a.config(), o)
			switch {
			case err != nil:
				return err
			case a.json:
				err = report.DoctorJSON(a.out, d)
			default:
				err = report.Doctor(a.out, d, a.report(a.out))
			}
			if err == nil && d.Count(report.Fail) > 0 {
				return exit.Quietly(exit.Blocked)
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&o.Offline, "offline", false, "do not contact the package index")
	cmd.Flags().BoolVar(&o.NoSmokeTest, "no-smoke-test", false, "do not start the environment's Python")
	cmd.Flags().StringVar(&o.FactsFile, "facts", "", "diagnose the machine whose facts are in `FILE`, without network and smoke test")
	return cmd
}
