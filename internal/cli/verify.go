package cli

import (
	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/exit"
)

func verifyCommand(a *app) *cobra.Command {
	var deep bool
	cmd := &cobra.Command{
		Use:     "verify",
		Example: "  reconcile verify\n  reconcile verify --deep",
		Short:   "check that the installed environment is still intact",
		Long: long(`
Compares every file of the active generation with the wheel that it is from, as it was
unpacked in the store when its hash was checked: names, sizes and times, with --deep also
every sha256, and those of the store's files, those of a Python there included. Where the
store no longer has a wheel, the comparison is with RECORD in the generation. Exit 2 if
something is missing, changed or not installed by reconcile; `+"`reconcile heal`"+` then builds an intact one.`, readOnly, exit.Done, exit.Error, exit.Differs),
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			e, err := a.environment(cmd.Context())
			if err != nil {
				return err
			}
			v, err := e.Verify(cmd.Context(), deep)
			if err != nil {
				return err
			}
			if err := a.showDamage(e, v, deep); err != nil {
				return err
			}
			if len(v.Damage)+len(v.Wheels) > 0 || v.Python != nil {
				return exit.Quietly(exit.Differs)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&deep, "deep", false, "also compare the sha256 of every file")
	return cmd
}
