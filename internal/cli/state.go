package cli

import (
	"cmp"
	"context"

	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/ownership"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/session"
	"github.com/reconcile-ml/reconcile/internal/state"
)

func stateCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "state",
		Short: "what reconcile manages on this machine: list, show, forget",
		Long: long(`
The state records which resources of this machine are managed, and whether reconcile created
them. Losing it loses these records, never correctness.`, readOnly, exit.Done, exit.Error),
		Example: "  reconcile state list\n  reconcile state show directory.data_raw\n  reconcile state forget file.notes.txt",
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return cmd.Help()
		},
	}
	cmd.AddCommand(stateListCommand(a), stateShowCommand(a), stateForgetCommand(a))
	return cmd
}

// state reads the state of this machine.
func (a *app) state(ctx context.Context) (*state.State, error) {
	p, err := session.Open(ctx, a.config(), "")
	if err != nil {
		return nil, err
	}
	return ownership.State(p)
}

func stateListCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "list the managed resources",
		Long: long(`
Lists every managed resource: created (by reconcile; prune may remove it), adopted (it
existed, and reconcile changed it or was told to take it over) or observed (it existed as
the manifest asks). A * marks a protected one.`, readOnly, exit.Done, exit.Error),
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.state(cmd.Context())
			if err != nil {
				return err
			}
			if a.json {
				entries := s.Sorted()
				if entries == nil {
					entries = []state.Entry{}
				}
				return report.JSON(a.out, map[string]any{"version": 1, "lineage": s.Lineage, "serial": s.Serial, "entries": entries})
			}
			return report.State(a.out, s.Sorted(), a.report(a.out))
		},
	}
}

func stateShowCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "show ADDR",
		Short: "show the recorded state of a resource",
		Long: long(`
Shows how the resource came to be managed, the last action, and its result.`,
			readOnly, exit.Done, exit.Error),
		Args:              argCount(1, 1, "the address of a managed resource"),
		ValidArgsFunction: a.managedNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.state(cmd.Context())
			if err != nil {
				return err
			}
			addrs, err := addresses(args)
			if err != nil {
				return err
			}
			entries, err := ownership.Entries(s, addrs)
			if err != nil {
				return err
			}
			if a.json {
				return report.JSON(a.out, map[string]any{"version": 1, "entry": entries[0]})
			}
			return report.StateEntry(a.out, entries[0], a.report(a.out))
		},
	}
}

func stateForgetCommand(a *app) *cobra.Command {
	var lock lockFlags
	cmd := &cobra.Command{
		Use:   "forget ADDR...",
		Short: "stop managing resources; nothing else changes",
		Long: long(`
Removes resources from the state alone: nothing else on the machine changes. One that the
manifest still asks for is found again by the next apply, and counts as older than
reconcile, so that prune never removes it.`, changes, exit.Done, exit.Error, exit.Locked),
		Args:              argCount(1, 0, "addresses of managed resources"),
		ValidArgsFunction: a.managedNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			addrs, err := addresses(args)
			if err != nil {
				return err
			}
			p, err := session.Open(cmd.Context(), a.config(), "")
			if err != nil {
				return err
			}
			entries, err := ownership.Forget(cmd.Context(), p, addrs, a.lockOptions(lock, nil))
			if err != nil {
				return err
			}
			if a.json {
				return report.JSON(a.out, map[string]any{"version": 1, "forgotten": addrs})
			}
			for _, e := range entries {
				if err := writeLine(a.out, "%s is no longer managed; %s stays as it is.", e.Addr, cmp.Or(e.Left.Path, e.Key.Name)); err != nil {
					return err
				}
			}
			return nil
		},
	}
	lock.registerTimeout(cmd)
	return cmd
}

// managedNames completes the addresses of the state.
func (a *app) managedNames(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	s, err := a.state(cmd.Context())
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, e := range s.Sorted() {
		names = append(names, e.Addr.String()+"\t"+string(e.Ownership))
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
