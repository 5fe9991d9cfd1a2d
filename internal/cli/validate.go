package cli

import (
	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/session"
)

func validateCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "validate",
		Example: "  reconcile validate\n  reconcile validate --json",
		Short:   "check the manifest alone, without looking at this machine",
		Long: long(`
Reads the manifest, the templates and the locks it names, and reports every
problem with file, line and column. A lock that is damaged or made for other pins is
an error; one that is not there yet is a warning.`, readOnly, exit.Done, exit.Error),
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			p, err := session.Load(a.config())
			if err != nil {
				return err
			}
			return a.validated(p)
		},
	}
}

// validated reports the problems of the locks of a valid manifest.
func (a *app) validated(p *session.Checkout) error {
	var failures, warnings diag.List
	for _, problem := range p.Manifest.NotRead() {
		warnings.Add(problem)
	}
	for _, env := range p.Manifest.Environments {
		for _, problem := range diag.Problems(p.Manifest.CheckLock(env)) {
			if problem.Addr == "" {
				problem.Addr = env.Type + "." + env.Name
			}
			if problem.Code != "lock.missing" {
				failures.Add(problem)
				continue
			}
			problem.Severity = diag.Warn
			warnings.Add(problem)
		}
	}
	if a.json {
		failures.AddErr(warnings.Err())
		return a.validatedJSON(p, failures.Err())
	}
	if err := report.Problems(a.err, warnings.Err(), a.report(a.err)); err != nil {
		return err
	}
	if failures.Len() > 0 {
		return failures.Err()
	}
	return writeLine(a.out, "%s is valid", p.Name)
}

func (a *app) validatedJSON(p *session.Checkout, err error) error {
	problems := append([]*diag.Problem{}, diag.Problems(err)...)
	code := exit.Done
	for _, problem := range problems {
		if problem.Severity == diag.Fail {
			code = exit.Error
		}
	}
	err = report.JSON(a.out, map[string]any{
		"version": 1, "manifest": p.Name, "valid": code == exit.Done, "problems": problems,
	})
	if err != nil {
		return err
	}
	return exit.Quietly(code)
}
