package disk

import "github.com/reconcile-ml/reconcile/internal/diag"

// codes explains the codes of problems that this kind reports.
func codes() diag.Explanations {
	return diag.Explanations{
		"disk.too-small": {
			Means: "There is less free than `fail_below` of the manifest asks for. Nothing was changed.",
			Do:    "Make room: `reconcile gc` removes unused generations, and the hint names a command that shows what is large. Or change the limit in the manifest.",
		},
		"disk.low": {
			Means: "There is less free than `warn_below` of the manifest. That is a warning; everything goes on.",
			Do:    "Make room before a large download: `reconcile gc` removes unused generations.",
		},
		"disk.read-only": {
			Means: "The file system is mounted read-only, so that nothing can be written there.",
			Do:    "Mount it for writing. After an error of the disk Linux remounts a file system so: look at `dmesg` first.",
		},
	}
}
