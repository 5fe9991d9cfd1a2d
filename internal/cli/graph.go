package cli

import (
	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/pkg/planner"
)

func graphCommand(a *app) *cobra.Command {
	formats := []string{"dot", "mermaid", "json"}
	var factsFile, format string
	cmd := &cobra.Command{
		Use:   "graph",
		Short: "print the dependency graph",
		Long: long(`
Prints the resources of this machine and their dependencies, for Graphviz (dot), for a
Mermaid block in Markdown (mermaid), or as JSON. Colours and signs show what the plan does
with each resource. An arrow leads from a resource to each one that depends on it.

With --facts it prints the graph of a recorded machine.`, readOnly, exit.Done, exit.Error),
		Example: "  reconcile graph | dot -Tsvg > graph.svg\n  reconcile graph --format mermaid",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			format, err := a.format(cmd, format, formats...)
			if err != nil {
				return err
			}
			m, err := a.observe(cmd.Context(), factsFile)
			if err != nil {
				return err
			}
			plan, err := m.Plan(cmd.Context(), planner.Selection{})
			if err != nil {
				return err
			}
			g, err := report.GraphOf(report.Machine{Plan: plan, Resources: m.Resources})
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
	formatFlag(cmd, &format, formats...)
	factsFlag(cmd, &factsFile)
	return cmd
}
