package main

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/inuse"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/pyenv"
	"github.com/reconcile-ml/reconcile/pkg/diag"
	"github.com/reconcile-ml/reconcile/pkg/facts"
	"github.com/reconcile-ml/reconcile/pkg/report"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

func (a *app) generationsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "generations",
		Short: "list the built generations of the environment",
		Long: long(`
Lists the generations of this machine's environment, the newest first, with what each
alone takes on disk. The visible one has a star. `+"`reconcile rollback NAME`"+` goes to
another, `+"`reconcile gc`"+` frees those that are not needed.`, readOnly, exitDone, exitError),
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			e, err := a.environment(cmd.Context(), p)
			if err != nil {
				return err
			}
			list := e.list()
			if a.json {
				return report.JSON(a.out, map[string]any{"version": 1, "environment": e.Name, "generations": list})
			}
			return report.Generations(a.out, list, a.report(a.out))
		},
	}
}

// list returns the generations, the newest first.
func (e *environment) list() []report.Generation {
	var list []report.Generation
	for _, g := range newestFirst(e.Generations) {
		alone, err := pyenv.Size(e.directory(g.Name))
		if err != nil {
			alone = -1
		}
		list = append(list, report.Generation{
			Name: g.Name, Current: g.Name == e.Current, Created: g.Created, Python: g.Python,
			Packages: len(g.Packages), Disk: alone, Path: e.directory(g.Name),
		})
	}
	return list
}

func newestFirst(list []facts.Generation) []facts.Generation {
	return slices.SortedFunc(slices.Values(list), func(a, b facts.Generation) int {
		return cmp.Or(cmp.Compare(b.Created, a.Created), cmp.Compare(b.Name, a.Name))
	})
}

func (a *app) rollbackCommand() *cobra.Command {
	var o applyFlags
	cmd := &cobra.Command{
		Use:   "rollback [GENERATION]",
		Short: "make an earlier generation of the environment visible again",
		Long: long(`
Renames one link: the generation that was visible before, or the one named, is visible
again. Needs no network and no disk space. Processes that run keep what they started
with. The manifest still asks for what it asked: the next apply goes forward again.`,
			changes, exitDone, exitError, exitLocked),
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: a.generationNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			e, err := a.environment(cmd.Context(), p)
			if err != nil {
				return err
			}
			to, err := a.previous(e, args)
			if err != nil {
				return err
			}
			if err := e.sound(cmd.Context(), to); err != nil {
				return err
			}
			w, err := a.work(cmd.Context(), p, o)
			if err != nil {
				return err
			}
			defer w.close()
			err = w.do(e.Name, resources.Update, resources.Switch{
				Environment: e.Name,
				Link:        filepath.ToSlash(filepath.Join(e.Path, layout.GenerationLink)),
				Target:      layout.Generation(e.state, e.Name, to),
			})
			if err != nil {
				return err
			}
			return say(a.out, "%s now shows generation %s (was %s).", e.Path, to, e.Current)
		},
	}
	cmd.Flags().DurationVar(&o.lockTimeout, "lock-timeout", 0, "wait so long for another run to end")
	return cmd
}

// sound returns a problem if a generation is no longer as it was sealed, or if
// there is no visible place to show it in.
func (e *environment) sound(ctx context.Context, generation string) error {
	if e.Entry != "" {
		return &diag.Problem{
			Code: "rollback.entry", Summary: fmt.Sprintf("%s is not whole: %s", e.Path, e.Entry),
			Hint: "`reconcile apply` mends it; then roll back",
		}
	}
	damage, err := lookInto(ctx, e.directory(generation), false)
	if err != nil || len(damage) == 0 {
		return err
	}
	return &diag.Problem{
		Code: "rollback.damaged", Summary: fmt.Sprintf("generation %s is damaged, so it stays out of sight", generation),
		Found: damage[0].Thing() + ": " + damage[0].Words(),
		Hint:  "name another one (`reconcile generations`), or set the manifest back and run `reconcile apply`",
	}
}

