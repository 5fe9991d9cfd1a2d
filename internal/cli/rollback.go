package cli

import (
	"cmp"

	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/report"
)

func rollbackCommand(a *app) *cobra.Command {
	var lock lockFlags
	cmd := &cobra.Command{
		Use:     "rollback [GENERATION]",
		Example: "  reconcile rollback\n  reconcile rollback 7c1f",
		Short:   "activate an earlier generation of the environment",
		Long: long(`
Renames one link: the generation that was active before, or the one named, is active again.
A name may be abbreviated if it stays unique. Needs no network and no disk space. Running
processes keep the generation that they started with. The manifest is not changed: the next
apply goes forward again.`,
			changes, exit.Done, exit.Error, exit.Locked),
		Args:              argCount(0, 1, "one generation, if any"),
		ValidArgsFunction: a.generationNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := a.environment(cmd.Context())
			if err != nil {
				return err
			}
			to, err := e.Earlier(args)
			if err != nil {
				return err
			}
			changed, err := e.Rollback(cmd.Context(), to, a.lockOptions(lock, a.eventsText()))
			switch {
			case err != nil:
				return err
			case a.json:
				return report.JSON(a.out, map[string]any{
					"version": 1, "environment": e.Env.Name, "generation": to, "previous": e.Current, "changed": changed,
				})
			case !changed:
				return writeLine(a.out, "%s shows generation %s already: nothing was changed.", e.Environment.Path, to)
			}
			return writeLine(a.out, "%s now shows generation %s (was %s).", e.Environment.Path, to, cmp.Or(e.Current, "none"))
		},
	}
	lock.registerTimeout(cmd)
	return cmd
}

// generationNames completes the generations that rollback could activate, the newest
// first.
func (a *app) generationNames(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	directive := cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	e, err := a.environment(cmd.Context())
	if err != nil || len(args) > 0 {
		return nil, directive
	}
	var names []string
	for _, g := range e.SortedGenerations() {
		if g.Name != e.Current {
			names = append(names, cobra.CompletionWithDesc(g.Name, g.Created))
		}
	}
	return names, directive
}
