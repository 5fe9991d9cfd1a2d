package cli

import (
	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/editing"
	"github.com/reconcile-ml/reconcile/internal/exit"
)

func upgradeCommand(a *app) *cobra.Command {
	var edit editFlags
	cmd := &cobra.Command{
		Use:     "upgrade [PACKAGE…]",
		Example: "  reconcile upgrade\n  reconcile upgrade transformers peft",
		Short:   "move packages to their newest versions, in manifest and lock",
		Long: long(`
Moves packages of an environment, or all of them, to the newest versions that can be
installed together, and locks them. An exact version in the manifest is replaced, and never
by a lower one; a range stays as it is, and the lock moves within it. Packages that are not
named keep their versions. The environment is that of --env, else the only one, else that of
this machine. Nothing is installed: that is for apply.`, changes, exit.Done, exit.Error, exit.Locked, exit.Interrupted),
		ValidArgsFunction: a.packageNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.editManifest(cmd.Context(), edit, func(e *editing.Environment) (*editing.Draft, error) { return e.Upgrade(args) })
		},
	}
	edit.registerTimeout(cmd)
	return cmd
}
