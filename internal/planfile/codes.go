package planfile

import "github.com/reconcile-ml/reconcile/internal/diag"

// Codes explains the codes of problems of saved plans.
func Codes() diag.Explanations {
	return diag.Explanations{
		"saved.damaged": {
			Means: "The file is no saved plan, or a byte of it is not as it was saved. Nothing was changed.",
			Do:    "Make a new one with `reconcile plan --out FILE`. Who wants another plan edits the manifest, not the file.",
		},
		"saved.newer": {
			Means: "A newer version of reconcile saved the plan. Nothing was changed.",
			Do:    "Use that version, or make a new plan with this one: `reconcile plan --out FILE`.",
		},
	}
}
