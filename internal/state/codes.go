package state

import "github.com/reconcile-ml/reconcile/internal/diag"

// Codes explains the codes of problems that this package reports.
func Codes() diag.Explanations {
	return diag.Explanations{
		"state.damaged": {
			Means: "The journal of earlier applies is damaged. Nothing was read from it and nothing was changed.",
			Do:    "Move it away, with the command of the hint. Only history is lost: the next plan reads the machine.",
		},
		"state.newer": {
			Means: "A newer reconcile wrote the journal of this machine. It was not changed.",
			Do:    "Use that version here, or a newer one. `reconcile version` prints the one in use.",
		},
		"state.lock-untrusted": {
			Means: "The file system of the project does not support locks, so a second run would not be noticed.",
			Do:    "Put the project on a local disk. Or make sure that no other reconcile runs in it, and pass `--no-lock`.",
		},
	}
}
