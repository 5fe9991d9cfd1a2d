package cli

import (
	"cmp"
	"context"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/session"
	"github.com/reconcile-ml/reconcile/internal/storage"
)

func storeCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "store",
		Short: "show where the store is, and which project takes how much of it",
		Long: long(`
Shows the store of this user and why it is there, its size by part, and for each project that
was applied whether its folder still exists, its last use, and how much it shares with others.
"Of its own" is what removing that project alone would free. Needs no project.`, readOnly, exit.Done, exit.Error),
		Example: "  reconcile store\n  reconcile store --json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := storage.Load(cmd.Context(), a.config(), time.Now())
			if err != nil {
				return err
			}
			if a.json {
				return report.StoreJSON(a.out, s.Report())
			}
			return report.PrintStore(a.out, s.Report(), a.report(a.out))
		},
	}
	cmd.AddCommand(storePruneCommand(a))
	return cmd
}

func storePruneCommand(a *app) *cobra.Command {
	var o applyFlags
	var selected storage.Options
	var older, budget string
	var dry bool
	cmd := &cobra.Command{
		Use:   "prune",
		Short: "free parts of the store that nothing uses, and those that flags select",
		Long: long(`
Removes from the store what no environment of any project uses: wheels, conda packages, tools
and caches that are 30 days old, temporary files that are a day old. All of it can be
downloaded again. Flags also remove environments, which `+"`reconcile apply`"+` builds again, and
everything of projects whose folder is gone. Lists what it would remove and asks for "yes".

Kept is what a process uses, what another run holds, and what a program on another host may
use: `+"`reconcile run`"+` records the programs that it starts, for 14 days. Programs that .venv/bin
starts on another host are not known.`,
			destructive, exit.Done, exit.Error, exit.Partly, exit.Locked, exit.Interrupted),
		Example: "  reconcile store prune --dry-run\n  reconcile store prune --gone\n  reconcile store prune --older 30d --budget 20GB",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if selected.Older, err = parseAge(older); err != nil {
				return err
			}
			selected.Budget = -1
			if budget != "" {
				if selected.Budget, err = bytesize.Parse(budget); err != nil {
					return exit.Usage("--budget: %v", err)
				}
			}
			return a.pruneStore(cmd.Context(), selected, o, dry)
		},
	}
	f := cmd.Flags()
	f.StringVar(&older, "older", "", "also environments of projects that were not used for `AGE`, such as 30d")
	f.StringVar(&budget, "budget", "", "also environments, the longest unused first, until the store has at most `SIZE`, such as 20GB")
	f.StringArrayVar(&selected.Projects, "project", nil, "also the environments of `PROJECT`, a path or a name; all of it if its folder does not exist; repeatable")
	f.BoolVar(&selected.Gone, "gone", false, "also all of projects whose folder is gone, with the old contents of files that applies replaced")
	f.BoolVar(&dry, "dry-run", false, "show what would be removed, and stop")
	f.BoolVarP(&o.yes, "yes", "y", false, "remove it without asking")
	o.registerTimeout(cmd)
	return cmd
}

// pruneStore shows what a prune removes, asks, and removes it.
func (a *app) pruneStore(ctx context.Context, selected storage.Options, o applyFlags, dry bool) error {
	s, err := storage.Load(ctx, a.config(), time.Now())
	if err != nil {
		return err
	}
	doc, err := s.Prune(selected)
	if err != nil {
		return err
	}
	if !a.json {
		if err := report.PrunePlan(a.out, doc, a.report(a.out)); err != nil {
			return err
		}
	}
	if dry || len(doc.Items) == 0 {
		doc.DryRun = dry
		if a.json {
			return report.PruneJSON(a.out, doc)
		}
		return nil
	}
	if err := a.askYes(o.yes); err != nil {
		return err
	}
	ctx, _, stop := session.Interruptible(ctx, nil)
	defer stop()
	done, err := storage.Apply(ctx, a.config(), s, selected, doc, a.lockOptions(o.lockFlags, nil))
	switch {
	case done == nil && ctx.Err() != nil:
		return exit.Quietly(exit.Interrupted)
	case done == nil:
		return err
	}
	return a.showPruned(done, err, ctx.Err() != nil)
}

// showPruned prints what a prune removed. If failed is not nil, it ended early.
func (a *app) showPruned(done *report.Prune, failed error, interrupted bool) error {
	code := exit.Done
	switch {
	case interrupted:
		code, failed = exit.Interrupted, nil
	case failed != nil:
		code = exit.Error
	case done.IsPartial():
		code = exit.Partly
	}
	if a.json {
		done.Problems = diag.Problems(failed)
		return cmp.Or(report.PruneJSON(a.out, done), exit.Quietly(code))
	}
	if err := report.PruneResult(a.out, done, a.report(a.out)); err != nil {
		return err
	}
	return exit.With(code, failed)
}

// parseAge parses an age such as 30d, 2w or 12h.
func parseAge(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	units := map[string]time.Duration{"h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour}
	number, unit := text[:len(text)-1], units[text[len(text)-1:]]
	n, err := strconv.Atoi(number)
	if err != nil || unit == 0 || n < 1 || n > 100_000 {
		return 0, exit.Usage("--older takes a number of hours, days or weeks, such as 12h, 30d or 8w, not %q", text)
	}
	return time.Duration(n) * unit, nil
}
