package resources

import "github.com/reconcile-ml/reconcile/internal/diag"

// Codes explains the codes of the problems that several kinds report.
func Codes() diag.Explanations {
	return diag.Explanations{
		"path.in-the-way": {
			Means: "The path of a file, directory or link exists and has another type. It is never replaced.",
			Do:    "Move it away, with the command of the hint, or change the path in the manifest.",
		},
		"path.parent": {
			Means: "A parent of a path is a file or a link, not a plain directory. A link could lead out of the project.",
			Do:    "Replace it with a directory. To keep data elsewhere, declare that in the manifest: `directories` of a host or environment.",
		},
		"prune.changed": {
			Means: "A resource left the manifest that reconcile created, but it changed since the last apply, so it is kept.",
			Do:    "Nothing is required. Remove it yourself if you do not need it; `reconcile state forget ADDRESS` ends the warning.",
		},
		"prune.holds": {
			Means: "A resource left the manifest that reconcile created, but it contains something else now, so it is kept.",
			Do:    "Move its content away, and the next apply removes it; or run `reconcile state forget ADDRESS` to end the warning.",
		},
		"prune.used": {
			Means: "A resource left the manifest, but a process of this machine uses it, so it is kept.",
			Do:    "End the process, or leave the shell, and apply again.",
		},
		"moved.both": {
			Means: "An entry of `moved` would rename a path to one that exists. A move never replaces anything.",
			Do:    "Move one of the two away, or remove the entry of `moved`.",
		},
	}
}
