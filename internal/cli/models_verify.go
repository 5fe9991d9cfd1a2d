package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/models"
	"github.com/reconcile-ml/reconcile/internal/plural"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/session"
)

func modelsVerifyCommand(a *app) *cobra.Command {
	var o models.VerifyOptions
	var all bool
	cmd := &cobra.Command{
		Use:   "verify [REPO...]",
		Short: "verify that the models are byte for byte what the manifest pins",
		Long: long(`
Hashes every file of the models that this machine's environment needs, or of those that are
named, and compares it with the digest that it is stored under. Finds changed bytes and files
that were written through their link, which a check of names and sizes does not. Also reports
missing files, and how to fix each fault. Uses no network and starts no program.

Digests are recorded: an interrupted run goes on where it stopped, and unchanged files are
not hashed twice.`, digests, exit.Done, exit.Error, exit.Differs, exit.Interrupted),
		Example:           "  reconcile models verify\n  reconcile models verify mistralai/Mistral-7B-Instruct-v0.3\n  reconcile models verify --all --no-cache",
		ValidArgsFunction: a.modelNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			if all && len(args) > 0 {
				return exit.Usage("--all verifies every snapshot in the cache; name models, or give --all")
			}
			if o.Jobs < 0 {
				return exit.Usage("--jobs must not be negative")
			}
			p, err := session.Open(cmd.Context(), a.config(), "")
			if err != nil {
				return err
			}
			t, err := p.Select()
			if err != nil && (all || len(args) > 0) {
				t, err = p.SelectNone() // the environment does not matter
			}
			if err != nil {
				return err
			}
			pins, err := models.Pins(t, all, args)
			if err != nil {
				return err
			}
			if len(pins) == 0 {
				return a.reportNoModels(t, all)
			}
			stop := func() {}
			o.Progress = func(_, _ int64) {}
			if !a.quiet {
				o.Progress, stop = report.Meter(a.err, a.report(a.err), "hashing "+plural.Count(len(pins), "model"))
				o.Interrupted = func() { fmt.Fprintln(a.err, "\nInterrupted: the digests of hashed files are recorded.") }
			}
			o.NotRecorded = func(err error) {
				if !a.quiet {
					_ = writeLine(a.err, "The digests could not be recorded: %v", err)
				}
			}
			result, err := models.Verify(cmd.Context(), t, pins, o)
			stop()
			if err != nil {
				return err
			}
			if a.json {
				err = report.ModelsVerifiedJSON(a.out, result)
			} else {
				err = report.ModelsVerified(a.out, result, a.report(a.out))
			}
			if err == nil && result.Intact() < len(result.Models) {
				return exit.Quietly(exit.Differs)
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "every snapshot in the cache, in the manifest or not")
	cmd.Flags().BoolVar(&o.Rehash, "no-cache", false, "hash every file, also those with a recorded digest")
	cmd.Flags().IntVarP(&o.Jobs, "jobs", "j", 0, "hash `N` files at once (default: the number of cores)")
	return cmd
}

// reportNoModels prints why there is nothing to verify.
func (a *app) reportNoModels(t *session.Target, all bool) error {
	cache := t.ModelCache().Path
	switch {
	case a.json:
		return report.ModelsVerifiedJSON(a.out, &report.Verified{Cache: cache})
	case all:
		return writeLine(a.out, "No model to verify: there is no snapshot in %s.", cache)
	case t.Env != nil && len(t.Manifest.Models) > 0:
		return writeLine(a.out, "No model to verify: environment %s needs none. Name one, or give --all.", t.Env.Name)
	}
	return writeLine(a.out, "No model to verify: the manifest names none.")
}

// modelNames completes the models of the manifest.
func (a *app) modelNames(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var names []string
	if p, err := session.Load(a.config()); err == nil {
		for i := range p.Manifest.Models {
			names = append(names, p.Manifest.Models[i].Repo)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
