package cli

import (
	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/manifest"
)

func schemaCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "schema",
		Example: "  reconcile schema > manifest.schema.json",
		Short:   "print the JSON Schema of the manifest, for editors",
		Long: long(`
Prints the JSON Schema (draft 07) of manifest.yaml. Editors complete and check keys
with it and show what they mean. It needs no manifest and looks at no machine.

Write it beside the manifest, again after an upgrade of reconcile, and name it in the
first line of the manifest:

  # yaml-language-server: $schema=manifest.schema.json`, readOnly, exit.Done),
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := a.out.Write(manifest.Schema())
			return err
		},
	}
}
