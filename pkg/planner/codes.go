package planner

import "github.com/reconcile-ml/reconcile/internal/diag"

// Codes explains the codes of the problems that this package reports.
func Codes() diag.Explanations {
	return diag.Explanations{
		"plan.two-owners": {
			Means: "Two resources manage the same object of this machine, so each would undo the other.",
			Do:    "Remove one of the two from the manifest, or give one another path.",
		},
		"plan.unknown-dependency": {
			Means: "A resource depends on one that the manifest does not define for this machine.",
			Do:    "Correct the address, or remove it.",
		},
		"plan.cycle": {
			Means: "A resource depends on itself, through the others that the message names.",
			Do:    "Remove one dependency of that cycle.",
		},
		"plan.disk": {
			Means: "The plan as a whole needs more space than is free. Nothing was changed.",
			Do:    "Free the missing space. `reconcile gc` removes unused generations.",
		},
		"plan.waits": {
			Means: "A change depends on another that is blocked.",
			Do:    "Fix the blocked one first; the message names it.",
		},
		"plan.not-seen": {
			Means: "A part of this machine could not be read, because this user has no permission or a device failed. reconcile neither changes it nor assumes that it is absent.",
			Do:    "Make it readable, as the reason describes, and plan again.",
		},
		"select.nothing": {
			Means: "A pattern of --target, --exclude or --replace matches no resource of this machine. Nothing was changed.",
			Do:    "Correct it: a pattern is an address such as `directory.data_raw`, and * matches any characters. `reconcile status` lists the addresses.",
		},
		"select.check": {
			Means: "A pattern of --exclude matches checks only. Checks apply to the machine as a whole, so they are part of every plan.",
			Do:    "Give the check `severity: warn` in the manifest if it must not stop an apply.",
		},
		"select.replace": {
			Means: "A resource that --replace names cannot be replaced: it is a directory, whose content is yours, it is protected or excluded, or its kind has nothing to recreate.",
			Do:    "Use --replace with files, which are written again, and environments, which are built again as a new generation.",
		},
		"prune.not-seen": {
			Means: "A resource left the manifest, but could not be read, so it is kept.",
			Do:    "Make it readable, as the reason describes, and plan again.",
		},
		"prune.protected": {
			Means: "A resource left the manifest, but its last apply had `protect: true`, so it is kept.",
			Do:    "Put it back into the manifest, or end its protection: `reconcile state forget ADDRESS`.",
		},
		"prune.adopted": {
			Means: "A resource left the manifest, but existed before reconcile changed or adopted it, so it is kept.",
			Do:    "Nothing is required. Remove it yourself if you do not need it; `reconcile state forget ADDRESS` ends the warning.",
		},
		"prune.observed": {
			Means: "A resource left the manifest, but existed before reconcile, so it is kept.",
			Do:    "Nothing is required. Remove it yourself if you do not need it; `reconcile state forget ADDRESS` ends the warning.",
		},
	}
}
