package cli

import (
	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/editing"
	"github.com/reconcile-ml/reconcile/internal/exit"
)

func addCommand(a *app) *cobra.Command {
	var o editing.AddOptions
	var edit editFlags
	var dev bool
	var group string
	cmd := &cobra.Command{
		Use:     "add PACKAGE…",
		Example: "  reconcile add pandas\n  reconcile add 'numpy>=1.26,<2' --env local\n  reconcile add torch --index pytorch-cu128 --why \"CUDA 12.8\"",
		Short:   "add packages to the manifest, and lock them",
		Long: long(`
Adds packages to an environment of the manifest, in the style of those that it has, and
keeps its comments. The environment is that of --env, else the only one, else that of this
machine. A package is a name, or a requirement by PEP 508 in quotes. A package that the
manifest requests already gets the new version, and the index of --index.

Without a version the locked one is taken if another package needs it already, else the
newest that can be installed together with the others: as the lower bound, or as the exact
version if the environment is exact, or with --exact. Then the environment is locked, and
the totals of the plan that follows are printed. If the packages cannot be resolved, nothing
is changed. Nothing is installed: that is for apply.`, changes, exit.Done, exit.Error, exit.Locked, exit.Interrupted),
		Args: argCount(1, 0, "one package or more"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if dev || group != "" {
				return exit.Usage("a manifest has no groups of packages: name an environment with --env, or edit the groups of pyproject.toml and run `reconcile lock`")
			}
			return a.editManifest(cmd.Context(), edit, func(e *editing.Environment) (*editing.Draft, error) { return e.Add(args, o) })
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.Exact, "exact", false, "pin the exact version")
	f.StringVar(&o.Index, "index", "", "take the packages from index `NAME` of the manifest, and from no other")
	f.StringVar(&o.Why, "why", "", "write the reason `TEXT` beside the packages")
	f.BoolVar(&o.Build, "build", false, "also allow to build the packages from source")
	f.BoolVar(&dev, "dev", false, "")
	f.StringVar(&group, "group", "", "")
	for _, name := range []string{"dev", "group"} {
		f.Lookup(name).Hidden = true // of other tools
	}
	edit.register(cmd)
	return cmd
}
