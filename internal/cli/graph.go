package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/report"
)

var graphFormats = []string{"dot", "mermaid", "json"}

func (a *app) graphCommand() *cobra.Command {
	var factsFile, format string
	cmd := &cobra.Command{
		Use:   "graph",
		Short: "print the dependency graph",
		Long: long(`
Prints the resources of this machine and their dependencies, for Graphviz (dot), for a
Mermaid block in Markdown (mermaid), or as JSON. Colours and signs show what the plan does
with each resource. An arrow leads from a resource to each one that depends on it.

With --facts it prints the graph of a recorded machine.`, readOnly, exitDone, exitError),
		Example: "  reconcile graph | dot -Tsvg > graph.svg\n  reconcile graph --format mermaid",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			format, err := a.format(cmd, format, graphFormats...)
			if err != nil {
				return err
			}
			m, err := a.sight(cmd.Context(), factsFile)
			if err != nil {
				return err
			}
			plan, err := m.plan(cmd.Context())
			if err != nil {
				return err
			}
			g, err := report.GraphOf(report.Machine{Plan: plan, Resources: m.resources})
			if err != nil {
				return err
			}
			return map[string]func() error{
				"dot":     func() error { return report.GraphDOT(a.out, g) },
				"mermaid": func() error { return report.GraphMermaid(a.out, g) },
				"json":    func() error { return report.GraphJSON(a.out, g) },
			}[format]()
		},
	}
	formatFlag(cmd, &format, graphFormats...)
	factsFlag(cmd, &factsFile)
	return cmd
}

// factsFlag registers --facts.
func factsFlag(cmd *cobra.Command, into *string) {
	cmd.Flags().StringVar(into, "facts", "", "look at the machine recorded in `FILE` (see `reconcile facts`)")
}

// sight looks at this machine, or reads the one that was recorded in a file.
func (a *app) sight(ctx context.Context, factsFile string) (*machine, error) {
	p, err := a.open(ctx)
	if err != nil {
		return nil, err
	}
	if factsFile != "" {
		return a.recall(p, factsFile)
	}
	return a.look(ctx, p)
}
