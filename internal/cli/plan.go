package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/savedplan"
	"github.com/reconcile-ml/reconcile/internal/session"
	"github.com/reconcile-ml/reconcile/pkg/planner"
)

// planFlags are the flags of plan.
type planFlags struct {
	selectFlags
	facts, format, out string
	detailed, detail   bool
}

func planCommand(a *app) *cobra.Command {
	formats := []string{"text", "json", "markdown", "html"}
	var o planFlags
	cmd := &cobra.Command{
		Use:     "plan",
		Example: "  reconcile plan\n  reconcile plan -v --env remote\n  reconcile plan --facts h100.json\n  reconcile plan --target 'file.scripts/*'\n  reconcile plan --out tonight.plan",
		Short:   "show how this machine differs from the manifest",
		Long: long(`
Shows the checks, the changes that apply would make with the commands it would run, and the
storage summary. Writes nothing but the file of --out, and uses no network. Starts no
program, but for one query to the NVIDIA driver where the manifest asks for CUDA or a GPU.

With --facts it plans for the machine on which the file was recorded. --format markdown
writes a comment for a pull request, --format html one self-contained page.

--target, --exclude and --replace plan a part, by address (directory.data_raw) or pattern
(directory.*): dependencies of a target are included, dependents of an excluded resource are
excluded, checks always run, and the plan names the excluded resources.

With --all, or several names in --env, one plan is for several environments of this machine.

With --out it also saves the plan, for `+"`reconcile apply FILE`"+` on this machine. A plan that
is blocked is not saved.`, readOnly, exit.Done, exit.Error, exit.Differs, exit.Blocked),
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if o.format, err = a.format(cmd, o.format, formats...); err != nil {
				return err
			}
			var destination string
			if o.out != "" {
				if o.facts != "" {
					return exit.Usage("a plan for the machine of --facts cannot be applied here, so --out does not save it")
				}
				if destination, err = savedplan.CheckDestination(a.config(), o.out); err != nil {
					return err
				}
			}
			m, err := a.observe(cmd.Context(), o.facts)
			if err != nil {
				return err
			}
			plan, err := m.Plan(cmd.Context(), o.selection())
			if err != nil {
				return err
			}
			if a.json { // before the plan is printed, so that an error is the only document
				err = a.save(cmd.Context(), m, plan, destination, &o)
			}
			if err == nil {
				err = a.printPlan(m, plan, o.format, o.detail)
			}
			if err == nil && !a.json {
				err = a.save(cmd.Context(), m, plan, destination, &o)
			}
			if err != nil {
				return err
			}
			if o.detailed {
				a.reportExcluded(plan)
			}
			if o.out != "" {
				if err := a.reportSaved(plan, o.out); err != nil {
					return err
				}
			}
			return exit.Quietly(planCode(plan, o.detailed))
		},
	}
	formatFlag(cmd, &o.format, formats...)
	factsFlag(cmd, &o.facts)
	a.allFlag(cmd)
	o.selectFlags.register(a, cmd)
	cmd.Flags().StringVar(&o.out, "out", "", "save the plan in `FILE`, for `reconcile apply FILE`")
	cmd.Flags().BoolVar(&o.detailed, "detailed-exitcode", false, "exit 2 if there is something to do")
	cmd.Flags().BoolVar(&o.detail, "detail", false, "a block for every change, however many there are")
	return cmd
}

// reportExcluded warns that the exit code is that of the selected part alone.
func (a *app) reportExcluded(plan *planner.Plan) {
	if plan.Excluded != nil && plan.Excluded.Differ > 0 && !a.quiet {
		_ = writeLine(a.err, "The exit code is that of the selected part alone; %s left out.", report.Differing(plan.Excluded))
	}
}

// save saves a plan if --out asks for it and it is not blocked.
func (a *app) save(ctx context.Context, m *session.Machine, p *planner.Plan, destination string, o *planFlags) error {
	if o.out == "" || p.Totals().Blocked > 0 {
		return nil
	}
	return savedplan.Save(ctx, m, p, o.selection(), destination, o.out)
}

// reportSaved prints how to apply a saved plan. A blocked plan cannot be applied as it is, so
// it is not saved.
func (a *app) reportSaved(p *planner.Plan, name string) error {
	if p.Totals().Blocked > 0 {
		fmt.Fprintln(a.err)
		return writeLine(a.err, "The plan is not saved: resolve the blocked changes first.")
	}
	if a.quiet {
		return nil
	}
	fmt.Fprintln(a.err)
	return writeLine(a.err, "Saved the plan in %s. To apply it: %s", name, a.again("apply", name))
}
