package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/locking"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/scaffold"
	"github.com/reconcile-ml/reconcile/internal/session"
)

// initFlags are the flags of init.
type initFlags struct {
	scaffold.Options
	yes  bool
	lock lockFlags
}

// An initDocument is the JSON output of init.
type initDocument struct {
	*scaffold.Result
	Locks    []*locking.Result `json:"locks"`
	Problems []*diag.Problem   `json:"problems,omitempty"` // of environments that could not be locked
}

func initCommand(a *app) *cobra.Command {
	var o initFlags
	cmd := &cobra.Command{
		Use:     "init [DIR]",
		Example: "  reconcile init\n  reconcile init my-project\n  reconcile init -y --no-lock",
		Short:   "start a project, or adopt an existing one",
		Long: long(`
In a folder with files of a project, writes manifest.yaml for it, and locks its packages. The
files that declare packages stay the source: requirements*.txt, pyproject.toml, setup.py,
environment.yml, and the locks of uv, Poetry and pixi. What could not be taken over is listed
with file and line. Nothing in the folder is executed, except that locking may need the build
backend of the project, of a git repository or of a package that exists only as source: it is
named, asked for, and run in a sandbox; `+"`-y`"+` answers yes. --no-lock writes the manifest
alone, without network.

In an empty or new folder, writes a complete project: manifest.yaml with an environment for
data on machines without a GPU and one for training on machines with one, the locks of both,
configs, templates, scripts, the set-up scripts setup_local.sh and setup_remote.sh, and
.gitignore. The project has the name of the folder. --bare writes the smallest manifest instead.

Never overwrites: if there is a manifest nothing is written; other existing files are not
changed, and are named. All files are written, or none. The home folder and / must be
named.`, changes, exit.Done, exit.Error, exit.Locked, exit.Interrupted),
		Args: argCount(0, 1, "one folder"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				o.Dir = args[0]
			}
			result, err := scaffold.Init(cmd.Context(), a.config(), o.Options)
			if code, _ := exit.CodeOf(err); code == exit.Interrupted {
				_ = writeLine(a.err, "Interrupted: nothing was written.")
			}
			if err != nil {
				return err
			}
			doc := &initDocument{Result: result, Locks: []*locking.Result{}}
			if !a.json {
				if err := a.printInit(result); err != nil {
					return err
				}
			}
			if result.Adopted != nil && len(result.Environments) > 0 && !o.NoLock {
				err = a.lockAdopted(cmd.Context(), doc, &o)
			}
			if a.json {
				code, left := exit.CodeOf(err)
				doc.Problems = diag.Problems(left)
				return cmp.Or(report.JSON(a.out, doc), exit.Quietly(code))
			}
			return cmp.Or(a.printNext(result, err == nil && len(doc.Locks) > 0), err)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.Bare, "bare", false, "only the smallest manifest")
	f.BoolVar(&o.NoLock, "no-lock", false, "do not lock: no network is used")
	f.BoolVarP(&o.yes, "yes", "y", false, "run the build backends that locking needs without asking")
	o.lock.registerTimeout(cmd)
	f.BoolVar(&o.Bare, "minimal", false, "as --bare")
	f.Bool("scan", false, "without effect: existing files are always read")
	for _, former := range []string{"minimal", "scan"} {
		_ = f.MarkHidden(former) // it fails only if the flag did not exist
	}
	return cmd
}

// lockAdopted locks the environments of an adopted project, one after the other.
func (a *app) lockAdopted(ctx context.Context, doc *initDocument, o *initFlags) error {
	c := a.config()
	c.Dir, c.Manifest, c.All = doc.Root, "", false
	if doc.Manifest != session.DefaultManifest {
		c.Manifest = filepath.Join(doc.Root, doc.Manifest)
	}
	if programs := doc.Programs(); len(programs) > 0 {
		if err := a.askToBuild(o, programs); err != nil {
			return err
		}
	}
	var problems diag.List
	for _, env := range doc.Environments {
		c.Environments = []string{env}
		err := a.lockEnvironment(ctx, c, env, doc, o)
		if _, ended := errors.AsType[*exit.Status](err); ended {
			return err
		}
		problems.AddErr(err)
	}
	return problems.Err()
}

