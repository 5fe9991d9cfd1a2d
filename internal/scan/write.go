package scan

import (
	"bytes"
	"cmp"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/internal/plural"
)

// A writer writes lines of a manifest.
type writer struct{ bytes.Buffer }

func (w *writer) line(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }

// write returns the manifest.
func (s *scanner) write() []byte {
	w := &writer{}
	w.line("# Written by `reconcile init --scan` from the files of this folder. Exact versions are")
	w.line("# copied; the rest is a comment with its source. Complete it, then run")
	w.line("# `reconcile lock`, `reconcile plan`, `reconcile apply`.")
	if len(s.result.Read) > 0 {
		w.line("#\n# Read: %s", strings.Join(s.result.Read[:min(len(s.result.Read), maxFiles)], ", "))
	}
	if s.stopped != "" {
		w.line("#\n# The search for models stopped early: %s.", s.stopped)
	}
	if len(s.result.Unread) > 0 {
		w.line("#\n# Found and not read:")
	}
	for _, u := range s.result.Unread {
		w.line("#   %s: %s", u.File, u.Why)
	}
	w.line("version: 1\nproject: %s", scalar(s.result.Project))
	s.writeFolders(w)
	w.line("\n# GB is 10^9 bytes, GiB is 2^30.\nstorage:\n  path: .")
	w.line("  # warn_below: 30GB # optional: a warning\n  # fail_below: 20GB # optional: apply refuses to start")
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

// knownFolders are the folders that become directories of the manifest.
var knownFolders = []string{
	"data", "data/raw", "data/external", "data/interim", "data/processed", "data/synthetic", "datasets", "models", "adapters",
	"checkpoints", "outputs", "results", "runs", "logs", "notebooks", "scripts", "configs", "config",
}

// folders returns the known folders that exist.
func (s *scanner) folders() []string { return s.known(fs.FileMode.IsDir) }

func (s *scanner) known(is func(fs.FileMode) bool) []string {
	var found []string
	for _, name := range knownFolders {
		if info, err := fs.Lstat(s.fsys, name); err == nil && is(info.Mode()) {
			found = append(found, name)
		}
	}
	return found
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

func (s *scanner) writeEnvironments(w *writer) {
	if len(s.envs) == 0 {
		w.line("\n# No file has the packages of the project. Add an environment:")
		if len(s.in.Installed) > 0 {
			w.line("# (with the versions of %s: `pip freeze > requirements.txt` in it, then scan again)", printable(s.in.Installed[0].Path))
		}
		w.line("#\n# environments:\n#   local:\n#     match: {gpu: [none, nvidia]} # any machine\n#     type: venv\n#     python: %q\n#     path: .venv", defaultPython)
		w.line("#     lock: locks/pylock.local.toml\n#     platforms: [%s]\n#     packages:\n#       - {name: numpy, version: 1.26.4}", s.in.Platform)
		return
	}
	// One environment matches every machine: the first one with packages.
	matched := max(0, slices.IndexFunc(s.envs, func(e *environment) bool { return !e.isEmpty() }))
	w.line("\nenvironments:")
	for i, e := range s.envs {
		if i > 0 {
			w.line("")
		}
		s.writeEnvironment(w, e, i == matched)
	}
}

func (s *scanner) writeEnvironment(w *writer, e *environment, matched bool) {
	w.line("  # From %s.", e.from)
	w.line("  %s:", e.name)
	if matched {
		w.line("    match: {gpu: [none, nvidia]} # any machine")
	} else {
		w.line("    # match: {gpu: nvidia} # without match: only with --env; a machine must match one environment")
	}
	if e.isConda {
		w.line("    type: conda\n    name: %s", scalar(e.name))
	} else {
		w.line("    type: venv")
	}
	w.line("    python: %q # %s", e.python.value, e.python.by)
	if e.occupied != "" {
		w.line("    path: %s # %s is not an environment of reconcile and is kept", e.path, e.occupied)
	} else {
		w.line("    path: %s", e.path)
	}
	w.line("    lock: %s # written by `reconcile lock`", e.lock)
	others := slices.DeleteFunc(slices.Clone(lock.KnownPlatforms()), func(p string) bool { return p == s.in.Platform })
	w.line("    platforms: [%s] # of the lock; also supported: %s", s.in.Platform, strings.Join(others, ", "))
	switch {
	case e.isConda && len(e.channels) == 0:
		w.line("    channels: [conda-forge, nodefaults] # no channel could be copied")
	case e.isConda:
		channels := slices.DeleteFunc(slices.Clone(e.channels), func(c string) bool { return c == "nodefaults" })
		w.line("    channels: %s", scalars(append(channels, "nodefaults")))
	}
	w.line("    # cuda: {minimum: \"12.1\"} # for a GPU: the CUDA version that the driver must support")
	for _, r := range e.remarks {
		w.line("    # %s: %s", r.at, r.text)
	}
	if e.isConda {
		e.conda.write(w, "conda_packages", "# conda_packages:")
	}
	e.pip.write(w, "packages", "packages: [] # no exact version; remove this [] with the first # below")
	w.line("    # smoke_test: {imports: [MODULE]} # must import before a new environment becomes active")
}

// write writes pins and comments in the order of their sources; none is the line without
// pins.
func (p *packages) write(w *writer, key, none string) {
	if slices.ContainsFunc(p.list, func(a pkg) bool { return a.why == "" }) {
		w.line("    %s:", key)
	} else if key == "packages" || len(p.list) > 0 {
		w.line("    %s", none)
	}
	for i := range p.list {
		a := &p.list[i]
		if a.why == "" {
			w.line("      - %s # %s", a.entry(), a.at)
		} else {
			w.line("      # - %s # %s %s", a.entry(), a.at, a.why)
		}
	}
	if p.more > 0 {
		w.line("      # %s left out: too many for a scan", plural.Count(p.more, "package"))
	}
}

// entry returns a package in the form of the manifest.
func (p *pkg) entry() string {
	text := "{name: " + scalar(p.name) + ", version: " + scalar(cmp.Or(p.version, "VERSION"))
	if p.build != "" {
		text += ", build: " + scalar(p.build)
	}
	if len(p.extras) > 0 {
		text += ", extras: " + scalars(p.extras)
	}
	return text + "}"
}
