package probes

import "github.com/reconcile-ml/reconcile/internal/diag"

// Codes explains the problem codes that this package reports.
func Codes() diag.Explanations {
	return diag.Explanations{
		"index.setting": {
			Means: "A setting of the package index of this machine is not a valid URL, folder or file.",
			Do:    "Correct the setting that the message names, or set RECONCILE_INDEX_URL, _CERT, _FIND_LINKS or _PROXY, which take precedence.",
		},
		"index.local": {
			Means: "The settings of this machine, .reconcile/local.yaml, cannot be read or are invalid.",
			Do:    "Correct the line that the message names.",
		},
		"index.pip": {
			Means: "The configuration of pip cannot be read, so the package index of this machine is not known.",
			Do:    "Make it readable, or set RECONCILE_INDEX_URL and PIP_CONFIG_FILE=/dev/null.",
		},
		"index.cert": {
			Means: "The CA file for downloads is missing or contains no certificate.",
			Do:    "Correct the setting that the message names.",
		},
	}
}
