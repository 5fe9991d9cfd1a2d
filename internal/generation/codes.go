package generation

import "github.com/reconcile-ml/reconcile/internal/diag"

// Codes explains the codes of problems that environments of every type have.
func Codes() diag.Explanations {
	return diag.Explanations{
		"environment.foreign": {
			Means: "The path of the environment exists, and reconcile did not create it on this machine. It is never changed.",
			Do:    "Move it away, with the command of the hint, or change `path` in the manifest.",
		},
		"environment.prompt": {
			Means: "The prompt has characters that a shell would interpret when the environment is activated.",
			Do:    "Rename the project or the environment.",
		},
		"environment.root": {
			Means: "The path of the project has characters that a shell would interpret when the environment is activated, or a colon, which cannot be in PATH.",
			Do:    "Rename the folder to letters, digits, blanks and -._().",
		},
		"environment.libc": {
			Means: "The locked packages need another C library, or a newer one, or a newer macOS, than this machine has.",
			Do:    "Use a newer system, or one with glibc (Debian, Ubuntu, Fedora), or pin versions that need less.",
		},
		"environment.installer": {
			Means: "Neither uv nor pip is available to install packages, or not the one in the manifest.",
			Do:    "Install uv and put it on PATH, or write `installer: auto`. On Debian and Ubuntu pip comes with python3.10-venv; in a conda environment with `pip` in `conda_packages`.",
		},
		"prune.unknown": {
			Means: "An environment is no longer in the manifest, and its path is not in the state, so it was not removed.",
			Do:    "Remove it yourself; `reconcile state forget ADDRESS` stops the message.",
		},
	}
}
