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
		{"project", "The folder .reconcile"},
		{"manifest", "The manifest"},
		{"lock", "Locks"},
		{"index", "The package index"},
		{"environment", "Environments"},
		{"python", "Python"},
		{"conda", "Conda"},
		{"tool", "Tools"},
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

// ownCodes explains the codes of the command line and of the features.
func ownCodes() diag.Explanations {
	return diag.Explanations{
		"usage":               {Means: "The command does not take these arguments or flags.", Do: "`reconcile COMMAND --help` lists its arguments and flags."},
		"locked":              {Means: "Another run is changing this machine. This one changed nothing.", Do: "Wait for it: the message names the holder of the lock and its start time. `--lock-timeout 10m` waits for you. The lock of a dead process is free."},
		"internal":            {Means: "The system reported an error that has no explanation here, or the program has a bug.", Do: "Read the error of the system in the message. If it makes no sense, report a bug."},
		"model.unnamed":       {Means: "The manifest does not have the model of the command line.", Do: "Give a model of the manifest as OWNER/NAME. `reconcile models verify --all` verifies every model in the cache."},
		"models.interrupted":  {Means: "The verification was interrupted. Its results so far are stored.", Do: "Run the command again: it continues with the other files."},
		"models.unreadable":   {Means: "This user cannot read the folder of the models.", Do: "Check its owner with `ls -ld`, and make it readable."},
		"init.exists":         {Means: "A manifest exists already. It is never overwritten.", Do: "`reconcile plan` shows what it changes here. `reconcile init DIR` starts a project in another folder."},
		"init.home":           {Means: "This is the home folder or `/`, where a shell often is by accident. Nothing was written.", Do: "`reconcile init NAME` creates a folder for the project; `reconcile init .` uses this one."},
		"init.in-the-way":     {Means: "A file or link has the path of a folder of the project. Nothing was written.", Do: "Move it away, or write only a manifest with `--minimal`."},
		"init.changed":        {Means: "Another process, such as a second init, wrote into the folder at the same time. Files of this run were removed.", Do: "Run it again; it keeps existing files."},
		"init.write":          {Means: "The folder cannot be written. Nothing was changed.", Do: "Free some space, or use a folder that you can write to."},
		"init.nothing":        {Means: "The folder of `--scan` does not exist.", Do: "Correct the path: a scan reads an existing folder."},
		"conflict.changed":    {Means: "An apply would overwrite a file or link that was changed on this machine, or adopted with other content. `--on-conflict=fail` stopped it, and nothing was changed.", Do: "Copy the change into the manifest or its template, or apply with `--on-conflict=overwrite` (the old content is kept), `adopt` or `skip`."},
		"state.unknown":       {Means: "The resource is not managed on this machine.", Do: "`reconcile state list` lists managed resources."},
		"adopt.unknown":       {Means: "The manifest does not ask for this resource on this machine.", Do: "`reconcile status` lists the resources of the manifest."},
		"adopt.check":         {Means: "A check manages nothing, so it cannot be adopted.", Do: "Adopt a directory, file, link or environment."},
		"adopt.absent":        {Means: "The resource does not exist on this machine.", Do: "`reconcile apply` creates it."},
		"undo.none":           {Means: "No apply is recorded on this machine, so there is nothing to undo.", Do: "`reconcile plan` shows how this machine differs from the manifest."},
		"undo.record":         {Means: "The record of the last apply cannot be read.", Do: "The contents of replaced files are in `.reconcile`, in folders named `kept`, by their sha256."},
		"undo.lost":           {Means: "The earlier content of a file is no longer kept, or was changed.", Do: "Restore the manifest, and run `reconcile apply`."},
		"saved.stale":         {Means: "A fact or file that the saved plan was made from has changed, so it would now do something else. Nothing was changed.", Do: "The message shows the old and the new fact. Save a new plan: `reconcile plan --out FILE`."},
		"saved.used":          {Means: "The saved plan was applied before, completely or not. Nothing was changed.", Do: "`reconcile plan --out FILE` shows and saves what is left to do."},
		"saved.elsewhere":     {Means: "The plan was saved on another machine, by another user, or for another project or manifest. Nothing was changed.", Do: "Apply it there, or save a plan here: `reconcile plan --out FILE`."},
		"saved.unreadable":    {Means: "The file of the saved plan does not exist, cannot be read, or is not a regular file.", Do: "Correct the name, or save a plan: `reconcile plan --out FILE`."},
		"saved.exists":        {Means: "The file of `--out` exists and is not a saved plan. It was not changed.", Do: "Use another name. Only an earlier plan or an empty file is replaced."},
		"saved.write":         {Means: "The plan could not be written to the file of `--out`.", Do: "Use an existing folder that you can write to."},
		"folder.absent":       {Means: "The folder of `-C` does not exist, or is not a folder.", Do: "Correct the path, or create the folder for a new project."},
		"folder.unreadable":   {Means: "This user cannot read the working folder, or it was removed.", Do: "`cd` to the folder again, and check its owner with `ls -ld`."},
		"manifest.absent":     {Means: "There is no manifest.yaml in this folder or a folder above, or the file of `-m` does not exist.", Do: "Go to the project, use `-C DIR`, or start a project with `reconcile init`."},
		"paths.name":          {Means: "Shells or programs act on the name of this constant, such as BASH_ENV or LD_PRELOAD, so it is not exported.", Do: "Rename the directory in the manifest, or read the path from `reconcile paths --format json`."},
		"paths.encoding":      {Means: "The path of the project is not UTF-8, which JSON requires.", Do: "Rename the folder, or use `reconcile paths --format sh`, which accepts any bytes."},
		"paths.module":        {Means: "The manifest has no paths.py, so it cannot be printed.", Do: "Add it under `files`: `{path: scripts/paths.py, template: paths.py.tmpl}`."},
		"project.foreign":     {Means: "`.reconcile` is a link, or was not created by reconcile. Nothing is written to it.", Do: "If it came with a copy of the project, remove it with the command of the hint."},
		"project.other-user":  {Means: "`.reconcile` belongs to another user.", Do: "Run reconcile as that user: a checkout is for one user."},
		"lock.none":           {Means: "No environment of the manifest has a lock.", Do: "Add one: `lock: locks/pylock.NAME.toml`."},
		"environment.absent":  {Means: "The environment is not built on this machine.", Do: "`reconcile apply` builds it."},
		"environment.damaged": {Means: "The Python of the environment is missing, because files of the generation were removed.", Do: "`reconcile heal` builds an intact generation, and prints the damage."},
		"runs.none":           {Means: "No run is recorded on this machine. `reconcile apply` records a run that changes something.", Do: "No action is needed."},
		"runs.unknown":        {Means: "No recorded run has this name, or a name that begins with it.", Do: "`reconcile runs` lists them."},
		"runs.ambiguous":      {Means: "Several runs have names that begin with this.", Do: "Give more characters of the name."},
		"runs.damaged":        {Means: "The record of the run cannot be read: it is incomplete, was changed, or was written by a later version.", Do: "Only `reconcile runs` uses it: remove the file if you like."},
		"runs.unreadable":     {Means: "The folder of the run records cannot be listed.", Do: "Make it readable for this user."},
		"facts.unreadable":    {Means: "The file of `--facts` cannot be read, or has no recorded facts.", Do: "Record them on that machine with `reconcile facts > FILE`."},
		"rollback.unknown":    {Means: "No generation that can be activated has this name.", Do: "`reconcile generations` lists them."},
		"rollback.ambiguous":  {Means: "Several generations have names that begin with this.", Do: "Give more characters of the name."},
		"rollback.none":       {Means: "The environment has no earlier generation on this machine.", Do: "Restore the manifest, and run `reconcile apply`."},
		"rollback.entry":      {Means: "The path of the environment, such as .venv, is incomplete.", Do: "`reconcile apply` repairs it; then roll back."},
		"rollback.damaged":    {Means: "Files of the generation are missing or changed, so it is not activated.", Do: "Choose another one, or restore the manifest and run `reconcile apply`."},
		"sync.entry":          {Means: "The manifest has no entry with that name in sync.", Do: "`reconcile sync` lists the entries."},
		"sync.direction":      {Means: "The entry has the other direction. Each entry has one, so that an old copy never overwrites newer files.", Do: "Use the command of the hint; for both directions add two entries."},
		"sync.leads-out":      {Means: "The folder or file is outside the project through a link, at a path that the manifest does not allow. Nothing is transferred.", Do: "Remove the link, or add the path to the manifest: directories of the host, with allow_paths."},
		"sync.no-ssh":         {Means: "ssh or scp is not in the PATH of this machine.", Do: "Install the client of OpenSSH: `apt-get install openssh-client`."},
		"sync.interrupted":    {Means: "The transfer was interrupted. No file is incomplete under its own name.", Do: "Run the same command again to continue."},
		"run.not-found":       {Means: "The environment and PATH have no such program. The exit code is 127, as in a shell.", Do: "If it is part of a package, add the package to manifest.yaml, then run `reconcile lock` and `reconcile apply`."},
		"run.not-executable":  {Means: "The program exists and cannot be executed. The exit code is 126, as in a shell.", Do: "Check its mode and its first line: `ls -l`, `head -1`."},
	}
}
