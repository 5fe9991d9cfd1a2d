package main

import (
	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/pkg/report"
)

func (a *app) validateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "validate",
		Short: "check the manifest alone, without looking at this machine",
		Long: long(`
Reads the manifest, the templates and the locks it names, and reports every
problem with file, line and column.`, readOnly, exitDone, exitError),
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			p, err := a.read()
			if err != nil {
				return err
			}
			if a.json {
				return report.JSON(a.out, map[string]any{"version": 1, "manifest": p.name, "valid": true})
			}
			return say(a.out, "%s is valid", p.name)
		},
	}
}

// noArgs refuses words that a command does not take.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage("%s takes no words, and got %q; `%s --help` tells more", cmd.CommandPath(), args[0], cmd.CommandPath())
	}
	return nil
}
