package cli

import (
	"slices"

	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/plural"
	"github.com/reconcile-ml/reconcile/internal/session"
	"github.com/reconcile-ml/reconcile/pkg/planner"
)

func healCommand(a *app) *cobra.Command {
	var o applyFlags
	cmd := &cobra.Command{
		Use:     "heal",
		Example: "  reconcile heal",
		Short:   "replace a damaged environment by an intact one",
		Long: long(`
Verifies the active generation against every hash, prints the damage, and builds a new
generation from the intact wheels in the store and, for the rest, from the index. Damaged
wheels are removed from the store. The damaged generation is not changed, since a job may
use it.`, changes, exit.Done, exit.Error, exit.Blocked, exit.Partly, exit.Locked, exit.Interrupted),
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			e, err := a.environment(cmd.Context())
			if err != nil {
				return err
			}
			v, err := e.Verify(cmd.Context(), true)
			if err != nil {
				return err
			}
			if err := a.showDamage(e, v, true); err != nil {
				return err
			}
			if err := e.Discard(v); err != nil {
				return err
			}
			if n := len(v.Wheels); n > 0 && !a.json {
				what := plural.Count(n, "damaged wheel")
				if !slices.ContainsFunc(v.Wheels, func(w session.DamagedWheel) bool { return len(w.Files) > 0 }) {
					what = "the bytecode of " + plural.Count(n, "wheel")
				}
				if err := writeLine(a.out, "Removed %s from the store.", what); err != nil {
					return err
				}
			}
			if len(v.Damage) == 0 && v.Python == nil {
				return nil
			}
			m, err := e.Observe(cmd.Context(), session.Damage{Environment: e.Env.Name, Generation: e.Current, Found: v.Damage, Deep: true})
			if err != nil {
				return err
			}
			m = m.OnlyEnvironment()
			plan, err := m.Plan(cmd.Context(), planner.Selection{})
			if err != nil {
				return err
			}
			return a.confirmAndApply(cmd.Context(), proposal{machine: m, plan: plan}, o)
		},
	}
	o.register(cmd)
	return cmd
}
