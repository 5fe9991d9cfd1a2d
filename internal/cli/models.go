package cli

import (
	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/models"
	"github.com/reconcile-ml/reconcile/internal/report"
)

func modelsCommand(a *app) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "models",
		Short: "show which models are needed and present, and how to download the rest",
		Long: long(`
Shows for each model that this machine's environment needs how much of it is present and
where, how much remains to be downloaded, and the steps in order: licence and token if it is
gated, and the download command for the huggingface-hub of that environment. Downloads
nothing and uses no network. Tokens are never read, only whether one exists is shown.`, readOnly, exit.Done, exit.Error),
		Example: "  reconcile models\n  reconcile models verify",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := a.target(cmd.Context(), "")
			if err != nil {
				return err
			}
			list := models.List(cmd.Context(), t, all)
			switch {
			case a.json:
				return report.ModelsJSON(a.out, list)
			case len(list.Items) > 0:
				return report.PrintModels(a.out, list, a.report(a.out))
			case len(t.Manifest.Models) == 0 || t.Env == nil:
				return writeLine(a.out, "%s declares no model.", t.Name)
			}
			return writeLine(a.out, "Environment %s needs no model. `reconcile models --all` shows those of other environments.", t.Env.Name)
		},
	}
	cmd.AddCommand(modelsVerifyCommand(a))
	cmd.Flags().BoolVar(&all, "all", false, "every model of the manifest, with the environments that need it")
	return cmd
}
