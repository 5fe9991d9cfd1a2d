package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/internal/plural"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/session"
)

// initFlags are what init can be told.
type initFlags struct {
	minimal bool
	scan    bool
}

func (a *app) initCommand() *cobra.Command {
	var o initFlags
	cmd := &cobra.Command{
		Use:     "init [DIR]",
		Example: "  reconcile init\n  reconcile init my-project\n  reconcile init --scan",
		Short:   "start a project: a manifest, locks, configs, scripts",
		Long: long(`
Starts a project in this folder, or in DIR, which is made where it is missing: manifest.yaml
with an environment for data on machines without a GPU and one for training on those with
one, the locks of both, configs, templates, scripts, the set-up scripts setup_local.sh and
setup_remote.sh, and .gitignore. The project has the name of the folder. With the locks
there, `+"`reconcile apply`"+` is all that a machine needs.

With --scan it writes a manifest of what this folder says already, and nothing else:
requirements*.txt, pyproject.toml, environment.yml, installed environments, folders and
their sizes, models in Hugging Face caches, this machine's GPU. No program is started and
nothing is downloaded. What is not sure, such as a range of versions, becomes a comment
that says where it is from.

Never overwrites: where there is a manifest nothing is written; any other file that is there
stays and is named. All files are written, or none. A folder that the shell stands in by
accident, the home folder or /, has to be named.`, changes, exit.Done, exit.Error, exit.Interrupted),
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return exit.Usage("%s takes one folder, and got %s; `%s --help` tells more", cmd.CommandPath(), plural.Count(len(args), "word"), cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.minimal && o.scan {
				return exit.Usage("--minimal and --scan are two ways to write one manifest: give one of them")
			}
			return a.init(cmd.Context(), args, o)
		},
	}
	cmd.Flags().BoolVar(&o.minimal, "minimal", false, "only a small commented manifest")
	cmd.Flags().BoolVar(&o.scan, "scan", false, "only a manifest, written from what is in the folder and on this machine")
	return cmd
}

// initDocument is what init did, for programs.
type initDocument struct {
	Version  int      `json:"version"` // of this format
	Project  string   `json:"project"`
	Root     string   `json:"root"`     // absolute
	Manifest string   `json:"manifest"` // relative to root, as all that follows
	Written  []string `json:"written"`
	Same     []string `json:"same"` // were there with this very content
	Kept     []string `json:"kept"` // were there with another content, and stay
	Notes    []string `json:"notes"`

	*scanDocument
}

// init writes a project, or its manifest alone.
func (a *app) init(ctx context.Context, args []string, o initFlags) error {
	place, err := a.initPlace(args)
	if err != nil {
		return err
	}
	defer place.root.Close()
	ctx, _, stop := session.Interruptible(ctx, func() {})
	defer stop()
	doc := &initDocument{Version: 1, Root: place.dir, Manifest: place.manifest, Written: []string{}, Same: []string{}, Kept: []string{}, Notes: place.notes()}
	var files []newFile
	switch {
	case o.minimal:
		doc.Project = manifest.Slug(place.name())
		files = []newFile{{name: place.manifest, content: []byte(manifest.Starter(place.name()))}}
	case o.scan:
		files, err = a.scanned(ctx, place, doc)
	default:
		files, err = projectFiles(place, doc)
	}
	if err == nil {
		err = place.write(ctx, files, doc)
	}
	switch {
	case ctx.Err() != nil && err != nil:
		_ = writeLine(a.err, "Interrupted: nothing was written.")
		return exit.Quietly(exit.Interrupted)
	case err != nil:
		return err
	case a.json:
		return report.JSON(a.out, doc)
	}
	return a.initDone(place, doc, o)
}

// initDone says what init wrote, and what comes next.
func (a *app) initDone(place *initPlace, doc *initDocument, o initFlags) error {
	lines := []string{}
	if o.minimal || o.scan {
		lines = append(lines, "Wrote "+place.shown(doc.Manifest)+" of project "+doc.Project+".")
	} else {
		lines = append(lines, fmt.Sprintf("Project %s begins in %s:", doc.Project, doc.Root))
		for _, name := range doc.Written {
			lines = append(lines, "  + "+name)
		}
		for _, name := range doc.Kept {
			lines = append(lines, "  = "+name+" was there and stays as it is")
		}
	}
	if doc.scanDocument != nil {
		lines = append(lines, doc.lines()...)
	}
	for _, note := range doc.Notes {
		lines = append(lines, "Note: "+note+".")
	}
	lines = append(lines, "", "Next:")
	if place.moved {
		lines = append(lines, "  "+report.Command([]string{"cd", place.dir}))
	}
	next := []string{"reconcile plan    # what this machine lacks; changes nothing", "reconcile apply   # make it so"}
	if o.minimal || o.scan {
		next = append([]string{"edit " + doc.Manifest, "reconcile lock    # the full, hashed closure of each environment"}, next...)
	}
	for _, line := range next {
		lines = append(lines, "  "+line)
	}
	lines = append(lines, "What apply keeps here lies in .reconcile, which makes itself invisible to git.")
	for _, line := range lines {
		if err := writeLine(a.out, "%s", line); err != nil {
			return err
		}
	}
	return nil
}

// notWritten says that nothing was written, and why.
func notWritten(dir string, err error) error {
	if _, ok := errors.AsType[*diag.Problem](err); ok {
		return err
	}
	return &diag.Problem{
		Code: "init.write", Summary: "nothing could be written in " + dir + "; it is as it was", Found: strings.TrimSpace(err.Error()),
		Hint: "look at its owner and mode (ls -ld), and at the room on its disk (df -h)",
	}
}
