package generation

import "github.com/reconcile-ml/reconcile/internal/diag"

// Codes explains the codes of problems that environments of every type have.
func Codes() diag.Explanations {
	return diag.Explanations{
		"environment.foreign": {
			Means: "Something stands at the visible place of the environment that reconcile did not make on this machine. It is never touched.",
			Do:    "Move it away, with the command of the hint, or change `path` in the manifest.",
		},
		"environment.prompt": {
			Means: "The prompt has characters that a shell would act on when the environment is activated.",
			Do:    "Rename the project or the environment.",
		},
		"environment.root": {
			Means: "The folder of the project has characters that a shell would act on when the environment is activated, or a colon, which PATH cannot hold.",
			Do:    "Rename the folder to letters, digits, blanks and -._().",
		},
		"environment.libc": {
			Means: "The locked packages need another C library, or a newer one, or a newer macOS, than this machine has.",
			Do:    "Use a newer system, or one with glibc (Debian, Ubuntu, Fedora), or pin versions that need less.",
		},
		"environment.installer": {
			Means: "There is neither uv nor pip to install packages with, or not the one that the manifest asks for.",
			Do:    "Install uv and put it on PATH, or write `installer: auto`. On Debian and Ubuntu pip comes with python3.10-venv; in an environment of conda with `pip` in `conda_packages`.",
		},
		"prune.unknown": {
			Means: "An environment left the manifest, and it is not remembered where it can be seen, so it stays.",
			Do:    "Remove it yourself; `reconcile state forget ADDRESS` stops the line.",
		},
	}
}
