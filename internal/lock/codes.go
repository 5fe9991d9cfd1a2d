package lock

import "github.com/reconcile-ml/reconcile/internal/diag"

const rewrite = "Run `reconcile lock` to write it again, and commit it. If it was edited by hand, `git diff` shows the change."

// Codes explains the problem codes of this package.
func Codes() diag.Explanations {
	return diag.Explanations{
		"lock.missing":     {Means: "The environment has no lock yet.", Do: "Run `reconcile lock`: it resolves the pins and their dependencies, and writes them with hashes. Commit the file."},
		"lock.stale":       {Means: "The manifest has other pins, platforms, channels or another Python minor version than the lock.", Do: "Run `reconcile lock`: it updates the lock, and keeps the versions that still fit. Commit the file."},
		"lock.syntax":      {Means: "The lock is not valid TOML, or too large. The position is where the parser stopped. After a merge, look for lines that begin with <<<<<<<.", Do: rewrite},
		"lock.unknown-key": {Means: "The lock has a key that neither PEP 751 nor reconcile defines.", Do: rewrite},
		"lock.version":     {Means: "The lock has another format version, or was not written by reconcile.", Do: rewrite},
		"lock.python":      {Means: "requires-python of the lock must name one Python minor version.", Do: rewrite},
		"lock.platform":    {Means: "The lock is not for the platform of this machine, or names an unsupported platform.", Do: "Add the platform to `platforms` of the environment, then run `reconcile lock`."},
		"lock.package":     {Means: "A package of the lock has an invalid name or version.", Do: rewrite},
		"lock.duplicate":   {Means: "A package is locked twice for one platform.", Do: rewrite},
		"lock.marker":      {Means: "A marker of the lock does not name platforms of the lock. Only `reconcile lock` writes markers.", Do: rewrite},
		"lock.wheel":       {Means: "A wheel of the lock has the wrong file name or size: it must belong to the package and version above it.", Do: rewrite},
		"lock.hash":        {Means: "A wheel of the lock has no valid SHA-256, so it cannot be verified.", Do: rewrite},
		"lock.source":      {Means: "A package has no wheel for a platform, and would have to be built from source, which is not supported.", Do: "Pin a version that has wheels, or remove the platform from `platforms` of the environment or of the package."},
		"lock.pin":         {Means: "A pin of the manifest cannot be resolved: its name or version does not exist, or has no wheel for a platform.", Do: "Find the available versions on the package's page of the index, and correct the pin."},
		"lock.conflict":    {Means: "Two pins, or their dependencies, exclude each other.", Do: "The message shows the dependencies. Change one of the pins, or remove it so that `reconcile lock` chooses the version."},
		"lock.index":       {Means: "The package index did not answer.", Do: "`reconcile doctor` shows the request and its result. Set a mirror, CA file or proxy in .reconcile/local.yaml if this machine needs one."},
		"lock.channel":     {Means: "A conda channel could not be read.", Do: "Check its name and the network. Set a mirror of all channels as `conda_alias` in .reconcile/local.yaml, or as RECONCILE_CONDA_ALIAS."},
		"lock.conda":       {Means: "The conda packages cannot be solved or locked: the pins exclude each other, or a channel has a package without a digest.", Do: "The message contains the output of the solver. Pin another version in `conda_packages`."},
	}
}
