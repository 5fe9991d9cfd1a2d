package cli

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/pyenv"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

func (a *app) generationsCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "generations",
		Example: "  reconcile generations\n  reconcile generations --env remote --json",
		Short:   "list the built generations of the environment",
		Long: long(`
Lists the generations of this machine's environment, the newest first, with what each
alone takes on disk. The visible one has a star; files that are missing or have another
size are counted. `+"`reconcile rollback NAME`"+` goes to another, `+"`reconcile gc`"+` frees those that
are not needed.`, readOnly, exitDone, exitError),
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			e, err := a.openEnvironment(cmd.Context())
			if err != nil {
				return err
			}
			list, err := e.list(cmd.Context())
			if err != nil {
				return err
			}
			if a.json {
				return report.JSON(a.out, map[string]any{"version": 1, "environment": e.Name, "generations": list})
			}
			return report.Generations(a.out, list, a.report(a.out))
		},
	}
}

// list returns the generations, the newest first.
func (e *environment) list(ctx context.Context) ([]report.Generation, error) {
	var list []report.Generation
	for _, g := range newestFirst(e.Generations) {
		damage, err := lookInto(ctx, e.directory(g.Name), false)
		if err != nil {
			return nil, err
		}
		alone, err := pyenv.ExclusiveSize(e.directory(g.Name))
		if err != nil {
			alone = -1
		}
		list = append(list, report.Generation{
			Name: g.Name, Current: g.Name == e.Current, Created: g.Created, Python: g.Python,
			Packages: len(g.Packages) + len(g.Conda), Disk: alone, Damage: len(damage), Path: e.directory(g.Name),
		})
	}
	return list, nil
}

func newestFirst(list []facts.Generation) []facts.Generation {
	return slices.SortedFunc(slices.Values(list), func(a, b facts.Generation) int {
		return cmp.Or(cmp.Compare(b.Created, a.Created), cmp.Compare(b.Name, a.Name))
	})
}

func (a *app) rollbackCommand() *cobra.Command {
	var o applyFlags
	cmd := &cobra.Command{
		Use:     "rollback [GENERATION]",
		Example: "  reconcile rollback\n  reconcile rollback 7c1f",
		Short:   "make an earlier generation of the environment visible again",
		Long: long(`
Renames one link: the generation that was visible before, or the one named, is visible
again; a name may be cut short where it stays the only one. Needs no network and no disk space. Processes that run keep what they started
with. The manifest still asks for what it asked: the next apply goes forward again.`,
			changes, exitDone, exitError, exitLocked),
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: a.generationNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := a.openEnvironment(cmd.Context())
			if err != nil {
				return err
			}
			to, err := a.previous(e, args)
			if err != nil {
				return err
			}
			if to == e.Current && e.Entry == "" {
				return a.rolledBack(e, to)
			}
			if err := e.sound(cmd.Context(), to); err != nil {
				return err
			}
			w, err := a.work(cmd.Context(), e.project, o)
			if err != nil {
				return err
			}
			defer w.close()
			a.oneDocument(w)
			err = w.do(e, resources.Update, resources.Switch{
				Environment: e.Name,
				Link:        filepath.ToSlash(filepath.Join(e.Path, layout.GenerationLink)),
				Target:      layout.Generation(e.state, e.Name, to),
			})
			if err != nil {
				return err
			}
			return a.rolledBack(e, to)
		},
	}
	cmd.Flags().DurationVar(&o.lockTimeout, "lock-timeout", 0, "wait `DURATION`, such as 10m, for another run to end")
	return cmd
}

// named returns the generation that has a name, or the only one whose name begins so.
func (e *environment) named(word string) (string, error) {
	var like []string
	for _, g := range newestFirst(e.Generations) {
		if g.Name == word {
			return word, nil
		}
		if word != "" && strings.HasPrefix(g.Name, word) {
			like = append(like, g.Name)
		}
	}
	switch len(like) {
	case 1:
		return like[0], nil
	case 0:
		return "", &diag.Problem{
			Code: "rollback.unknown", Summary: fmt.Sprintf("%q is not a generation of %s that could become visible", word, e.Name),
			Hint: "`reconcile generations` lists them",
		}
	}
	return "", &diag.Problem{
		Code: "rollback.ambiguous", Summary: fmt.Sprintf("several generations of %s begin with %q", e.Name, word),
		Found: strings.Join(like, ", "), Hint: "write more of the name",
	}
}

// rolledBack says which generation is visible now, and which one was.
func (a *app) rolledBack(e *environment, to string) error {
	switch {
	case a.json:
		return report.JSON(a.out, map[string]any{
			"version": 1, "environment": e.Name, "generation": to, "previous": e.Current, "changed": to != e.Current,
		})
	case to == e.Current:
		return say(a.out, "%s shows generation %s already: nothing was changed.", e.Path, to)
	}
	return say(a.out, "%s now shows generation %s (was %s).", e.Path, to, e.Current)
}

// oneDocument keeps the events of a run out of the one document that a command
// prints as JSON.
func (a *app) oneDocument(w *work) {
	if a.json {
		w.options.Events = nil
	}
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
		Found: damage[0].Subject() + ": " + damage[0].Description(),
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
		return e.named(args[0])
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
