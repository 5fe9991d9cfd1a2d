package main

import "github.com/spf13/cobra"

func (a *app) modelsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "models",
		Short: "the models of the manifest",
		Long: long(`
The models that the manifest pins. `+"`reconcile models verify`"+` proves those that are there.`, readOnly, exitDone, exitError),
		Example: "  reconcile models verify",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.modelsVerifyCommand())
	return cmd
}
