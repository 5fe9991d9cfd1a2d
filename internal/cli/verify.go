package cli

import (
	"slices"

	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/exit"
)

func verifyCommand(a *app) *cobra.Command {
	var deep bool
	cmd := &cobra.Command{
		Use:     "verify",
		Example: "  reconcile verify\n  reconcile verify --deep\n  reconcile verify --all",
		Short:   "check that the installed environment is still intact",
		Long: long(`
Compares every file of the active generation with the wheel that it is from, as it was
unpacked in the store when its hash was checked: names, sizes and times, with --deep also
every sha256, and those of the store's files, those of a Python there included. Where the
store no longer has a wheel, the comparison is with RECORD in the generation. Exit 2 if
something is missing, changed or not installed by reconcile; `+"`reconcile heal`"+` then builds an intact one.`, readOnly, exit.Done, exit.Error, exit.Differs),
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			list, err := a.environmentsOf(cmd.Context())
			if err != nil {
				return err
			}
			var verified []verifiedEnvironment
			var problems diag.List
			for _, e := range list {
				v, err := e.Verify(cmd.Context(), deep)
				if problems.AddErr(err); err == nil {
					verified = append(verified, verifiedEnvironment{e, v})
				}
			}
			if err := problems.Err(); err != nil && (a.json || len(verified) == 0) {
				return err
			}
			if err := a.showVerified(verified, deep); err != nil {
				return err
			}
			if err := problems.Err(); err != nil {
				return err
			}
			if slices.ContainsFunc(verified, func(v verifiedEnvironment) bool {
				return len(v.result.Damage)+len(v.result.Wheels) > 0 || v.result.Python != nil
			}) {
				return exit.Quietly(exit.Differs)
			}
			return nil
		},
	}
	a.allFlag(cmd)
	cmd.Flags().BoolVar(&deep, "deep", false, "also compare the sha256 of every file")
	return cmd
}
