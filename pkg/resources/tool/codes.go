package tool

import "github.com/reconcile-ml/reconcile/internal/diag"

// codes explains the codes of problems that this kind reports.
func codes() diag.Explanations {
	return diag.Explanations{
		"tool.none": {
			Means: "The helper program is not on this machine, and no wheel of it is pinned for this platform.",
			Do:    "Install it and put it on PATH.",
		},
		"tool.pip": {
			Means: "The interpreter has no pip to install the helper program with. Debian and Ubuntu keep it in a package of its own.",
			Do:    "Install python3-pip or python3-venv, or put the helper itself on PATH.",
		},
	}
}
