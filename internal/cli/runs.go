package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/runrecord"
)

// lastRun is the argument for the newest run.
const lastRun = "last"

func (a *app) runsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "runs",
		Short: "list the earlier runs of this machine",
		Long: long(fmt.Sprintf(`
Lists the applies that changed this machine, the newest first: start time, result, number of
changed resources, duration and command line. The last %d runs are kept.

A record that cannot be read is reported and skipped.`, runrecord.Kept), readOnly, exitDone, exitError),
		Example: "  reconcile runs\n  reconcile runs show last",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			list, err := a.runs(cmd.Context())
			if err != nil {
				return err
			}
			if a.json {
				return report.RunsJSON(a.out, list)
			}
			return report.Runs(a.out, list, a.report(a.out))
		},
	}
	cmd.AddCommand(a.runsShowCommand())
	return cmd
}

func (a *app) runsShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show [RUN]",
		Short: "print the summary of an earlier run again",
		Long: long(`
Prints the summary of an earlier run as apply printed it. RUN is a name from `+"`reconcile runs`"+`
or the beginning of one. The default is "last", the newest run.`, readOnly, exitDone, exitError),
		Example:           "  reconcile runs show\n  reconcile runs show 20261127 --json",
		ValidArgsFunction: a.runNames,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage("runs show takes one run, not %d arguments", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			record, err := a.run(cmd.Context(), append(args, lastRun)[0])
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
	list, err := a.runs(cmd.Context())
	if err != nil || len(args) > 0 {
		return nil, directive
	}
	words := []string{lastRun}
	for _, r := range list.Runs {
		words = append(words, cobra.CompletionWithDesc(r.Name, r.Result+": "+r.Command))
	}
	return words, directive
}

// records opens the records of this machine and returns their names, the oldest first.
// The caller closes the folder.
func (a *app) records(ctx context.Context) (*runrecord.Folder, []string, error) {
	p, err := a.open(ctx)
	if err != nil {
		return nil, nil, err
	}
	here, err := p.here()
	if err != nil {
		return nil, nil, err
	}
	records, err := runrecord.OpenFolder(p.root, here.State)
	if err != nil {
		return nil, nil, err
	}
	names, err := records.Names()
	if err != nil {
		records.Close()
		return nil, nil, &diag.Problem{Code: "runs.unreadable", Summary: "the records of earlier runs cannot be listed", Found: err.Error()}
	}
	return records, names, nil
}

// runs reads the records of this machine, the newest first.
func (a *app) runs(ctx context.Context) (*report.RunList, error) {
	records, names, err := a.records(ctx)
	if err != nil {
		return nil, err
	}
	defer records.Close()
	list := &report.RunList{Runs: []report.RunLine{}}
	for _, name := range slices.Backward(names) {
		if r, err := records.Read(name); err != nil {
			list.Damaged = append(list.Damaged, report.DamagedRun{File: records.File(name), Reason: err.Error()})
		} else {
			list.Runs = append(list.Runs, report.NewRunLine(name, r))
		}
	}
	return list, nil
}

// run reads the record whose name starts with prefix, or the newest if prefix is lastRun.
func (a *app) run(ctx context.Context, prefix string) (*runrecord.Record, error) {
	records, names, err := a.records(ctx)
	if err != nil {
		return nil, err
	}
	defer records.Close()
	if len(names) == 0 {
		return nil, &diag.Problem{Code: "runs.none", Summary: "no run of this machine is recorded yet", Hint: "`reconcile apply` records a run that changes something"}
	}
	found := names[len(names)-1:]
	if prefix != lastRun {
		found = slices.DeleteFunc(names, func(name string) bool { return prefix == "" || !strings.HasPrefix(name+".json", prefix) })
	}
	switch len(found) {
	case 0:
		return nil, &diag.Problem{Code: "runs.unknown", Summary: fmt.Sprintf("no run is called %q", prefix), Hint: "`reconcile runs` lists them"}
	case 1:
	default:
		return nil, &diag.Problem{Code: "runs.ambiguous", Summary: fmt.Sprintf("%d runs begin with %q", len(found), prefix), Hint: "give more of the name; `reconcile runs` lists them"}
	}
	r, err := records.Read(found[0])
	if err != nil {
		return nil, &diag.Problem{
			Code: "runs.damaged", Summary: fmt.Sprintf("the record %s cannot be read", records.File(found[0])), Found: err.Error(),
			Hint: "remove the file; only `reconcile runs` and `reconcile undo` read it",
		}
	}
	return r, nil
}
