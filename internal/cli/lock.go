package cli

import (
	"cmp"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/locking"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/session"
)

func lockCommand(a *app) *cobra.Command {
	var upgrade bool
	var lock lockFlags
	cmd := &cobra.Command{
		Use:     "lock [--upgrade [PACKAGE…]]",
		Example: "  reconcile lock\n  reconcile lock --env local\n  reconcile lock --upgrade\n  reconcile lock --upgrade numpy",
		Short:   "write the full, hashed closure of each environment",
		Long: long(`
Resolves the packages of every environment that names a lock, for every platform it lists,
and writes the closure with sizes and hashes. Locked versions stay as they are where the
requirements allow it, unless --upgrade is given. The lock of another tool, such as uv.lock,
is read as it is. For type conda it first solves the conda packages, always with py-rattler,
whatever client this machine has; they stay locked while their requirements are unchanged.
Needs the package index and, to solve, the conda channels. Nothing is installed but pinned
tools in the store. It warns of locked packages that are known to break each other.

Commit the result: from then on neither plan nor apply resolves anything.`, changes, exit.Done, exit.Error, exit.Locked, exit.Interrupted),
		ValidArgsFunction: a.packageNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 && !upgrade {
				return exit.Usage("%s takes packages only with --upgrade, and got %q; `reconcile add` adds packages", cmd.CommandPath(), args[0])
			}
			p, err := session.Open(cmd.Context(), a.config(), "")
			if err != nil {
				return err
			}
			o := a.lockingOptions(lock)
			o.Upgrade = upgrade && len(args) == 0
			if o.UpgradeNames, err = locking.UpgradeNames(p, args); err != nil {
				return err
			}
			var warnings diag.List
			for _, problem := range p.Manifest.NotRead(a.envs...) {
				warnings.Add(problem)
			}
			if !a.json {
				if err := report.Problems(a.err, warnings.Err(), a.report(a.err)); err != nil {
					return err
				}
			}
			doc, err := locking.All(cmd.Context(), p, o)
			if !a.json || doc == nil {
				return err
			}
			code, left := exit.CodeOf(err)
			doc.Problems = append(diag.Problems(left), diag.Problems(warnings.Err())...)
			return cmp.Or(report.JSON(a.out, doc), exit.Quietly(code))
		},
	}
	cmd.Flags().BoolVar(&upgrade, "upgrade", false, "take the newest versions that the requests allow, of all packages or of the named ones")
	lock.registerTimeout(cmd)
	return cmd
}

// lockingOptions returns how environments are locked, with their progress.
func (a *app) lockingOptions(lock lockFlags) locking.Options {
	o := locking.Options{
		Lock: a.lockOptions(lock, a.eventsText()), Locked: a.showLocked,
		Skipped:     func(path, tool string) { fmt.Fprintf(a.err, "%s: not done, since %s failed\n", path, tool) },
		Interrupted: func() { fmt.Fprintln(a.err, "\nInterrupted: nothing is locked.") },
	}
	if a.verbose {
		o.Line = func(_, line string) { fmt.Fprintln(a.err, line) }
	}
	return o
}
