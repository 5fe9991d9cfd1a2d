package model

import "github.com/reconcile-ml/reconcile/internal/diag"

// codes explains the codes of problems that this kind reports.
func codes() diag.Explanations {
	return diag.Explanations{
		"model.absent": {
			Means: "The Hugging Face cache of the project has no snapshot of the pinned revision. reconcile never downloads models.",
			Do:    "`reconcile models` prints the command, and what has to be done before it.",
		},
		"model.partial": {
			Means: "Files of the model lack. A download that was interrupted leaves that.",
			Do:    "Give the command of the download again: what is there is kept.",
		},
		"model.damaged": {
			Means: "Something in the cache is not what it must be: a file of another size than its own header says, a link to nothing or out of the cache, a content whose digest differs.",
			Do:    "Delete what the hint names and download the model again. huggingface_hub does not look at what is there already, so a wrong file has to go first. `reconcile models verify` finds all of them.",
		},
		"model.unknown": {
			Means: "Nobody could look whether the model is there: the folder cannot be read, or the facts were recorded without it.",
			Do:    "Make the folder readable, or record the facts of that machine anew with `reconcile facts`.",
		},
	}
}
