package cli

import (
	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/session"
)

func factsCommand(a *app) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:     "facts",
		Example: "  reconcile facts > h100.json\n  reconcile facts --all",
		Short:   "print the facts of this machine, as JSON",
		Long: long(`
Prints as versioned JSON the facts of this machine that the manifest reads: paths, disks,
interpreters, tools, environments, the NVIDIA driver and its GPUs. With --all also those
that it does not read. Starts no program, but for one query to that driver. Contains no
secrets; `+"`reconcile plan --facts FILE`"+` plans for this machine on another one.`, readOnly, exit.Done, exit.Error),
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			m, err := a.observe(cmd.Context(), "")
			if err != nil {
				return err
			}
			if all {
				m.Facts.Merge(m.Probe(cmd.Context(), session.Without(m.AllKeys(), m.Facts)))
			}
			return report.Facts(a.out, m.Facts)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "also facts that the manifest does not read")
	return cmd
}
