package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/state"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

func (a *app) stateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "state",
		Short: "what reconcile manages on this machine: list, show, forget",
		Long: long(`
The state is the memory of earlier applies: which things of this machine are managed, and
whether reconcile created them. Losing it loses memory, never correctness.`, readOnly, exitDone, exitError),
		Example: "  reconcile state list\n  reconcile state show directory.data_raw\n  reconcile state forget file.notes.txt",
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return cmd.Help()
		},
	}
	cmd.AddCommand(a.stateListCommand(), a.stateShowCommand(), a.stateForgetCommand())
	return cmd
}

// memory is the state of this machine, read without a lock.
func (a *app) memory(ctx context.Context) (*project, *state.State, error) {
	p, err := a.open(ctx)
	if err != nil {
		return nil, nil, err
	}
	here, err := p.here()
	if err != nil {
		return nil, nil, err
	}
	if closed := p.closed(); closed != nil {
		return nil, nil, closed
	}
	s, err := state.Read(p.file(layout.Journal(here.State)))
	return p, s, err
}

func (a *app) stateListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "list what is managed",
		Long: long(`
Lists every managed resource: created (reconcile made it, and prune may remove it), adopted
(it was there, and reconcile changed it or was told to take it over) or observed (it was
there as it should be). A * says that it is protected.`, readOnly, exitDone, exitError),
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, s, err := a.memory(cmd.Context())
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

func (a *app) stateShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show ADDR",
		Short: "show what is remembered of one resource",
		Long: long(`
Shows how the resource came to be managed, what was done last, and what stood there then.`,
			readOnly, exitDone, exitError),
		Args:              words(1, 1, "the address of a managed resource"),
		ValidArgsFunction: a.managedNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			_, s, err := a.memory(cmd.Context())
			if err != nil {
				return err
			}
			entries, err := entriesOf(s, args)
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

func (a *app) stateForgetCommand() *cobra.Command {
	var o applyFlags
	cmd := &cobra.Command{
		Use:   "forget ADDR...",
		Short: "stop managing resources; nothing else changes",
		Long: long(`
Removes resources from the memory alone: what stands on the machine stays. One that the
manifest still asks for is found again by the next apply, and counts as there before
reconcile, so that prune never removes it.`, changes, exitDone, exitError, exitLocked),
		Args:              words(1, 0, "addresses of managed resources"),
		ValidArgsFunction: a.managedNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			p, s, err := a.memory(cmd.Context())
			if err != nil {
				return err
			}
			if _, err := entriesOf(s, args); err != nil {
				return err
			}
			w, err := a.work(cmd.Context(), p, o)
			if err != nil {
				return err
			}
			defer w.close()
			entries, err := entriesOf(&w.journal.State, args) // as it is now that nobody else changes it
			if err != nil {
				return err
			}
			addrs := make([]resources.Addr, len(entries))
			for i := range entries {
				addrs[i] = entries[i].Addr
			}
			if err := w.journal.Forget(addrs...); err != nil {
				return err
			}
			if a.json {
				return report.JSON(a.out, map[string]any{"version": 1, "forgotten": addrs})
			}
			for _, e := range entries {
				if err := say(a.out, "%s is no longer managed; %s stays as it is.", e.Addr, cmp.Or(e.Left.Path, e.Key.Name)); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().DurationVar(&o.lockTimeout, "lock-timeout", 0, "wait so long for another run to end")
	return cmd
}

// addresses reads the words of a command line, each once.
func addresses(words []string) ([]resources.Addr, error) {
	var list []resources.Addr
	for _, word := range words {
		var addr resources.Addr
		if err := addr.UnmarshalText([]byte(word)); err != nil {
			return nil, usage("%q is not an address; write KIND.NAME, such as directory.data_raw", word)
		}
		if !slices.Contains(list, addr) {
			list = append(list, addr)
		}
	}
	return list, nil
}

// entriesOf returns what is remembered of the named resources; one that is not
// remembered is an error.
func entriesOf(s *state.State, words []string) ([]state.Entry, error) {
	list, err := addresses(words)
	if err != nil {
		return nil, err
	}
	var problems diag.List
	var entries []state.Entry
	for _, addr := range list {
		e, ok := s.Entry(addr)
		if !ok {
			problems.Add(&diag.Problem{
				Code: "state.unknown", Addr: addr.String(), Summary: fmt.Sprintf("%s is not managed on this machine", addr),
				Hint: "`reconcile state list` lists what is",
			})
		}
		entries = append(entries, e)
	}
	return entries, problems.Err()
}

// managedNames offers the addresses of the state to a shell.
func (a *app) managedNames(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	_, s, err := a.memory(cmd.Context())
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, e := range s.Sorted() {
		names = append(names, e.Addr.String()+"\t"+string(e.Ownership))
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
