package file

import "github.com/reconcile-ml/reconcile/internal/diag"

// codes explains the codes of problems that this kind reports.
func codes() diag.Explanations {
	return diag.Explanations{
		"file.too-large": {
			Means: "A file that differs has more than 64 MiB, and is not replaced without a look at it.",
			Do:    "Look at it and move it away, with the command of the hint.",
		},
		"undo.edited": {
			Means: "A file was changed since the last apply, so undo does not touch it, nor any other.",
			Do:    "Look at the file. Its earlier content is kept below `.reconcile`, under the name that the hint gives.",
		},
	}
}
