package cli

import (
	"slices"

	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/report"
)

func (a *app) factsCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:     "facts",
		Example: "  reconcile facts > h100.json\n  reconcile facts --all",
		Short:   "print what is known of this machine, as JSON",
		Long: long(`
Prints as versioned JSON what the manifest reads of this machine: paths, disks,
interpreters, tools, environments, the NVIDIA driver and its GPUs. With --all also what it
does not read. Starts no program, but for one question to that driver. Holds no secrets;
`+"`reconcile plan --facts FILE`"+` plans for the machine elsewhere.`, readOnly, exitDone, exitError),
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			m, err := a.survey(cmd.Context())
			if err != nil {
				return err
			}
			if all {
				m.facts.Merge(m.probe(cmd.Context(), without(m.prober.AllKeys(), m.facts)))
			}
			return report.Facts(a.out, m.facts)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "also what the manifest does not read")
	return cmd
}

// without returns the keys that f does not know, in the place of keys.
func without(keys []facts.Key, f *facts.Facts) []facts.Key {
	return slices.DeleteFunc(keys, func(k facts.Key) bool {
		_, _, known := f.Lookup(k)
		return known
	})
}
