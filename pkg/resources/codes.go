package resources

import "github.com/reconcile-ml/reconcile/internal/diag"

// Codes explains the codes of problems that several kinds report.
func Codes() diag.Explanations {
	return diag.Explanations{
		"path.in-the-way": {
			Means: "At the place of a file, directory or link stands something else. It is never replaced.",
			Do:    "Look at it and move it away, with the command of the hint, or change the path in the manifest.",
		},
		"path.parent": {
			Means: "On the way to a path stands a file or a link, where there should be plain directories. A link could lead out of the project.",
			Do:    "Make a directory of it. If data must lie elsewhere, say so in the manifest: `directories` of a host or environment.",
		},
		"prune.changed": {
			Means: "Something left the manifest that reconcile made, and it is no longer as it was left, so it stays: whoever changed it may want it.",
			Do:    "Nothing has to be done. Remove it yourself if it is not wanted; `reconcile state forget ADDRESS` stops the line.",
		},
		"prune.holds": {
			Means: "Something left the manifest that reconcile made, and by now it holds something else, so it stays.",
			Do:    "Move away what it holds, and the next apply removes it; or `reconcile state forget ADDRESS` stops the line.",
		},
		"prune.used": {
			Means: "Something left the manifest that a process of this machine still uses, so it stays.",
			Do:    "End the process, or leave the shell, and apply again.",
		},
		"moved.both": {
			Means: "An entry of `moved` would rename a thing to a place where something stands. Nothing is ever replaced by that.",
			Do:    "Keep one of the two and move the other away. Without the entry of `moved` nothing is renamed.",
		},
	}
}
