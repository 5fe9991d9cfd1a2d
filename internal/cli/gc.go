package cli

import (
	"cmp"
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/environments"
	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/plural"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/storage"
)

func gcCommand(a *app) *cobra.Command {
	var o applyFlags
	var keep int
	var dry bool
	cmd := &cobra.Command{
		Use:     "gc",
		Example: "  reconcile gc --dry-run\n  reconcile gc --keep 2",
		Short:   "free the generations that are not needed",
		Long: long(`
Removes incomplete builds of this machine's environment, and its generations except the
active one and the newest intact ones that --keep asks for. A generation that a process uses
is never removed, nor one in which `+"`reconcile run`"+` started a program on another host in the last
14 days. Lists the generations and asks for "yes". Last it prints what
`+"`reconcile store prune`"+` would free.`,
			destructive, exit.Done, exit.Error, exit.Partly, exit.Locked),
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if keep < 0 {
				return exit.Usage("--keep takes a number from 0 up")
			}
			e, err := a.environment(cmd.Context())
			if err != nil {
				return err
			}
			unneeded, err := e.Unneeded(cmd.Context(), keep)
			if err != nil {
				return err
			}
			if err := a.showUnneeded(e, unneeded); err != nil {
				return err
			}
			if dry || len(unneeded) == 0 {
				doc := e.CollectDry(unneeded)
				doc.DryRun = dry
				if a.json {
					return report.JSON(a.out, doc)
				}
				a.showFreeable(cmd.Context(), doc.Notes)
				return nil
			}
			if err := a.askYes(o.yes); err != nil {
				return err
			}
			doc, err := e.Collect(cmd.Context(), keep, a.lockOptions(o.lockFlags, a.eventsText()))
			if doc == nil {
				return err
			}
			err = a.showCollected(doc, err)
			if !a.json {
				a.showFreeable(cmd.Context(), doc.Notes)
			}
			return err
		},
	}
	o.register(cmd)
	cmd.Flags().IntVar(&keep, "keep", 1, "keep `N` generations beside the active one, for rollback")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "show what would be removed, and stop")
	return cmd
}

// showUnneeded lists what would be removed.
func (a *app) showUnneeded(e *environments.Environment, names []string) error {
	if a.json {
		return nil
	}
	if len(names) == 0 {
		return writeLine(a.out, "Nothing to free: environment %s keeps %s.", e.Env.Name, plural.Count(len(e.Generations), "generation"))
	}
	for _, name := range names {
		if err := writeLine(a.out, "- %s %s", e.Env.Name, name); err != nil {
			return err
		}
	}
	return nil
}

// showCollected prints a collection. If failed is not nil, the collection ended early with
// that error, and its exit code is that of the command.
func (a *app) showCollected(doc *environments.Collection, failed error) error {
	code, left := exit.CodeOf(failed)
	for i := range doc.Generations {
		if c := &doc.Generations[i]; c.Kept() {
			code = max(code, exit.Partly)
			if !a.json {
				if err := writeLine(a.out, "kept %s: %s", c.Name, c.Reason); err != nil {
					return err
				}
			}
		}
	}
	if a.json {
		doc.Problems = diag.Problems(left)
		if failed != nil {
			code, _ = exit.CodeOf(failed)
		}
		return cmp.Or(report.JSON(a.out, doc), exit.Quietly(code))
	}
	if failed != nil {
		return failed
	}
	return cmp.Or(writeLine(a.out, "Freed %s.", bytesize.Format(doc.Freed)), exit.Quietly(code))
}

// showFreeable prints notes on programs of other hosts, and the bytes that prune would free in
// the store.
func (a *app) showFreeable(ctx context.Context, notes []string) {
	for _, note := range notes {
		_ = writeLine(a.out, "Note: %s.", note)
	}
	s, err := storage.Load(ctx, a.config(), time.Now())
	if err != nil {
		_ = writeLine(a.err, "The store could not be measured: %v", err)
		return
	}
	for _, hint := range report.StoreHints(s.Report()) {
		_ = writeLine(a.out, "%s", hint)
	}
}