// lockEnvironment locks one environment. If packages exist only as source, it tries another
// Python version, or adds them to build in the manifest if the user agrees, and locks again.
func (a *app) lockEnvironment(ctx context.Context, c *session.Config, env string, doc *initDocument, o *initFlags) error {
	for {
		p, err := session.Open(ctx, c, "")
		if err != nil {
			return err
		}
		locked, err := locking.All(ctx, p, a.lockingOptions(o.lock))
		if err == nil {
			doc.Locks = append(doc.Locks, locked.Locks...)
			return nil
		}
		change, adaptErr := doc.Adapt(ctx, c, env, err)
		switch {
		case adaptErr != nil:
			return adaptErr
		case change == nil:
			return err
		}
		if change.System != "" {
			_ = a.note("environment %s: for machines with %s or newer", env, change.System)
		}
		switch {
		case change.Python != "":
			_ = a.note("environment %s: Python %s, since %s has no wheels for %s", env, change.Python, strings.Join(change.Packages, ", "), change.Before)
		case len(change.Packages) > 0:
			if err := a.askToBuild(o, change.Packages); err != nil {
				return err
			}
		}
	}
}

// note prints a line of progress.
func (a *app) note(format string, args ...any) error {
	if a.json || a.quiet {
		return nil
	}
	return writeLine(a.err, format, args...)
}

// askToBuild asks whether the build backends of the named sources may run.
func (a *app) askToBuild(o *initFlags, names []string) error {
	if !a.json {
		fmt.Fprintf(a.err, "\nLocking runs the build backends of these sources, in a sandbox without network:\n  %s\n", strings.Join(names, "\n  "))
	}
	if o.yes {
		return nil
	}
	if !a.interactive() {
		return &diag.Problem{
			Code: "init.build", Summary: "nothing is locked: locking runs the build backends of " + strings.Join(names, ", "),
			Hint: "if you trust them: `reconcile lock`, or `reconcile init -y` at once",
		}
	}
	const left = "Nothing is locked; `reconcile lock` does it."
	answer, err := a.askOr("\nRun them? Only \"yes\" is accepted: ", left)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if answer != "yes" {
		fmt.Fprintln(a.err, "\n"+left)
		return exit.Quietly(exit.Error)
	}
	o.yes = true
	return nil
}

// printInit prints what init wrote.
func (a *app) printInit(r *scaffold.Result) error {
	var lines []string
	if len(r.Written) == 1 && r.Written[0] == r.Manifest {
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
	if r.Adopted != nil {
		lines = append(lines, r.Lines()...)
	}
	for _, note := range r.Notes {
		lines = append(lines, "Note: "+note+".")
	}
	return a.writeLines(lines)
}

// printNext prints what to do next.
func (a *app) printNext(r *scaffold.Result, locked bool) error {
	lines := []string{"", "Next:"}
	if r.Moved {
		lines = append(lines, "  "+report.Command([]string{"cd", r.Root}))
	}
	if len(r.Written) == 1 && !locked {
		lines = append(lines, "  reconcile lock    # the full, hashed closure of each environment")
	}
	lines = append(lines,
		"  reconcile plan    # show how this machine differs; changes nothing",
		"  reconcile apply   # make the changes")
	if l, err := a.config().Store(r.Root); err == nil {
		lines = append(lines, "apply keeps environments and records outside the project, in "+l.Path+".")
	}
	return a.writeLines(lines)
}

func (a *app) writeLines(lines []string) error {
	for _, line := range lines {
		if err := writeLine(a.out, "%s", line); err != nil {
			return err
		}
	}
	return nil
}
