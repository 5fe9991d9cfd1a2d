package cli

import (
	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/exit"
)

func runCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "run [flags] -- CMD [ARG...]",
		Short: "run a command inside the environment",
		Long: long(`
Starts a command inside this machine's environment, bound to the generation that is active
now: later applies do not affect it. In a conda environment the activation scripts of its
packages are sourced first, and packages that the user installed stay out. Where the
environment needs models, HF_HUB_CACHE is the project's models folder, whatever it was, and
HF_XET_CACHE is below it if hf-xet is locked. The command replaces this program, with its exit
code; all other variables of the shell stay.`,
			readOnly, exit.Error, exit.NotExecutable, exit.NotFound),
		Example: "  reconcile run -- python -c 'import pandas; print(pandas.__version__)'",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return exit.Usage("run needs a command: reconcile run -- CMD [ARG...]")
			}
			e, err := a.environment(cmd.Context())
			if err != nil {
				return err
			}
			for _, note := range []string{e.TestNote(cmd.Context()), e.ForeignNote()} {
				if note != "" && !a.quiet {
					_ = writeLine(a.err, "Warning: %s.", note)
				}
			}
			return e.Exec(args[0], args[1:])
		},
	}
	cmd.Flags().SetInterspersed(false)
	return cmd
}
