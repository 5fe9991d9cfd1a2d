package cli

import (
	"context"
	"fmt"
	"io"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/session"
)

// pathFormats are the formats of paths, for help and completion.
var pathFormats = []string{"table", "sh", "json", "py"}

func pathsCommand(a *app) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "paths",
		Short: "print where the project's directories lie, for sh, JSON, Python",
		Long: long(`
Prints the path constants of the manifest's directories (DATA_RAW, MODELS_DIR, ...) and
PROJECT_ROOT: a table on a terminal, else lines for a shell. They are the same on every
machine; one that keeps a directory elsewhere has a link at the common path, and the
table and JSON show its target. No variable of the shell changes them.

  table  for people
  sh     export DATA_RAW='...' for sh, bash, zsh and fish, quoted
  json   one document, also with --json
  py     scripts/paths.py as the manifest has it written`, readOnly, exit.Done, exit.Error),
		Example: "  eval \"$(reconcile paths)\"\n  reconcile paths --format sh | source    # fish",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o := a.report(a.out)
			chosen, err := a.pathFormat(format, o.Terminal)
			if err != nil {
				return err
			}
			if chosen == "py" {
				p, err := session.Load(a.config())
				if err != nil {
					return err
				}
				return printModule(a.out, p)
			}
			p, err := a.paths(cmd.Context())
			if err != nil {
				return err
			}
			switch chosen {
			case "sh":
				return a.exportPaths(p, o)
			case "json":
				if !utf8.ValidString(p.Root) {
					return &diag.Problem{Code: "paths.encoding", Summary: fmt.Sprintf("the folder of the project, %q, is no UTF-8, which JSON cannot hold", p.Root), Hint: "rename it, or use --format sh"}
				}
				return report.PathsJSON(a.out, p)
			}
			return report.PathsTable(a.out, p, o)
		},
	}
	cmd.Flags().StringVar(&format, "format", "", "`FORMAT` of the output: "+strings.Join(pathFormats, ", "))
	// It fails only if the flag did not exist.
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(pathFormats, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// pathFormat is the format that was asked for, or the one that fits where it goes.
func (a *app) pathFormat(format string, terminal bool) (string, error) {
	switch format {
	case "":
		if a.json {
			return "json", nil
		}
		if terminal {
			return "table", nil
		}
		return "sh", nil
	case "table", "sh", "json", "py":
		if a.json && format != "json" {
			return "", exit.Usage("--json and --format %s contradict each other", format)
		}
		return format, nil
	}
	return "", exit.Usage("there is no format %q; the formats are: %s", format, strings.Join(pathFormats, ", "))
}

// paths returns where the directories of the project are on this machine.
func (a *app) paths(ctx context.Context) (report.Paths, error) {
	t, err := a.target(ctx, "")
	if err != nil {
		return report.Paths{}, err
	}
	list := report.Paths{Project: t.Manifest.Project, Root: t.Root, Directories: []report.DirectoryPath{}}
	if t.Env != nil {
		list.Environment = t.Env.Name
	}
	host := t.Manifest.Host(t.Selection.Host)
	for i := range t.Manifest.Directories {
		d := &t.Manifest.Directories[i]
		found := report.DirectoryPath{Name: d.Name, Constant: d.Constant(), Path: d.Path, Absolute: t.Path(d.Path), Purpose: d.Purpose}
		if place := t.Manifest.PlaceOf(d.Name, host, t.Env); place != nil {
			found.Place = t.Path(place.Path)
		}
		list.Directories = append(list.Directories, found)
	}
	return list, nil
}

// exportPaths prints the assignments of a shell, unless a name would make the shell or
// a program do something.
func (a *app) exportPaths(p report.Paths, o report.Options) error {
	for _, d := range p.Directories {
		if named := (manifest.Directory{Name: d.Name}); !named.Exports() {
			return &diag.Problem{
				Code: "paths.name", Addr: "directory." + d.Name, Summary: fmt.Sprintf("%s cannot be exported: shells or programs act on variables that are called so", d.Constant),
				Hint: "rename the directory in manifest.yaml, or use --format json",
			}
		}
	}
	return report.PathsShell(a.out, manifest.ProjectRoot, p, o)
}

// pathModule is the name of the file of constants for Python.
const pathModule = "paths.py"

// printModule prints the file of constants for Python as the manifest has it rendered.
func printModule(w io.Writer, p *session.Checkout) error {
	for i := range p.Manifest.Files {
		if f := &p.Manifest.Files[i]; path.Base(f.Path) == pathModule {
			_, err := io.WriteString(w, f.Content)
			return err
		}
	}
	return &diag.Problem{
		Code: "paths.module", Summary: p.Name + " has no file " + pathModule,
		Hint: "add it to files: {path: scripts/paths.py, template: paths.py.tmpl}",
	}
}
