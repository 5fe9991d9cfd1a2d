package conda

import "github.com/reconcile-ml/reconcile/internal/diag"

// codes explains the codes of problems that this kind reports.
func codes() diag.Explanations {
	return diag.Explanations{
		"conda.no-python": {
			Means: "The lock of the environment has no part for conda, or one without Python.",
			Do:    "Run `reconcile lock` and commit the file.",
		},
		"conda.long-path": {
			Means: "Packages of conda hold the path of their environment in programs, and leave 255 bytes for it.",
			Do:    "Move the project to a folder with a shorter path.",
		},
		"conda.engine": {
			Means: "There is neither a client of conda nor a Python that could run the embedded one, or not the one that `engine` names.",
			Do:    "Write `engine: auto`, or install micromamba, or a Python from 3.9 on.",
		},
	}
}
