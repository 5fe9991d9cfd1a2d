package cli

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/scaffold"
)

func initCommand(a *app) *cobra.Command {
	var o scaffold.Options
	cmd := &cobra.Command{
		Use:     "init [DIR]",
		Example: "  reconcile init\n  reconcile init my-project\n  reconcile init --scan",
		Short:   "start a project: a manifest, locks, configs, scripts",
		Long: long(`
Starts a project in this folder, or in DIR, which is created if it does not exist:
manifest.yaml with an environment for data on machines without a GPU and one for training on
machines with one, the locks of both, configs, templates, scripts, the set-up scripts
setup_local.sh and setup_remote.sh, and .gitignore. The project has the name of the folder.
With these locks, `+"`reconcile apply`"+` is all that a machine needs.

With --scan it writes only a manifest of the folder's files: requirements*.txt,
pyproject.toml, environment.yml, installed environments, folders and their sizes, models in
Hugging Face caches. No program is started and nothing is downloaded. Packages without one
exact version become comments with their source.

Never overwrites: if there is a manifest nothing is written; other existing files are not
changed, and are named. All files are written, or none. The home folder and / must be
named.`, changes, exit.Done, exit.Error, exit.Interrupted),
		Args: argCount(0, 1, "one folder"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.Minimal && o.Scan {
				return exit.Usage("--minimal and --scan are two ways to write one manifest: give one of them")
			}
			if len(args) == 1 {
				o.Dir = args[0]
			}
			result, err := scaffold.Init(cmd.Context(), a.config(), o)
			if code, _ := exit.CodeOf(err); code == exit.Interrupted {
				_ = writeLine(a.err, "Interrupted: nothing was written.")
			}
			switch {
			case err != nil:
				return err
			case a.json:
				return report.JSON(a.out, result)
			}
			return a.printInit(result, o)
		},
	}
	cmd.Flags().BoolVar(&o.Minimal, "minimal", false, "only a small commented manifest")
	cmd.Flags().BoolVar(&o.Scan, "scan", false, "only a manifest, of the folder's files")
	return cmd
}

// printInit prints what init wrote, and what to do next.
func (a *app) printInit(r *scaffold.Result, o scaffold.Options) error {
	lines := []string{}
	if o.Minimal || o.Scan {
		name := r.Manifest
		if r.Moved {
			name = filepath.Join(r.Root, name)
		}
		lines = append(lines, "Wrote "+name+" of project "+r.Project+".")
	} else {
		lines = append(lines, fmt.Sprintf("Created project %s in %s:", r.Project, r.Root))
		for _, name := range r.Written {
			lines = append(lines, "  + "+name)
		}
		for _, name := range r.Kept {
			lines = append(lines, "  = "+name+" exists and is not changed")
		}
	}
	if r.Scanned != nil {
		lines = append(lines, r.Lines()...)
	}
	for _, note := range r.Notes {
		lines = append(lines, "Note: "+note+".")
	}
	lines = append(lines, "", "Next:")
	if r.Moved {
		lines = append(lines, "  "+report.Command([]string{"cd", r.Root}))
	}
	if o.Minimal || o.Scan {
		lines = append(lines, "  edit "+r.Manifest, "  reconcile lock    # the full, hashed closure of each environment")
	}
	lines = append(lines,
		"  reconcile plan    # show how this machine differs; changes nothing",
		"  reconcile apply   # make the changes")
	if l, err := a.config().Store(r.Root); err == nil {
		lines = append(lines, "apply keeps environments and records outside the project, in "+l.Path+".")
	}
	for _, line := range lines {
		if err := writeLine(a.out, "%s", line); err != nil {
			return err
		}
	}
	return nil
}
