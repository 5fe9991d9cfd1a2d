package probes

import "github.com/reconcile-ml/reconcile/internal/diag"

// Codes explains the codes of problems that this package reports.
func Codes() diag.Explanations {
	return diag.Explanations{
		"index.setting": {
			Means: "A setting of the package index on this machine is no URL, no folder or no file.",
			Do:    "Correct it where the message says it stands, or set RECONCILE_INDEX_URL, _CERT, _FIND_LINKS or _PROXY, which go first.",
		},
		"index.local": {
			Means: "This machine's own settings, .reconcile/local.yaml, cannot be read or are not what they may be.",
			Do:    "Correct the place that the message names.",
		},
		"index.pip": {
			Means: "pip's configuration cannot be read, so that this machine's index is not known.",
			Do:    "Make it readable, or set RECONCILE_INDEX_URL and PIP_CONFIG_FILE=/dev/null.",
		},
		"index.cert": {
			Means: "The CA file for downloads is absent, or holds no certificate.",
			Do:    "Correct it where the message says it is set.",
		},
	}
}
