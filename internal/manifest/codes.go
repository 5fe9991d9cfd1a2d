package manifest

import "github.com/reconcile-ml/reconcile/internal/diag"

// Codes explains the problem codes of this package.
func Codes() diag.Explanations {
	return diag.Explanations{
		"manifest.unreadable":        {Means: "The manifest, or one of its templates, cannot be read: it is missing, not a regular file, or this user has no permission.", Do: "Check it with `ls -l`. Links must not lead out of the project."},
		"manifest.too-large":         {Means: "A manifest may have 64 MiB, a template 256 KiB.", Do: "Check that it is the right file. Data does not belong in a manifest."},
		"manifest.empty":             {Means: "The manifest is empty.", Do: "Remove the file, then run `reconcile init` to write a manifest to start from."},
		"manifest.encoding":          {Means: "A manifest must be UTF-8 without a byte order mark.", Do: "Save it as UTF-8; editors have a setting for it."},
		"manifest.control-character": {Means: "Control characters, invisible characters and characters that change the order of text are not allowed, also in comments, so that a reviewer sees the true content.", Do: "Remove the character. It often comes from text copied from a web page."},
		"manifest.syntax":            {Means: "The text is not valid YAML. The position is where the parser stopped; the cause may be a line above.", Do: "Check indentation, quotes, brackets and colons there. Quote a text that begins with a punctuation mark or contains a colon and a space."},
		"manifest.directive":         {Means: "YAML directives (%YAML, %TAG) are not allowed.", Do: "Remove the line."},
		"manifest.documents":         {Means: "A manifest is one YAML document.", Do: "Remove the line --- or ... and everything after it, or move that to another file."},
		"manifest.anchor":            {Means: "Anchors (&), aliases (*) and merge keys (<<) are not allowed.", Do: "Write the values where they are used. Quote a text that begins with & or *."},
		"manifest.tag":               {Means: "YAML tags (!name, !!int) are not allowed: each key has its own type.", Do: "Remove the tag. Quote a text that begins with an exclamation mark."},
		"manifest.too-deep":          {Means: "Values are nested more than 100 deep.", Do: "Check for brackets that are not closed. No manifest needs more than 10 levels."},
		"manifest.too-many-values":   {Means: "The text has more values than any manifest of its size needs.", Do: "Check that it is the right file."},
		"manifest.format-version":    {Means: "The manifest has another format version than 1, the version that this program reads.", Do: "Write `version: 1`, or use a release of reconcile that reads that version."},
		"manifest.missing-key":       {Means: "A required key is missing.", Do: "Add it. `reconcile schema` and docs/manifest.md list the required keys."},
		"manifest.unknown-key":       {Means: "A key is unknown at this position. Unknown keys are errors because a misspelled key would have no effect.", Do: "Correct its spelling or its indentation. The hint names the nearest key, or all known keys."},
		"manifest.duplicate-key":     {Means: "A key is given twice in one mapping, or together with its previous name.", Do: "Remove one of the two."},
		"manifest.duplicate-item":    {Means: "A list contains the same item twice.", Do: "Remove one of the two."},
		"manifest.no-value":          {Means: "A key has no value.", Do: "Give it a value, or remove the key. Write {} or [] for none."},
		"manifest.wrong-type":        {Means: "A value has the wrong type: for example a list instead of a mapping, or text instead of a number.", Do: "Write it as the message shows. docs/manifest.md has an example of every key."},
		"manifest.text":              {Means: "A text is empty, too long or has more than one line.", Do: "Write one line of at most 1000 bytes, without tabs."},
		"manifest.name":              {Means: "A name contains a character that is not allowed. Names are used in commands, file names and constants, so each kind of name has its own rule. Two directories must not have the same constant.", Do: "Write it as the hint shows."},
		"manifest.version":           {Means: "A version is not exact. Packages are pinned to one version by PEP 440, Python to a minor version such as 3.10, and models to a commit.", Do: "Write one version. If there is a lock, the hint names the locked version."},
		"manifest.build":             {Means: "The build of a conda package must be one word, as the channel lists it.", Do: "Copy it from the lock, or from the list of files on the channel's page."},
		"manifest.size":              {Means: "A size is a number with a unit: GB is 10^9 bytes, GiB is 2^30.", Do: "Write it as 30GB or 1.5GiB, a range as 150MB-300MB."},
		"manifest.value":             {Means: "A value is not one of the allowed ones, or conflicts with another.", Do: "Use one of the values in the message."},
		"manifest.path":              {Means: "A path must be relative to the manifest, below it, and in its shortest form.", Do: "Write it as the hint shows. A path outside the project must be allowed by `allow_paths` of a host."},
		"manifest.two-owners":        {Means: "Two parts of the manifest use the same path, possibly in another spelling that a file system treats as equal, or one is below a file or an environment.", Do: "Give each its own path."},
		"manifest.reference":         {Means: "A name is missing from the section that it refers to.", Do: "Correct its spelling, or add it there."},
		"manifest.template":          {Means: "A template cannot be rendered: it is missing, uses an unknown value, prints a value without an escape, or takes too long.", Do: "Fix it at the position in the message. Print values through an escape for the language of the file, such as `{{py .project}}`."},
		"manifest.secret":            {Means: "The manifest contains a user name or password, and it is shared.", Do: "Remove it, and change the password if the file was pushed. Credentials of a machine belong in .reconcile/local.yaml, .netrc or its environment."},
		"manifest.more-problems":     {Means: "There are more problems than one run shows.", Do: "Fix those that are shown, and run the command again."},
		"environment.unknown":        {Means: "`--env` names an environment that is not in the manifest.", Do: "Use one of the names in the hint."},
		"environment.none":           {Means: "The match of no environment holds for this machine, and none is chosen by `--env` or by the host's section.", Do: "The message gives the reason for each. Choose one with `--env NAME`, or permanently with `hosts: {NAME: {env: …}}`. `reconcile doctor` shows the GPUs, which are often the reason."},
		"environment.ambiguous":      {Means: "The match of several environments holds for this machine.", Do: "Make one of them narrower, or choose with `--env` or the host's section."},
	}
}
