package manifest

import "github.com/reconcile-ml/reconcile/internal/diag"

// Codes explains the codes of problems that this package reports.
func Codes() diag.Explanations {
	return diag.Explanations{
		"manifest.unreadable": {
			Means: "The manifest, or a template that it names, cannot be read: it is absent, not a regular file, or this user may not read it.",
			Do:    "Look at it with `ls -l`. Links may not lead out of the project.",
		},
		"manifest.too-large": {
			Means: "A manifest may have 64 MiB, a template 256 KiB.",
			Do:    "Check that it is the right file. Data does not belong into a manifest.",
		},
		"manifest.empty": {
			Means: "There is nothing in the manifest.",
			Do:    "`reconcile init` writes one to start from, where there is none.",
		},
		"manifest.encoding": {
			Means: "A manifest is UTF-8 without a byte order mark.",
			Do:    "Save it so; editors have a setting for it.",
		},
		"manifest.control-character": {
			Means: "Control characters, invisible characters and marks that change the order of text are not allowed, comments included: what a reviewer sees must be what the manifest says.",
			Do:    "Remove the character. Often it came with text that was copied from a web page.",
		},
		"manifest.syntax": {
			Means: "The text is not YAML. The place is where it stopped making sense; the cause may be a line above.",
			Do:    "Look at indentation, quotes, brackets and colons there. A text that begins with a mark, or holds a colon and a blank, needs quotes.",
		},
		"manifest.directive": {
			Means: "YAML directives (%YAML, %TAG) are not allowed.",
			Do:    "Remove the line.",
		},
		"manifest.documents": {
			Means: "A manifest is one YAML document.",
			Do:    "Remove the line --- or ... and what follows it, or put it into a file of its own.",
		},
		"manifest.anchor": {
			Means: "Anchors (&), aliases (*) and merge keys (<<) are not allowed: every value stands where it is used.",
			Do:    "Write the values out. Quote a text that begins with & or *.",
		},
		"manifest.tag": {
			Means: "YAML tags (!name, !!int) are not allowed: a value is what its key needs.",
			Do:    "Remove the tag. Quote a text that begins with an exclamation mark.",
		},
		"manifest.too-deep": {
			Means: "Values are nested more than 100 deep.",
			Do:    "No manifest needs more than 10 levels: look for brackets that are not closed.",
		},
		"manifest.too-many-values": {
			Means: "The text has so many values that it cannot be an honest manifest of its size.",
			Do:    "Check that it is the right file.",
		},
		"manifest.format-version": {
			Means: "The manifest is written for another version of the format. Version 1 is what this program reads.",
			Do:    "Write `version: 1`, or use a release of reconcile that reads that version.",
		},
		"manifest.missing-key": {
			Means: "A required key is not there.",
			Do:    "Add it. `reconcile schema` and docs/manifest.md say which keys an object needs.",
		},
		"manifest.unknown-key": {
			Means: "A key is not known at this place. Keys are never ignored: a misspelled one would change what is done.",
			Do:    "Correct its spelling or its indentation. The hint names the nearest key, or all that are known.",
		},
		"manifest.duplicate-key": {
			Means: "A key is given twice in one mapping.",
			Do:    "Remove one of the two.",
		},
		"manifest.duplicate-item": {
			Means: "A list holds the same thing twice.",
			Do:    "Remove one of the two.",
		},
		"manifest.no-value": {
			Means: "A key stands without a value.",
			Do:    "Give it one, or remove the key. Write {} or [] for none.",
		},
		"manifest.wrong-type": {
			Means: "A value is of another sort than the key needs: a list where a mapping belongs, text where a number belongs.",
			Do:    "Write it as the message says. docs/manifest.md has an example of every key.",
		},
		"manifest.text": {
			Means: "A text is empty, too long or has more than one line.",
			Do:    "Write one line of at most 1000 bytes, without tabs.",
		},
		"manifest.name": {
			Means: "A name holds characters that it may not hold. Names become words of commands, file names and constants, so each sort has its grammar. No two directories have one constant.",
			Do:    "Write it as the hint says.",
		},
		"manifest.version": {
			Means: "A version is not exact. Packages are pinned to one version by PEP 440, Python to a line such as 3.10, models to a commit.",
			Do:    "Write one version. Where there is a lock, the hint names the version that it has.",
		},
		"manifest.build": {
			Means: "A build of a package of conda is one word, as the channel names it.",
			Do:    "Copy it from the lock, or from the list of files on the channel's page.",
		},
		"manifest.size": {
			Means: "A size is a number with a unit: GB is 10^9 bytes, GiB is 2^30.",
			Do:    "Write it as 30GB or 1.5GiB, a range as 150MB-300MB.",
		},
		"manifest.value": {
			Means: "A value is not one of those that the key knows, or does not go together with another.",
			Do:    "Take one of those that the message names.",
		},
		"manifest.path": {
			Means: "A path is relative to the manifest and stays below it, written in its shortest form.",
			Do:    "Write it as the hint says. A place outside of the project must be allowed by `allow_paths` of a host.",
		},
		"manifest.two-owners": {
			Means: "Two things of the manifest have one path, also where case or the form of letters does not count, or one lies where nothing may lie below.",
			Do:    "Give each its own path.",
		},
		"manifest.reference": {
			Means: "A name does not stand in the section that it refers to.",
			Do:    "Correct its spelling, or add it there.",
		},
		"manifest.template": {
			Means: "A template cannot be rendered: it is absent, uses what it is not given, prints a value without an escape, or takes too long.",
			Do:    "Mend it at the place that the message names. Values are printed through an escape for the language of the file, such as `{{py .project}}`.",
		},
		"manifest.secret": {
			Means: "A name or password stands in the manifest, which is shared.",
			Do:    "Remove it, and change the password if the file was pushed. A machine's own credentials belong into .reconcile/local.yaml, .netrc or its environment.",
		},
		"manifest.more-problems": {
			Means: "There are more problems than are shown in one run.",
			Do:    "Mend those that are shown, and run the command again.",
		},
		"environment.unknown": {
			Means: "`--env` names an environment that the manifest does not have.",
			Do:    "Take one of those that the hint names.",
		},
		"environment.none": {
			Means: "No environment has a match that holds for this machine, and none is chosen by `--env` or by the host's section.",
			Do:    "The message says of each why not. Choose one by `--env NAME`, or for good by `hosts: {NAME: {env: …}}`. `reconcile doctor` shows what is known of the GPUs, which often decide.",
		},
		"environment.ambiguous": {
			Means: "The match of several environments holds for this machine.",
			Do:    "Make one of them narrower, or choose by `--env` or by the host's section.",
		},
	}
}
