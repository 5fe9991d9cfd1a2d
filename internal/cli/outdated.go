package cli

import (
	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/editing"
	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/session"
)

func outdatedCommand(a *app) *cobra.Command {
	var all, detailed bool
	cmd := &cobra.Command{
		Use:     "outdated",
		Example: "  reconcile outdated\n  reconcile outdated --env remote --json",
		Short:   "list requested packages with newer releases",
		Long: long(`
Lists the packages of an environment of which the package index has a newer release than the
locked one: the newest that the request allows, and the newest of all. A release counts if
it has wheels for the Python version and the platforms of the environment, and was not
withdrawn. Dependencies are not listed. The environment is that of --env, else the only one,
else that of this machine.

`+"`reconcile upgrade`"+` moves to them.`, readOnly, exit.Done, exit.Error, exit.Differs),
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := session.Open(cmd.Context(), a.config(), "")
			if err != nil {
				return err
			}
			env, err := editing.Open(p)
			if err != nil {
				return err
			}
			source, err := p.IndexSource()
			if err != nil {
				return err
			}
			rows, err := env.Outdated(cmd.Context(), source)
			if err != nil {
				return err
			}
			outdated := 0
			for i := range rows {
				if rows[i].IsOutdated() {
					outdated++
				}
			}
			if a.json {
				err = report.JSON(a.out, map[string]any{"version": 1, "environment": env.Name, "packages": rows})
			} else {
				err = a.showOutdated(env, rows, all, outdated)
			}
			if err == nil && detailed && outdated > 0 {
				return exit.Quietly(exit.Differs)
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "also list packages without a newer release")
	cmd.Flags().BoolVar(&detailed, "detailed-exitcode", false, "exit 2 if a package has a newer release")
	return cmd
}

// showOutdated prints the table of outdated packages.
func (a *app) showOutdated(env *editing.Environment, rows []editing.Row, all bool, outdated int) error {
	table := [][]string{{"PACKAGE", "LOCKED", "ALLOWED", "NEWEST", ""}}
	for i := range rows {
		r := &rows[i]
		if !all && !r.IsOutdated() && !r.Yanked && r.Locked != "" {
			continue
		}
		note := ""
		switch {
		case r.Locked == "":
			note = "not locked"
		case r.Yanked:
			note = "the locked release was withdrawn by its authors"
		}
		table = append(table, []string{r.Name, orDash(r.Locked), orDash(r.Allowed), orDash(r.Newest), note})
	}
	if len(table) > 1 {
		if err := report.Table(a.out, table, a.report(a.out)); err != nil {
			return err
		}
	}
	if outdated == 0 {
		return writeLine(a.out, "Environment %s: no requested package has a newer release.", env.Name)
	}
	return writeLine(a.out, "Environment %s: %d of %d requested packages have newer releases. To move to those that can be installed together: %s", env.Name, outdated, len(rows), a.again("upgrade", "--env", env.Name))
}

func orDash(version string) string {
	if version == "" {
		return "-"
	}
	return version
}
