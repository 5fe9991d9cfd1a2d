package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/packages"
	"github.com/reconcile-ml/reconcile/internal/report"
)

func whyCommand(a *app) *cobra.Command {
	var platform string
	cmd := &cobra.Command{
		Use:     "why PACKAGE",
		Example: "  reconcile why numpy\n  reconcile why nvidia-cublas-cu12 --env remote --platform linux-x86_64",
		Short:   "print why a package is locked",
		Long: long(`
Prints the chains of packages that lead from the requests of an environment to a locked
package: the shortest one of each request, with the file and line of the request and the
reason that the manifest gives. The package is a Python or a conda package. The environment is
that of --env, else the only one, else that of this machine.`, readOnly, exit.Done, exit.Error),
		Args:              argCount(1, 1, "the name of one package"),
		ValidArgsFunction: a.lockedNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := a.lockedPackages(cmd.Context())
			if err != nil {
				return err
			}
			if platform != "" {
				if platform, err = e.Platform(platform); err != nil {
					return err
				}
			}
			r, err := e.Why(args[0], platform)
			if err != nil {
				return err
			}
			if a.json {
				return report.JSON(a.out, packages.NewReasonDocument(e, platform, r))
			}
			return a.showReason(e, r)
		},
	}
	a.platformFlag(cmd, &platform)
	return cmd
}

// showReason prints why a package is locked.
func (a *app) showReason(e *packages.Environment, r *packages.Reason) error {
	head := packageText(r.Package) + " is locked in environment " + e.Name
	if r.Platforms != nil {
		head += ", for " + strings.Join(r.Platforms, ", ")
	}
	lines := []string{head}
	if len(r.Builds) > 0 {
		lines = append(lines, "  to build "+strings.Join(r.Builds, ", "))
	}
	for _, c := range r.Chains {
		var names []string
		for _, p := range c {
			names = append(names, p.Name+" "+p.Version)
		}
		lines = append(lines, "  "+strings.Join(names, " > "))
		if len(c[0].Requested) == 0 {
			lines = append(lines, "    no request leads to "+c[0].Name)
		}
		for _, request := range c[0].Requested {
			line := "    requested: " + request.Text
			if request.Pos.IsValid() {
				line += ", " + request.Pos.String()
			}
			lines = append(lines, line)
			if request.Why != "" {
				lines = append(lines, "    why: "+request.Why)
			}
		}
	}
	for _, line := range lines {
		if err := writeLine(a.out, "%s", line); err != nil {
			return err
		}
	}
	return nil
}
