package explain

import (
	"maps"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/apply"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/generation"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/internal/planfile"
	"github.com/reconcile-ml/reconcile/internal/rsync"
	"github.com/reconcile-ml/reconcile/internal/state"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/probes"
	"github.com/reconcile-ml/reconcile/pkg/resources"
	"github.com/reconcile-ml/reconcile/pkg/resources/all"
)

// Codes explains every code that this program prints.
func Codes() diag.Explanations {
	explained := diag.Explanations{}
	for _, of := range PackageCodes() {
		maps.Copy(explained, of)
	}
	return explained
}

// PackageCodes returns the explanations of each package.
func PackageCodes() []diag.Explanations {
	list := []diag.Explanations{
		ownCodes(), manifest.Codes(), lock.Codes(), probes.Codes(), planner.Codes(), planfile.Codes(), apply.Codes(), state.Codes(), resources.Codes(), generation.Codes(), rsync.Codes(),
	}
	for _, kind := range all.Kinds() {
		if kind.Codes != nil {
			list = append(list, kind.Codes())
		}
	}
	return list
}

// An Area is the subject of the codes with a prefix.
type Area struct{ Name, Title string }

// areas lists the areas in the order in which codes are listed; others come last.
func areas() []Area {
	return []Area{
		{"", "The command"},
		{"init", "Init"},
		{"folder", "The folder"},
		{"project", "The project's own folder"},
		{"manifest", "The manifest"},
		{"lock", "Locks"},
		{"index", "The package index"},
		{"environment", "Environments"},
		{"python", "Python"},
		{"conda", "Conda"},
		{"tool", "Helper programs"},
		{"cuda", "CUDA"},
		{"gpu", "GPUs"},
		{"compat", "Packages and driver"},
		{"disk", "Disk"},
		{"model", "Models"},
		{"models", "Verification of models"},
		{"path", "Paths"},
		{"paths", "Path constants"},
		{"file", "Files"},
		{"plan", "Plan"},
		{"select", "Selection"},
		{"conflict", "Conflicts"},
		{"saved", "Saved plans"},
		{"apply", "Apply"},
		{"prune", "What left the manifest"},
		{"moved", "Moves"},
		{"adopt", "Adopt"},
		{"undo", "Undo"},
		{"state", "State"},
		{"rollback", "Rollback"},
		{"run", "Run"},
		{"runs", "Earlier runs"},
		{"facts", "Recorded facts"},
		{"sync", "Sync"},
		{"graph", "The graph"},
	}
}

// AreaOf returns the part of a code before its first dot, "" for a code without one.
func AreaOf(code string) string {
	name, _, ok := strings.Cut(code, ".")
	if !ok {
		return ""
	}
	return name
}

// AreaTitle returns the title of an area, which is its name if it has no other.
func AreaTitle(name string) string {
	for _, a := range areas() {
		if a.Name == name {
			return a.Title
		}
	}
	return strings.ToUpper(name[:1]) + name[1:]
}

// ByArea returns all areas that have codes, and the codes of each, sorted.
func ByArea(explained diag.Explanations) (list []Area, sorted map[string][]string) {
	sorted = map[string][]string{}
	for _, code := range slices.Sorted(maps.Keys(explained)) {
		sorted[AreaOf(code)] = append(sorted[AreaOf(code)], code)
	}
	known := areas()
	for _, name := range slices.Sorted(maps.Keys(sorted)) {
		if !slices.ContainsFunc(known, func(a Area) bool { return a.Name == name }) {
			known = append(known, Area{name, AreaTitle(name)})
		}
	}
	return slices.DeleteFunc(known, func(a Area) bool { return sorted[a.Name] == nil }), sorted
}

