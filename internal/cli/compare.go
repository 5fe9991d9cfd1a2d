package cli

import (
	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/compare"
	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/fleet"
	"github.com/reconcile-ml/reconcile/internal/report"
)

func compareCommand(a *app) *cobra.Command {
	formats := []string{"text", "json", "markdown"}
	var format string
	var all bool
	cmd := &cobra.Command{
		Use:   "compare FILE FILE...",
		Short: "show in what machines differ, from their recorded facts",
		Long: long(`
Compares machines in what matters to the manifest: platform, GPUs, driver and CUDA, Python,
directories, the packages of their environments, and whether their disks have enough room.
FILE is the output of `+"`reconcile facts --all`"+` on a machine; a dot is this machine, a dash
reads facts from standard input.

One column a machine; only rows that differ, or that are unknown for a machine, are shown.
The free space of a disk and the used memory of a GPU change all the time, so only their
verdicts are compared.`, readOnly, exit.Done, exit.Error, exit.Differs),
		Example: "  ssh gpu1 'cd project && reconcile facts --all' > gpu1.json\n  reconcile compare . gpu1.json gpu2.json",
		RunE: func(cmd *cobra.Command, args []string) error {
			format, err := a.format(cmd, format, formats...)
			if err != nil {
				return err
			}
			if len(args) < 2 {
				return exit.Usage("compare takes two machines or more: files of `reconcile facts --all`, or . for this machine")
			}
			c, err := fleet.Compare(cmd.Context(), a.config(), args)
			if err != nil {
				return err
			}
			if err := a.printComparison(c, format, all); err != nil {
				return err
			}
			if differ, _ := compare.CountDifferences(c.Rows); differ > 0 {
				return exit.Quietly(exit.Differs)
			}
			return nil
		},
	}
	formatFlag(cmd, &format, formats...)
	cmd.Flags().BoolVar(&all, "all", false, "also the rows that are the same")
	return cmd
}

func (a *app) printComparison(c *report.Comparison, format string, all bool) error {
	o := a.report(a.out)
	o.Detail = all
	switch format {
	case "json":
		return report.CompareJSON(a.out, c)
	case "markdown":
		return report.CompareMarkdown(a.out, c, o)
	}
	return report.Compare(a.out, c, o)
}
