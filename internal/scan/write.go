package scan

import (
	"bytes"
	"cmp"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/manifest"
)

const condaForge = "conda-forge"

// A writer writes lines of a manifest.
type writer struct{ bytes.Buffer }

func (w *writer) line(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }

// Manifest returns the manifest.
func (r *Result) Manifest() []byte {
	s, w := r.scanner, &writer{}
	w.line("# The desired state of a machine of this project, made by `reconcile init`.")
	if slices.ContainsFunc(s.envs, func(e *environment) bool { return len(e.references) > 0 }) {
		w.line("# The files under `requirements` stay the source: change them, then `reconcile lock`.")
	}
	if s.stopped != "" {
		w.line("# The search for models stopped early: %s.", s.stopped)
	}
	if len(r.Omitted) > 0 {
		w.line("#\n# Not taken over:")
	}
	for _, o := range r.Omitted {
		w.line("#   %s: %s", o.Place, o.Why)
	}
	w.line("version: 1\nproject: %s", scalar(r.Project))
	s.writeFolders(w)
	s.writeIndexes(w)
	s.writeEnvironments(w)
	s.writeModels(w)
	return w.Bytes()
}

// scalar returns a value as a YAML string.
func scalar(v string) string {
	plain := v != "" && (v[0] >= 'a' && v[0] <= 'z' || v[0] >= 'A' && v[0] <= 'Z')
	number := v != "" && v[0] >= '0' && v[0] <= '9' && strings.Count(v, ".") > 1
	if strings.Trim(v, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/") != "" || !plain && !number ||
		slices.Contains([]string{"null", "true", "false", "yes", "no", "on", "off", "y", "n"}, strings.ToLower(v)) {
		return strconv.QuoteToASCII(v)
	}
	return v
}

// scalars returns a YAML list of strings.
func scalars(list []string) string {
	quoted := make([]string, len(list))
	for i, v := range list {
		quoted[i] = scalar(v)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// knownFolders are the folders of data and of training that become directories of the manifest
// if git does not have them.
func knownFolders() []string {
	return []string{
		"data", "data/raw", "data/external", "data/interim", "data/processed", "data/synthetic", "datasets", "models", "adapters",
		"checkpoints", "outputs", "results", "runs", "logs",
	}
}

// folders returns the known folders that exist, and are not in git as far as .gitignore shows.
func (s *scanner) folders() []string { return s.known(fs.FileMode.IsDir) }

func (s *scanner) known(is func(fs.FileMode) bool) []string {
	ignored := s.ignored()
	var found []string
	for _, name := range knownFolders() {
		top, _, _ := strings.Cut(name, "/")
		if info, err := fs.Lstat(s.fsys, name); err == nil && is(info.Mode()) && (ignored == nil || ignored[name] || ignored[top]) {
			found = append(found, name)
		}
	}
	return found
}

// ignored returns the plain names in .gitignore, or nil if the folder is no clone.
func (s *scanner) ignored() map[string]bool {
	text, _, ok := s.readText(".gitignore")
	if !ok && isAbsent(s.fsys, ".git") {
		return nil
	}
	names := map[string]bool{}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(strings.TrimSuffix(strings.TrimSpace(line), "*"), "/")
		names[strings.TrimPrefix(line, "/")] = true
	}
	return names
}

func (s *scanner) writeFolders(w *writer) {
	key := strings.NewReplacer("/", "_", "-", "_").Replace
	folders, models := s.folders(), s.modelsDir()
	links := s.known(func(m fs.FileMode) bool { return m&fs.ModeSymlink != 0 })
	if len(folders)+len(links) == 0 && models == "" {
		return
	}
	w.line("\n# The same on every machine. Folders in git need no entry.")
	if len(folders) == 0 && models == "" {
		w.line("directories: {}")
	} else {
		w.line("directories:")
	}
	for _, name := range folders {
		w.line("  %s: {path: %s}", key(name), name)
	}
	if models != "" && models != manifest.ModelsDirectory {
		w.line("  %s: {path: %s}", manifest.ModelsDirectory, scalar(models))
	}
	for _, name := range links {
		w.line("  # %s: {path: %s} # %s is a link: `hosts` sets the location of a folder on one machine", key(name), name, name)
	}
}

func (s *scanner) writeIndexes(w *writer) {
	if len(s.indexes) == 0 {
		return
	}
	w.line("\nindexes:\n  - %s", publicIndex)
	for _, x := range s.indexes {
		w.line("  - {name: %s, url: %s} # %s", scalar(x.name), strconv.QuoteToASCII(x.url), x.at)
	}
}

func (s *scanner) writeEnvironments(w *writer) {
	if len(s.envs) == 0 {
		return
	}
	w.line("\nenvironments:")
	for i, e := range s.envs {
		if i > 0 {
			w.line("")
		}
		s.writeEnvironment(w, e)
	}
}

func (s *scanner) writeEnvironment(w *writer, e *environment) {
	w.line("  %s: # from %s", e.name, e.from)
	switch {
	case e.match == anyGPU && len(s.envs) == 1: // the only environment is for any machine
	case e.match != "":
		w.line("    match: %s # %s", e.match, printable(e.matchBy))
	default:
		w.line("    # match: {gpu: nvidia} # chosen by --env only: %s", printable(e.matchBy))
	}
	if e.isConda {
		w.line("    type: conda\n    name: %s", scalar(s.result.Project))
	}
	w.line("    python: %q # %s", e.python.value, printable(e.python.by))
	if e.occupied != "" {
		w.line("    path: %s # %s is not an environment of reconcile and is kept", e.path, e.occupied)
	} else if e.path != ".venv" && !e.isConda {
		w.line("    path: %s", e.path)
	}
	if e.isForeign {
		w.line("    lock: %s # of another tool, read as it is", e.lock)
	} else if e.lock != "locks/pylock."+e.name+".toml" {
		w.line("    lock: %s", e.lock)
	}
	platforms := s.platforms(e)
	others := slices.DeleteFunc(slices.Clone(lock.KnownPlatforms()), func(p string) bool { return slices.Contains(platforms, p) })
	w.line("    platforms: %s # also supported: %s", scalars(platforms), strings.Join(others, ", "))
	if e.isConda {
		channels := slices.DeleteFunc(slices.Clone(e.set.Channels), func(c string) bool { return c == "nodefaults" || c == "defaults" })
		if (e.defaults || len(channels) == 0) && !slices.Contains(channels, condaForge) {
			channels = append(channels, condaForge) // has most packages of the channel defaults
		}
		w.line("    channels: %s", scalars(append(channels, "nodefaults")))
	}
	for _, key := range slices.Sorted(maps.Keys(e.systems)) {
		w.line("    %s: %q # %s", key, e.systems[key], printable(e.systemsBy))
	}
	if len(e.references) > 0 {
		w.line("    requirements: %s", scalars(e.references))
	}
	for _, text := range e.offers() {
		w.line("    # %s", printable(text))
	}
	if len(e.references) == 0 && e.editable.by == "" && !e.isForeign {
		w.line("    packages: [] # such as numpy, or \"numpy>=2,<3\"")
	}
	if e.editable.value != "" {
		w.line("    project: editable # %s of %s", printable(e.editable.value), e.editable.by)
	}
	if len(e.build) > 0 {
		w.line("    build: %s # only source archives exist: built in a sandbox, on every machine", scalars(e.build))
	}
}

// platforms returns the platforms of the lock of an environment.
func (s *scanner) platforms(e *environment) []string {
	system, arch, _ := strings.Cut(s.in.Platform, "-")
	switch {
	case e.needsCUDA && arch != "aarch64":
		return []string{"linux-x86_64"}
	case e.needsCUDA:
		return []string{"linux-aarch64"}
	case system == "macos":
		return []string{s.in.Platform, "linux-x86_64"}
	}
	return []string{cmp.Or(s.in.Platform, "linux-x86_64")}
}
