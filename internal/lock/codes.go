package lock

import "github.com/reconcile-ml/reconcile/internal/diag"

// rewrite is what mends most of a lock.
const rewrite = "Run `reconcile lock`, which writes it anew, and commit it. If someone changed it by hand, `git diff` shows what."

// Codes explains the codes of problems that this package reports.
func Codes() diag.Explanations {
	return diag.Explanations{
		"lock.missing": {
			Means: "The environment has no lock yet.",
			Do:    "Run `reconcile lock`: it finds the full closure of the pins, with hashes, and writes it. Commit the file.",
		},
		"lock.stale": {
			Means: "The manifest asks for other pins, platforms, channels or another line of Python than were locked.",
			Do:    "Run `reconcile lock`: it brings the lock up to date, and keeps the versions that still fit. Commit the file.",
		},
		"lock.syntax":      {Means: "The lock is not TOML, or too large to be one. The place is where it stopped making sense. After a merge, look for lines that begin with <<<<<<<.", Do: rewrite},
		"lock.unknown-key": {Means: "The lock has a key that neither PEP 751 nor reconcile knows.", Do: rewrite},
		"lock.version":     {Means: "The lock is of another format, or was not written by reconcile.", Do: rewrite},
		"lock.python":      {Means: "The lock must name one line of Python in requires-python.", Do: rewrite},
		"lock.platform": {
			Means: "The lock is not for the platform of this machine, or names one that locks cannot be made for.",
			Do:    "Add the platform to `platforms` of the environment, then run `reconcile lock`.",
		},
		"lock.package":   {Means: "A package of the lock has no proper name or version.", Do: rewrite},
		"lock.duplicate": {Means: "One platform would install a package twice.", Do: rewrite},
		"lock.marker":    {Means: "A marker of the lock does not name platforms of the lock. Markers are written by `reconcile lock` alone.", Do: rewrite},
		"lock.wheel":     {Means: "A wheel of the lock has a wrong file name or size: it must be of the package and version above it.", Do: rewrite},
		"lock.hash":      {Means: "A wheel of the lock has no proper SHA-256, so nothing could be held to it.", Do: rewrite},
		"lock.source": {
			Means: "A package has no wheel for a platform, and would have to be built from source. Nothing is built.",
			Do:    "Pin a version that has wheels, or leave the platform out: `platforms` of the environment, or of the package alone.",
		},
		"lock.pin": {
			Means: "A pin of the manifest cannot be had: its name or version does not exist, or has no wheel for a platform.",
			Do:    "Look at the package's page on the index for the versions that there are, and correct the pin.",
		},
		"lock.conflict": {
			Means: "Two pins, or what they need, exclude each other.",
			Do:    "Read which need what in the message, and change one of the pins. Removing a pin lets `reconcile lock` choose.",
		},
		"lock.index": {
			Means: "The package index did not answer.",
			Do:    "`reconcile doctor` says what was asked and what came back. Name a mirror, CA file or proxy in .reconcile/local.yaml where this machine needs one.",
		},
		"lock.channel": {
			Means: "A channel of conda could not be read.",
			Do:    "Check its name and the network. A mirror of all channels goes into .reconcile/local.yaml as `conda_alias`, or into RECONCILE_CONDA_ALIAS.",
		},
		"lock.conda": {
			Means: "The part of conda cannot be solved or locked: the pins exclude each other, or a channel offers what has no digest.",
			Do:    "Read the solver's words in the message, and pin another version in `conda_packages`.",
		},
	}
}
