package cli

import (
	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/editing"
	"github.com/reconcile-ml/reconcile/internal/exit"
)

func removeCommand(a *app) *cobra.Command {
	var edit editFlags
	cmd := &cobra.Command{
		Use:     "remove PACKAGE…",
		Example: "  reconcile remove pandas\n  reconcile remove scipy --env local",
		Short:   "remove packages from the manifest, and lock it",
		Long: long(`
Removes packages from an environment of the manifest, with their comments, and locks the
environment. The environment is that of --env, else the only one, else that of this machine.
A package that another one needs stays locked, and the output names both. An import of the
smoke test that would fail without the package is reported. Nothing is uninstalled: that is
for apply.`, changes, exit.Done, exit.Error, exit.Locked, exit.Interrupted),
		Args:              argCount(1, 0, "one package or more"),
		ValidArgsFunction: a.packageNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.editManifest(cmd.Context(), edit, func(e *editing.Environment) (*editing.Draft, error) { return e.Remove(args) })
		},
	}
	edit.register(cmd)
	return cmd
}
