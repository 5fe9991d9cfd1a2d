package main

import (
	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/report"
)

func (a *app) planCommand() *cobra.Command {
	var factsFile string
	var detailed, detail bool
	cmd := &cobra.Command{
		Use:     "plan",
		Example: "  reconcile plan\n  reconcile plan -v --env remote\n  reconcile plan --facts h100.json",
		Short:   "show how this machine differs from the manifest",
		Long: long(`
Shows the checks, the changes that apply would make with the commands it would
run, and the storage summary. Writes nothing and uses no network. Starts no program, but
for one question to the NVIDIA driver where the manifest asks for CUDA or a GPU.

With --facts it plans for the machine on which the file was recorded.`, readOnly, exitDone, exitError, exitDiffers, exitBlocked),
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			var m *machine
			if factsFile != "" {
				m, err = a.recall(p, factsFile)
			} else {
				m, err = a.look(cmd.Context(), p)
			}
			if err != nil {
				return err
			}
			plan, err := m.plan(cmd.Context())
			if err != nil {
				return err
			}
			if err := a.showPlan(m, plan, detail); err != nil {
				return err
			}
			return exit(planCode(plan, detailed))
		},
	}
	cmd.Flags().StringVar(&factsFile, "facts", "", "plan for the machine recorded in `FILE` (see `reconcile facts`)")
	cmd.Flags().BoolVar(&detailed, "detailed-exitcode", false, "exit 2 if there is something to do")
	cmd.Flags().BoolVar(&detail, "detail", false, "a block for every change, however many there are")
	return cmd
}

// planCode returns the exit code of a plan that was shown.
func planCode(p *planner.Plan, detailed bool) int {
	t := p.Totals()
	switch {
	case t.Blocked > 0:
		return exitBlocked
	case detailed && t.Changes() > 0:
		return exitDiffers
	}
	return exitDone
}

// showPlan prints a plan as text or JSON to standard output.
func (a *app) showPlan(m *machine, p *planner.Plan, detail bool) error {
	if a.json {
		return report.PlanJSON(a.out, p)
	}
	o := a.report(a.out)
	o.Detail = detail
	if !m.recorded {
		o.ReadText = func(path string) (string, error) { return m.prober.ReadText(path, 1<<20) }
	}
	return report.Plan(a.out, p, o)
}
