package cli

import (
	"context"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/report"
)

// lastRun names the newest run.
const lastRun = "last"

func (a *app) runsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "runs",
		Short: "list the earlier runs of this machine",
		Long: long(fmt.Sprintf(`
Lists the applies that changed this machine, the newest first: when, how they ended, how many
resources they changed, how long they took, and what was typed. The last %d are kept.

A record that cannot be read is named and left out.`, keptRuns), readOnly, exitDone, exitError),
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
Prints the summary of an earlier run as apply printed it. RUN is a name that `+"`reconcile runs`"+`
lists, or the beginning of one; without it, or for "last", the newest.`, readOnly, exitDone, exitError),
		Example:           "  reconcile runs show\n  reconcile runs show 20261127 --json",
		ValidArgsFunction: a.runNames,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage("runs show takes one run, not %d words", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			word := lastRun
			if len(args) > 0 {
				word = args[0]
			}
			record, err := a.run(cmd.Context(), word)
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

// runNames offers the names of runs, the newest first.
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

// records opens the project and lists the records of this machine, the oldest first.
// The caller closes the root.
func (a *app) records(ctx context.Context) (root *os.Root, folder string, names []string, err error) {
	p, err := a.open(ctx)
	if err != nil {
		return nil, "", nil, err
	}
	here, err := p.here()
	if err != nil {
		return nil, "", nil, err
	}
	if root, err = os.OpenRoot(p.root); err != nil {
		return nil, "", nil, err
	}
	folder = layout.Runs(here.State)
	if names, err = recordNames(root, folder); err != nil {
		root.Close()
		return nil, "", nil, &diag.Problem{Code: "runs.unreadable", Summary: "the records of earlier runs cannot be listed", Found: err.Error()}
	}
	return root, folder, names, nil
}

// runs reads the records of this machine, the newest first.
func (a *app) runs(ctx context.Context) (*report.RunList, error) {
	root, folder, names, err := a.records(ctx)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	list := &report.RunList{Runs: []report.RunLine{}}
	for _, name := range slices.Backward(names) {
		record, err := readRecord(root, path.Join(folder, name))
		if err != nil {
			list.Damaged = append(list.Damaged, report.DamagedRun{File: path.Join(folder, name), Reason: err.Error()})
			continue
		}
		list.Runs = append(list.Runs, report.NewRunLine(strings.TrimSuffix(name, ".json"), record))
	}
	return list, nil
}

// run reads the record that a word names: the beginning of its name, or lastRun.
func (a *app) run(ctx context.Context, word string) (*report.Record, error) {
	root, folder, names, err := a.records(ctx)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	if len(names) == 0 {
		return nil, &diag.Problem{Code: "runs.none", Summary: "no run of this machine is recorded yet", Hint: "`reconcile apply` records one when it changes something"}
	}
	found := names[len(names)-1:]
	if word != lastRun {
		found = slices.DeleteFunc(names, func(name string) bool { return word == "" || !strings.HasPrefix(name, word) })
	}
	if len(found) != 1 {
		p := &diag.Problem{Code: "runs.unknown", Summary: fmt.Sprintf("no run is called %q", word), Hint: "`reconcile runs` lists them"}
		if len(found) > 1 {
			p.Code, p.Summary, p.Hint = "runs.ambiguous", fmt.Sprintf("%d runs begin with %q", len(found), word), "give more of the name; `reconcile runs` lists them"
		}
		return nil, p
	}
	record, err := readRecord(root, path.Join(folder, found[0]))
	if err != nil {
		return nil, &diag.Problem{
			Code: "runs.damaged", Summary: fmt.Sprintf("the record %s cannot be read", path.Join(folder, found[0])), Found: err.Error(),
			Hint: "nothing but this listing uses it: remove it, if it is in the way",
		}
	}
	return record, nil
}
