package state

import "github.com/reconcile-ml/reconcile/internal/diag"

// Codes explains the codes of problems that this package reports.
func Codes() diag.Explanations {
	return diag.Explanations{
		"state.damaged": {
			Means: "The journal of earlier applies is damaged. Nothing was read from it and nothing was changed.",
			Do:    "Move it away, with the command of the hint. What is lost is memory, never correctness: the next plan looks at the machine.",
		},
		"state.newer": {
			Means: "A newer reconcile wrote the journal of this machine. It was left as it is.",
			Do:    "Use that version here, or a newer one. `reconcile version` says which this is.",
		},
		"state.lock-untrusted": {
			Means: "The file system of the project does not keep locks, so that two runs at once could not be told apart.",
			Do:    "Put the project on a local disk. Or make sure that nobody else runs reconcile in it, and say so with `--no-lock`.",
		},
	}
}
