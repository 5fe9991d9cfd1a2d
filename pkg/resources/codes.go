package resources

import "github.com/reconcile-ml/reconcile/pkg/diag"

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
	}
}
