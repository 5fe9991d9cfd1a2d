package lock

// codes explains the codes of problems that this package reports.
var codes = map[string]string{
	"lock.missing":     "The environment has no lock yet. `reconcile lock` finds the full closure of the pins, with hashes, and writes it; commit the file.",
	"lock.stale":       "The manifest asks for other pins, platforms or another line of Python than were locked. `reconcile lock` brings the lock up to date, and keeps the versions that still fit.",
	"lock.syntax":      "The lock is not TOML, or too large to be one. The place is where it stopped making sense.",
	"lock.unknown-key": "The lock has a key that neither PEP 751 nor reconcile knows.",
	"lock.version":     "The lock is of another format, or was not written by reconcile.",
	"lock.python":      "The lock must name one line of Python in requires-python.",
	"lock.platform":    "The lock is not for the platform of this machine, or names one that locks cannot be made for.",
	"lock.package":     "A package of the lock has no proper name or version.",
	"lock.duplicate":   "One platform would install a package twice.",
	"lock.marker":      "A marker of the lock does not name platforms of the lock. Markers are written by `reconcile lock` alone.",
	"lock.wheel":       "A wheel of the lock has a wrong file name or size: it must be of the package and version above it.",
	"lock.hash":        "A wheel of the lock has no proper SHA-256, so nothing could be held to it.",
	"lock.source":      "A package has no wheel for a platform, and would have to be built from source. Nothing is built: pin a version that has wheels.",
	"lock.pin":         "A pin of the manifest cannot be had: its name or version does not exist, or has no wheel for a platform.",
	"lock.conflict":    "Two pins, or what they need, exclude each other.",
	"lock.index":       "The package index did not answer. Name a mirror, CA or proxy in .reconcile/local.yaml where this machine needs one.",
}

// Explain returns what a code of this package means, "" for others.
func Explain(code string) string { return codes[code] }