// ownCodes explains what the command itself reports.
func ownCodes() diag.Explanations {
	return diag.Explanations{
		"usage": {
			Means: "The words of the command line are not what the command takes.",
			Do:    "`reconcile COMMAND --help` lists its flags and words.",
		},
		"locked": {
			Means: "Another run is changing this machine. Nothing was changed by this one.",
			Do:    "Wait for it; the message says who holds the lock since when. `--lock-timeout 10m` waits by itself. The lock of a run that died is free.",
		},
		"internal": {
			Means: "The system refused something, in words that have no explanation of their own, or the program broke a promise of its own.",
			Do:    "Read the words of the system in the message. If they make no sense, report a bug.",
		},
		"model.unnamed": {
			Means: "The command line names a model that the manifest does not have.",
			Do:    "Name one of those that it has, as OWNER/NAME; `reconcile models verify --all` verifies whatever is in the cache.",
		},
		"models.interrupted": {
			Means: "A verification of models was interrupted. What it hashed is remembered.",
			Do:    "Give the command again: it goes on with the files that were not hashed yet.",
		},
		"models.unreadable": {
			Means: "The folder of the models cannot be looked at by this user.",
			Do:    "Look at its owner with `ls -ld`, and make it readable.",
		},
		"init.exists": {
			Means: "There is a manifest already. It is never overwritten.",
			Do:    "`reconcile plan` shows what it asks for here. Begin elsewhere with `reconcile init DIR`.",
		},
		"init.home": {
			Means: "This is the home folder or the top of the file system, where a shell stands by accident. Nothing was written.",
			Do:    "`reconcile init NAME` makes a folder for the project; `reconcile init .` means this one.",
		},
		"init.in-the-way": {
			Means: "A file or a link stands where the project needs a folder. Nothing was written.",
			Do:    "Move it away, or write the manifest alone with `--minimal`.",
		},
		"init.changed": {
			Means: "Something came into the folder while it was being filled, such as another init. What was begun here is gone again.",
			Do:    "Run it again; it leaves what is there by then.",
		},
		"init.write": {
			Means: "The folder or its disk refused to be written. It is as it was.",
			Do:    "Make room, or take a folder that you may write to.",
		},
		"init.nothing": {
			Means: "`--scan` was pointed at a folder that is not there.",
			Do:    "Correct the path; a scan reads what is there already.",
		},
		"conflict.changed": {
			Means: "A file or link was changed on this machine since reconcile wrote it, or was adopted as it stands, and an apply would overwrite it. `--on-conflict=fail` asked to stop for that. Nothing was changed.",
			Do:    "Put the change into the manifest or its template, or apply with `--on-conflict=overwrite` (the content is kept), `adopt` or `skip`.",
		},
		"state.unknown": {
			Means: "The command line names a resource that is not managed on this machine.",
			Do:    "`reconcile state list` lists what is.",
		},
		"adopt.unknown": {
			Means: "The manifest does not ask for the resource that is to be adopted on this machine.",
			Do:    "`reconcile status` lists what it asks for.",
		},
		"adopt.check": {
			Means: "A check manages nothing, so there is nothing to adopt.",
			Do:    "Adopt a directory, file, link or environment.",
		},
		"adopt.absent": {
			Means: "Nothing stands at the place of the resource that is to be adopted.",
			Do:    "`reconcile apply` makes it.",
		},
		"undo.none": {
			Means: "No apply is recorded on this machine, so that there is nothing to undo.",
			Do:    "`reconcile plan` shows how this machine differs from the manifest.",
		},
		"undo.record": {
			Means: "The record of the last apply cannot be read.",
			Do:    "The contents of replaced files are in `.reconcile`, below `kept`, named by their sha256.",
		},
		"undo.lost": {
			Means: "The earlier content of a file is no longer kept, or was changed.",
			Do:    "Set the manifest back, and run `reconcile apply`.",
		},
		"saved.stale": {
			Means: "Something that the saved plan was made from has changed, so that it would do something else than it showed. Nothing was changed.",
			Do:    "The message names what it was and what it is. Look at a new plan: `reconcile plan --out FILE`.",
		},
		"saved.used": {
			Means: "The saved plan was applied before, be it to its end or not. Nothing was changed.",
			Do:    "`reconcile plan --out FILE` shows what is left to do.",
		},
		"saved.elsewhere": {
			Means: "The plan was saved on another machine, by another user, or for another project or manifest. Nothing was changed.",
			Do:    "Apply it where it was made, or make one here: `reconcile plan --out FILE`.",
		},
		"saved.unreadable": {
			Means: "The file of the saved plan is not there, cannot be read, or is no file.",
			Do:    "Correct the name, or save a plan: `reconcile plan --out FILE`.",
		},
		"saved.exists": {
			Means: "--out names something that is no saved plan. It was left as it is.",
			Do:    "Name another file. An earlier plan and an empty file may be replaced.",
		},
		"saved.write": {
			Means: "The plan could not be written to the file that --out names.",
			Do:    "Name a folder that exists and that you may write to.",
		},
		"folder.absent": {
			Means: "-C names a folder that does not exist, or is none.",
			Do:    "Correct the path; make the folder first if it is to be a new project.",
		},
		"folder.unreadable": {
			Means: "The folder that the command works in cannot be looked at by this user, or was removed.",
			Do:    "`cd` to the folder again, and look at its owner with `ls -ld`.",
		},
		"manifest.absent": {
			Means: "There is no manifest.yaml here or in a folder above, or not the file that -m names.",
			Do:    "Go to the project, name it with `-C DIR`, or start one with `reconcile init`.",
		},
		"paths.name": {
			Means: "The constant of a directory has a name that shells or programs act on, such as BASH_ENV or LD_PRELOAD, so it is not exported.",
			Do:    "Rename the directory in the manifest, or take the path from `reconcile paths --format json`.",
		},
		"paths.encoding": {
			Means: "The folder of the project has a name that is no UTF-8, which JSON cannot hold.",
			Do:    "Rename the folder, or use `reconcile paths --format sh`, which takes any bytes.",
		},
		"paths.module": {
			Means: "The manifest writes no paths.py, so there is none to print.",
			Do:    "Add it under `files`: `{path: scripts/paths.py, template: paths.py.tmpl}`.",
		},
		"project.foreign": {
			Means: "What should be reconcile's own folder in the project is a link, or something else that it did not make. Nothing is written through it.",
			Do:    "Remove it, if it came with a copy of the project, with the command of the hint.",
		},
		"project.other-user": {
			Means: "What reconcile keeps in .reconcile belongs to another user.",
			Do:    "Run reconcile as that user: one checkout is for one user.",
		},
		"lock.none": {
			Means: "No environment of the manifest names a lock.",
			Do:    "Give it one: `lock: locks/pylock.NAME.toml`.",
		},
		"environment.absent": {
			Means: "The environment is not built on this machine.",
			Do:    "`reconcile apply` builds it.",
		},
		"environment.damaged": {
			Means: "The environment has lost its Python: files of the generation were removed.",
			Do:    "`reconcile heal` builds a sound generation from what is whole, and says what was damaged.",
		},
		"runs.none": {
			Means: "No run of this machine is recorded yet: `reconcile apply` records a run that changes something.",
			Do:    "Nothing, or `reconcile apply`.",
		},
		"runs.unknown": {
			Means: "The word is no run, nor the beginning of one.",
			Do:    "`reconcile runs` lists them.",
		},
		"runs.ambiguous": {
			Means: "The names of several runs begin with the word.",
			Do:    "Write more of the name.",
		},
		"runs.damaged": {
			Means: "The record of that run cannot be read: it was cut off or changed, or a later version wrote it.",
			Do:    "Nothing but this listing uses it: remove the file, if it is in the way.",
		},
		"runs.unreadable": {
			Means: "The folder with the records of earlier runs cannot be listed.",
			Do:    "Make it readable for this user.",
		},
		"facts.unreadable": {
			Means: "The file that --facts names cannot be read, or does not hold recorded facts.",
			Do:    "Record them with `reconcile facts > FILE` on that machine.",
		},
		"rollback.unknown": {
			Means: "The word names no generation that could become visible.",
			Do:    "`reconcile generations` lists them.",
		},
		"rollback.ambiguous": {
			Means: "The names of several generations begin with the word.",
			Do:    "Write more of the name.",
		},
		"rollback.none": {
			Means: "The environment has no earlier generation on this machine.",
			Do:    "Set the manifest back, and run `reconcile apply`.",
		},
		"rollback.entry": {
			Means: "What shows the environment, such as .venv, is not whole.",
			Do:    "`reconcile apply` mends it; then roll back.",
		},
		"rollback.damaged": {
			Means: "The generation has lost or changed files, so it stays out of sight.",
			Do:    "Name another one, or set the manifest back and run `reconcile apply`.",
		},
		"sync.entry": {
			Means: "The manifest has no entry with that name in sync.",
			Do:    "`reconcile sync` lists the entries.",
		},
		"sync.direction": {
			Means: "The entry has the other direction. Each entry has one, so that an old copy never overwrites newer files.",
			Do:    "Use the command of the hint; for both directions add two entries.",
		},
		"sync.leads-out": {
			Means: "The folder or file is outside the project through a link, at a path that the manifest does not allow. Nothing is transferred.",
			Do:    "Remove the link, or add the path to the manifest: directories of the host, with allow_paths.",
		},
		"sync.no-ssh": {
			Means: "ssh or scp is not in the PATH of this machine.",
			Do:    "Install the client of OpenSSH: `apt-get install openssh-client`.",
		},
		"sync.interrupted": {
			Means: "The transfer was interrupted. No file is incomplete under its own name.",
			Do:    "Run the same command again to continue.",
		},
		"run.not-found": {
			Means: "There is no such program in the environment or on PATH. The exit code is 127, as that of a shell.",
			Do:    "If a package brings it, add the package to manifest.yaml, then `reconcile lock` and `reconcile apply`.",
		},
		"run.not-executable": {
			Means: "The program is there and cannot be executed. The exit code is 126, as that of a shell.",
			Do:    "Look at its mode and its first line: `ls -l`, `head -1`.",
		},
	}
}