// previous returns the generation to go back to: the one that is named, else the
// one that was visible before, else the newest that is not visible.
func (a *app) previous(e *environment, args []string) (string, error) {
	if e.Foreign != "" {
		_, err := e.visible()
		return "", err
	}
	sealed := func(name string) bool {
		return name != e.Current && slices.ContainsFunc(e.Generations, func(g facts.Generation) bool { return g.Name == name })
	}
	if len(args) == 1 {
		if sealed(args[0]) {
			return args[0], nil
		}
		return "", &diag.Problem{
			Code: "rollback.unknown", Summary: fmt.Sprintf("%q is not a generation of %s that could become visible", args[0], e.Name),
			Hint: "`reconcile generations` lists them",
		}
	}
	memory, err := e.journal()
	if err != nil {
		return "", err
	}
	for _, s := range slices.Backward(memory.Switches(e.Name)) {
		if s.To == e.Current && sealed(s.From) {
			return s.From, nil
		}
	}
	for _, g := range newestFirst(e.Generations) {
		if g.Name != e.Current {
			return g.Name, nil
		}
	}
	return "", &diag.Problem{Code: "rollback.none", Summary: fmt.Sprintf("environment %s has no earlier generation", e.Name)}
}

func (a *app) gcCommand() *cobra.Command {
	var o applyFlags
	var keep int
	var dry bool
	cmd := &cobra.Command{
		Use:   "gc",
		Short: "free the generations that are not needed",
		Long: long(`
Removes the generations of this machine's environment except the visible one and the
newest ones that --keep says, and what killed builds left. A generation that a process
uses is never removed. Shows what it would remove and asks for "yes".`,
			destructive, exitDone, exitError, exitPartly, exitLocked),
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if keep < 0 {
				return usage("--keep takes a number from 0 up")
			}
			p, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			return a.collect(cmd.Context(), p, o, keep, dry)
		},
	}
	o.register(cmd)
	cmd.Flags().IntVar(&keep, "keep", 1, "generations to keep beside the visible one, for rollback")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "show what would be removed, and stop")
	return cmd
}

// collect removes generations under the machine's lock.
func (a *app) collect(ctx context.Context, p *project, o applyFlags, keep int, dry bool) error {
	e, err := a.environment(ctx, p)
	if err != nil {
		return err
	}
	if len(e.unneeded(keep)) == 0 {
		_, err := fmt.Fprintf(a.out, "Nothing to free: environment %s keeps %s.\n", e.Name, count(len(e.Generations), "generation"))
		return err
	}
	for _, name := range e.unneeded(keep) {
		if err := say(a.out, "- %s %s", e.Name, name); err != nil {
			return err
		}
	}
	if dry {
		return nil
	}
	if err := a.consent(o.yes); err != nil {
		return err
	}
	w, err := a.work(ctx, p, o)
	if err != nil {
		return err
	}
	defer w.close()
	if e, err = a.environment(ctx, p); err != nil { // as it is now that nobody else changes it
		return err
	}
	kept := 0
	var freed int64
	for _, name := range e.unneeded(keep) {
		size, used, err := a.free(w, e, name)
		if err != nil {
			return err
		}
		freed += size
		if used {
			kept++
		}
	}
	fmt.Fprintf(a.out, "Freed %s.\n", bytesize.Format(freed))
	if kept > 0 {
		return exit(exitPartly)
	}
	return nil
}

// free removes one generation unless a process uses it.
func (a *app) free(w *work, e *environment, name string) (freed int64, used bool, err error) {
	dir := e.directory(name)
	if dir == e.shell {
		return 0, true, say(a.out, "kept %s: this shell is on it; activate again, or deactivate", name)
	}
	users, _, err := inuse.Of(dir)
	if err != nil {
		return 0, false, err
	}
	if len(users) > 0 {
		return 0, true, say(a.out, "kept %s: process %d (%s) uses %s", name, users[0].PID, users[0].Name, users[0].How)
	}
	if size, err := pyenv.Size(dir); err == nil {
		freed = size
	}
	return freed, false, w.do(e.Name, resources.Delete, resources.Remove{Path: layout.Generation(e.state, e.Name, name)})
}

// unneeded returns what gc removes: all but the visible generation and the
// newest keep others, and builds that did not end.
func (e *environment) unneeded(keep int) []string {
	names := slices.Clone(e.Unsealed)
	for _, g := range newestFirst(e.Generations) {
		if g.Name == e.Current {
			continue
		}
		if keep > 0 {
			keep--
			continue
		}
		names = append(names, g.Name)
	}
	return names
}
