package manifest

// codes explains the codes of problems that this package reports.
var codes = map[string]string{
	"manifest.unreadable":        "The manifest, or a file it names, cannot be read: it is absent, not a regular file, or this user may not read it.",
	"manifest.too-large":         "A manifest may have 64 MiB, a template 256 KiB.",
	"manifest.empty":             "There is nothing in the manifest. `reconcile init` writes one to start from.",
	"manifest.encoding":          "A manifest is UTF-8 without a byte order mark.",
	"manifest.control-character": "Control characters, invisible characters and marks that change the order of text are not allowed, comments included: what a reviewer sees must be what the manifest says.",
	"manifest.syntax":            "The text is not YAML. The place is where it stopped making sense; the cause may be a line above.",
	"manifest.directive":         "YAML directives (%YAML, %TAG) are not allowed.",
	"manifest.documents":         "A manifest is one YAML document.",
	"manifest.anchor":            "Anchors (&), aliases (*) and merge keys (<<) are not allowed: every value stands where it is used.",
	"manifest.tag":               "YAML tags (!name, !!int) are not allowed: a value is what its key needs.",
	"manifest.too-deep":          "Values are nested more than 100 deep.",
	"manifest.too-many-values":   "The text has so many values that it cannot be an honest manifest of its size.",
	"manifest.format-version":    "The manifest is written for another version of the format. Version 1 is what this program reads.",
	"manifest.missing-key":       "A required key is not there.",
	"manifest.unknown-key":       "A key is not known at this place. Keys are never ignored: a misspelled one would change what is done.",
	"manifest.duplicate-key":     "A key is given twice in one mapping.",
	"manifest.duplicate-item":    "A list holds the same thing twice.",
	"manifest.no-value":          "A key stands without a value.",
	"manifest.wrong-type":        "A value is of another sort than the key needs: a list where a mapping belongs, text where a number belongs.",
	"manifest.text":              "A text is empty, too long or has more than one line.",
	"manifest.name":              "A name holds characters that it may not hold. Names become words of commands, file names and constants, so each sort has its grammar.",
	"manifest.version":           "A version is not exact. Packages are pinned to one version by PEP 440, Python to a line such as 3.10, models to a commit.",
	"manifest.build":             "A build of a package of conda is one word, as the channel names it.",
	"manifest.size":              "A size is a number with a unit: GB is 10^9 bytes, GiB is 2^30.",
	"manifest.value":             "A value is not one of those that the key knows.",
	"manifest.path":              "A path is relative to the manifest and stays below it, written in its shortest form. A place outside must be allowed by allow_paths of a host.",
	"manifest.two-owners":        "Two things of the manifest have one path, also where case or the form of letters does not count, or one lies where nothing may lie below.",
	"manifest.reference":         "A name does not stand in the section that it refers to.",
	"manifest.template":          "A template cannot be rendered: it is absent, uses what it is not given, prints a value without an escape, or takes too long.",
	"manifest.secret":            "A name or password stands in the manifest, which is shared.",
	"manifest.more-problems":     "There are more problems than are shown in one run.",
	"environment.unknown":        "--env names an environment that the manifest does not have.",
	"environment.none":           "No environment has a match that holds for this machine, and none is chosen by --env or by the host's section.",
	"environment.ambiguous":      "The match of several environments holds for this machine. Make one of them narrower, or choose by --env or by the host's section.",
	"lock.platform":              "The lock is not for the platform of this machine.",
}

// Explain returns what a code of this package means, "" for others.
func Explain(code string) string { return codes[code] }
