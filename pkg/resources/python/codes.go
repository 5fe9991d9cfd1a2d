package python

import "github.com/reconcile-ml/reconcile/internal/diag"

// codes explains the codes of problems that this kind reports.
func codes() diag.Explanations {
	return diag.Explanations{
		"python.none": {
			Means: "There is no usable interpreter of the line on this machine, and no pinned build for its platform. The problem lists where it was looked for, and why those that were found are refused.",
			Do:    "Install that line of Python and put it on PATH, or pin a build in `interpreters`, or change `python` in the manifest and run `reconcile lock`.",
		},
	}
}
