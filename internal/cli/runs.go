package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/history"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/runrecord"
	"github.com/reconcile-ml/reconcile/internal/session"
)

func runsCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "runs",
		Short: "list the earlier runs of this machine",
		Long: long(fmt.Sprintf(`
Lists the applies that changed this machine, the newest first: start time, result, number of
changed resources, duration and command line. The last %d runs are kept.

A record that cannot be read is reported and skipped.`, runrecord.Kept), readOnly, exit.Done, exit.Error),
		Example: "  reconcile runs\n  reconcile runs show last",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			list, err := a.runs(cmd)
			if err != nil {
				return err
			}
			if a.json {
				return report.RunsJSON(a.out, list)
			}
			return report.Runs(a.out, list, a.report(a.out))
		},
	}
	cmd.AddCommand(runsShowCommand(a))
	return cmd
}

func runsShowCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "show [RUN]",
		Short: "print the summary of an earlier run again",
		Long: long(`
Prints the summary of an earlier run as apply printed it. RUN is a name from `+"`reconcile runs`"+`
or the beginning of one. The default is "last", the newest run.`, readOnly, exit.Done, exit.Error),
		Example:           "  reconcile runs show\n  reconcile runs show 20261127 --json",
		ValidArgsFunction: a.runNames,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return exit.Usage("runs show takes one run, not %d arguments", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := session.Open(cmd.Context(), a.config(), "")
			if err != nil {
				return err
			}
			record, err := history.Run(p, append(args, history.Last)[0])
			if err != nil {
				return err
			}
			if a.json {
				return report.RecordJSON(a.out, record)
			}
			return report.Summary(a.out, record, a.report(a.out))
		},
	}
}

// runNames completes the names of runs, the newest first.
func (a *app) runNames(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	directive := cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	list, err := a.runs(cmd)
	if err != nil || len(args) > 0 {
		return nil, directive
	}
	words := []string{history.Last}
	for _, r := range list.Runs {
		words = append(words, cobra.CompletionWithDesc(r.Name, r.Result+": "+r.Command))
	}
	return words, directive
}

// runs reads the records of this machine.
func (a *app) runs(cmd *cobra.Command) (*report.RunList, error) {
	p, err := session.Open(cmd.Context(), a.config(), "")
	if err != nil {
		return nil, err
	}
	return history.Runs(p)
}
