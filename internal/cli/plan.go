package cli

import (
	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/pkg/planner"
)

var planFormats = []string{"text", "json", "markdown", "html"}

func (a *app) planCommand() *cobra.Command {
	var factsFile, format, out string
	var detailed, detail bool
	var chosen selectFlags
	cmd := &cobra.Command{
		Use:     "plan",
		Example: "  reconcile plan\n  reconcile plan -v --env remote\n  reconcile plan --facts h100.json\n  reconcile plan --target 'file.scripts/*'\n  reconcile plan --out tonight.plan",
		Short:   "show how this machine differs from the manifest",
		Long: long(`
Shows the checks, the changes that apply would make with the commands it would
run, and the storage summary. Writes nothing but the file of --out, and uses no network.
Starts no program, but for one question to the NVIDIA driver where the manifest asks for
CUDA or a GPU.

With --facts it plans for the machine on which the file was recorded. --format markdown
writes a comment for a pull request, --format html one page that needs nothing else.

--target, --exclude and --replace plan a part, by address (directory.data_raw) or pattern
(directory.*): what a target needs comes along, what needs an excluded one stays out, checks
always stay, and the plan names what it leaves out.

With --out it also saves the plan, for `+"`reconcile apply FILE`"+` on this machine. A plan that
is blocked is not saved.`, readOnly, exitDone, exitError, exitDiffers, exitBlocked),
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			place, err := a.outPlace(out, factsFile)
			if err != nil {
				return err
			}
			format, err := a.format(cmd, format, planFormats...)
			if err != nil {
				return err
			}
			m, err := a.sight(cmd.Context(), factsFile)
			if err != nil {
				return err
			}
			m.before.Selection = chosen.selection()
			plan, err := m.plan(cmd.Context())
			if err != nil {
				return err
			}
			if err := a.printPlan(m, plan, format, detail); err != nil {
				return err
			}
			if detailed {
				a.tellPart(plan)
			}
			if out != "" {
				if err := a.savePlan(m, plan, out, place); err != nil {
					return err
				}
			}
			return exit(planCode(plan, detailed))
		},
	}
	formatFlag(cmd, &format, planFormats...)
	factsFlag(cmd, &factsFile)
	chosen.register(a, cmd)
	cmd.Flags().StringVar(&out, "out", "", "save the plan in `FILE`, for `reconcile apply FILE`")
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

// showPlan prints a plan to standard output before it is carried out: as text, or
// JSON where the run is followed by a program.
func (a *app) showPlan(m *machine, p *planner.Plan, detail bool) error {
	format := "text"
	if a.json {
		format = "json"
	}
	return a.printPlan(m, p, format, detail)
}

// printPlan prints a plan to standard output.
func (a *app) printPlan(m *machine, p *planner.Plan, format string, detail bool) error {
	o := a.report(a.out)
	o.Detail = detail
	if !m.recorded {
		o.ReadText = func(path string) (string, error) { return m.prober.ReadText(path, 1<<20) }
	}
	switch format {
	case "json":
		return report.PlanJSON(a.out, p)
	case "markdown":
		return report.PlanMarkdown(a.out, p, o)
	case "html":
		return report.PlanHTML(a.out, report.Machine{Plan: p, Resources: m.resources, Facts: m.facts, Options: o})
	}
	return report.Plan(a.out, p, o)
}
