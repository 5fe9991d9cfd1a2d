package planner

import "github.com/reconcile-ml/reconcile/internal/diag"

// Codes explains the codes of problems that this package reports.
func Codes() diag.Explanations {
	return diag.Explanations{
		"plan.two-owners": {
			Means: "Two resources manage the same thing of this machine, so that each would undo the other.",
			Do:    "Remove one of the two from the manifest, or give one another place.",
		},
		"plan.unknown-dependency": {
			Means: "A resource waits for one that the manifest does not have for this machine.",
			Do:    "Correct the address, or remove it.",
		},
		"plan.cycle": {
			Means: "A resource waits for itself, through the others that the message names.",
			Do:    "Remove one of the links of that circle.",
		},
		"plan.disk": {
			Means: "The plan as a whole takes more than is free, and would end on a full disk. Nothing was changed.",
			Do:    "Make room for what is missing. `reconcile gc` removes unused generations.",
		},
		"plan.waits": {
			Means: "A change waits for another that is blocked.",
			Do:    "Mend the one that it waits for; the message names it.",
		},
		"plan.not-seen": {
			Means: "Something of this machine could not be looked at: this user may not, or a device failed. What cannot be seen is neither changed nor taken for absent.",
			Do:    "Make it readable, as the reason says, and plan again.",
		},
		"select.nothing": {
			Means: "A pattern of --target, --exclude or --replace matches nothing that the manifest asks for on this machine. Nothing was done, since something else was meant.",
			Do:    "Correct it: a pattern is an address such as `directory.data_raw`, and * stands for any characters. `reconcile status` lists the addresses.",
		},
		"select.check": {
			Means: "A pattern of --exclude matches a check and nothing else. Checks hold for the machine, whatever is changed on it, so they are part of every plan.",
			Do:    "Give the check `severity: warn` in the manifest if it is not to stop an apply.",
		},
		"select.replace": {
			Means: "A resource that --replace names cannot be made anew: its content is yours, as that of a directory is, it is protected or left out, or there is nothing in it to make anew.",
			Do:    "--replace takes files, which are written again, and environments, which are built again as a new generation.",
		},
		"prune.not-seen": {
			Means: "Something that left the manifest could not be looked at, so it stays.",
			Do:    "Make it readable, as the reason says, and plan again.",
		},
		"prune.protected": {
			Means: "Something left the manifest that had `protect: true`, which is remembered, so it stays.",
			Do:    "Put the line back, or end its protection: `reconcile state forget ADDRESS`.",
		},
		"prune.adopted": {
			Means: "Something left the manifest that was there before reconcile changed it or took it over, so it stays.",
			Do:    "Nothing has to be done. Remove it yourself if it is not wanted; `reconcile state forget ADDRESS` stops the line.",
		},
		"prune.observed": {
			Means: "Something left the manifest that was there before reconcile, so it stays.",
			Do:    "Nothing has to be done. Remove it yourself if it is not wanted; `reconcile state forget ADDRESS` stops the line.",
		},
	}
}
