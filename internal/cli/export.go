package cli

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/packages"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/session"
)

func exportCommand(a *app) *cobra.Command {
	var o packages.ExportOptions
	var file string
	var force bool
	cmd := &cobra.Command{
		Use:     "export",
		Example: "  reconcile export > requirements-locked.txt\n  reconcile export --format pylock -o pylock.toml\n  reconcile export --format cyclonedx --env remote -o sbom.json",
		Short:   "print the lock for another tool",
		Long: long(`
Prints the lock of an environment in the format of another tool, for all its platforms or for
that of --platform:

  requirements  requirements file with hashes, for pip --require-hashes and uv
  pylock        pylock.toml (PEP 751) with the URLs of the files, for pip and uv
  uv            pyproject.toml of which uv lock makes the same versions
  environment   environment.yml for conda, mamba and micromamba
  cyclonedx     software bill of materials, CycloneDX 1.6 JSON

Only pylock uses the network: it asks the package index of this machine for the URLs. User
names, passwords and queries of URLs are left out. What a format cannot express is printed
to standard error. With -o, a file that no export wrote is not replaced without --force.`, writesFiles, exit.Done, exit.Error),
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !slices.Contains(packages.Formats(), o.Format) {
				return exit.Usage("there is no format %q; the formats are: %s", o.Format, strings.Join(packages.Formats(), ", "))
			}
			if o.NoHashes && o.Format != "requirements" {
				return exit.Usage("--no-hashes is for --format requirements")
			}
			p, err := session.Open(cmd.Context(), a.config(), "")
			if err != nil {
				return err
			}
			e, err := packages.Open(p)
			if err != nil {
				return err
			}
			if o.Platform != "" {
				if o.Platform, err = e.Platform(o.Platform); err != nil {
					return err
				}
			}
			destination := ""
			if file != "" {
				if destination, err = packages.CheckDestination(a.config(), file, force); err != nil {
					return err
				}
				o.Dir = filepath.Dir(destination)
			}
			x, err := e.Export(cmd.Context(), p.IndexSource, o)
			if err != nil {
				return err
			}
			return a.showExport(e, x, o, file, destination)
		},
	}
	f := cmd.Flags()
	formatFlag(cmd, &o.Format, packages.Formats()...)
	f.StringVarP(&file, "output", "o", "", "write `FILE` instead of standard output")
	f.BoolVar(&force, "force", false, "replace a file that no export wrote")
	f.BoolVar(&o.NoHashes, "no-hashes", false, "leave the hashes out of the requirements")
	a.platformFlag(cmd, &o.Platform)
	return cmd
}

// showExport writes or prints an export, and its notes.
func (a *app) showExport(e *packages.Environment, x *packages.Export, o packages.ExportOptions, file, destination string) error {
	if destination != "" {
		if err := x.Write(destination, file); err != nil {
			return err
		}
	}
	if a.json {
		return report.JSON(a.out, packages.NewExportDocument(e, x, o, file))
	}
	if destination == "" {
		if _, err := a.out.Write(x.Content); err != nil {
			return err
		}
	}
	if a.quiet {
		return nil
	}
	for _, note := range x.Notes {
		if err := writeLine(a.err, "Note: %s.", note); err != nil {
			return err
		}
	}
	if destination != "" {
		return writeLine(a.err, "Wrote %s: environment %s as %s.", file, e.Name, o.Format)
	}
	return nil
}
