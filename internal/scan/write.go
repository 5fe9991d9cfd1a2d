package scan

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/internal/pep"
	"github.com/reconcile-ml/reconcile/internal/plural"
)

// writer writes lines of a manifest.
type writer struct{ bytes.Buffer }

func (w *writer) line(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }

// write makes the text of the manifest.
func (s *scanner) write() []byte {
	w := &writer{}
	s.head(w)
	w.line("version: 1\nproject: %s", scalar(s.result.Project))
	s.writeFolders(w)
	s.writeStorage(w)
	s.writeEnvironments(w)
	s.writeModels(w)
	return w.Bytes()
}

func (s *scanner) head(w *writer) {
	w.line("# Written by `reconcile init --scan` from what this folder says. Only what is sure")
	w.line("# counts; the rest is a comment that says where it is from. Look through it, then")
	w.line("# `reconcile lock`, `reconcile plan`, `reconcile apply`.")
	if len(s.result.Read) > 0 {
		w.line("#\n# Read: %s", strings.Join(s.result.Read[:min(len(s.result.Read), maxFiles)], ", "))
	}
	if s.tree.cut != "" {
		w.line("#\n# The walk through the folders ended early: %s. Sizes and models may lack something.", s.tree.cut)
	}
	if len(s.result.Unread) > 0 {
		w.line("#\n# Seen and not read:")
	}
	for _, u := range s.result.Unread {
		w.line("#   %s: %s", u.File, u.Why)
	}
}

// scalar writes a value so that YAML takes it for this text.
func scalar(v string) string {
	plain := v != "" && (v[0] >= 'a' && v[0] <= 'z' || v[0] >= 'A' && v[0] <= 'Z')
	number := v != "" && v[0] >= '0' && v[0] <= '9' && strings.Count(v, ".") > 1
	for i := range len(v) {
		if strings.IndexByte("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/", v[i]) < 0 {
			plain, number = false, false
		}
	}
	if slices.Contains([]string{"null", "true", "false", "yes", "no", "on", "off", "y", "n"}, strings.ToLower(v)) || !plain && !number {
		return strconv.QuoteToASCII(v)
	}
	return v
}

// key is the name of a folder in the manifest.
func key(path string) string { return strings.NewReplacer("/", "_", "-", "_").Replace(path) }

func (s *scanner) writeFolders(w *writer) {
	models := s.modelsFolder()
	if len(s.tree.found) == 0 && models == "" && len(s.tree.links) == 0 {
		return
	}
	w.line("\n# The same on every machine. Folders that git brings need not be here.")
	if len(s.tree.found) == 0 && models == "" {
		w.line("directories: {}")
	} else {
		w.line("directories:")
	}
	for _, f := range s.tree.found {
		w.line("  %s: {path: %s, purpose: %q} # %s", key(f.path), f.path, f.purpose, s.measured(f.path))
	}
	if models != "" && models != manifest.ModelsDirectory {
		w.line("  %s: {path: %s, purpose: \"base models (Hugging Face cache)\"}", manifest.ModelsDirectory, scalar(models))
	}
	for _, name := range s.tree.links {
		w.line("  # %s: {path: %s} # %s is a link, and is not followed: `hosts` says where a folder lies on one machine", key(name), name, name)
	}
}

// measured says what a folder holds.
func (s *scanner) measured(path string) string {
	size := bytesize.Format(s.tree.sizes[path])
	if s.tree.cut != "" {
		return "at least " + size + ": " + s.tree.cut
	}
	return size
}

// leastBudget is the smallest size that is worth a word, in bytes.
const leastBudget = 1_000_000

func (s *scanner) writeStorage(w *writer) {
	w.line("\n# GB is 10^9 bytes, GiB is 2^30.")
	w.line("storage:\n  path: .")
	w.line("  # warn_below: 30GB # choose: a warning, nothing more")
	w.line("  # fail_below: 20GB # choose: apply refuses before it changes anything")
	first := true
	for _, f := range s.tree.found {
		size := s.tree.sizes[f.path]
		if !f.data || strings.Contains(f.path, "/") || size < leastBudget {
			continue
		}
		if first {
			w.line("  budget: # what lies here now; a new machine needs as much")
			first = false
		}
		w.line("    - {item: %s, size: %s}", f.path, bytesize.Format(size))
	}
}

func (s *scanner) writeEnvironments(w *writer) {
	if len(s.envs) == 0 {
		w.line("\n# Nothing here says which packages the project needs. An environment begins so:")
		w.line("#\n# environments:\n#   local:\n#     match: {gpu: [none, nvidia]} # any machine\n#     type: venv\n#     python: %q\n#     path: .venv", defaultLine)
		w.line("#     lock: locks/pylock.local.toml\n#     platforms: [%s]\n#     packages:\n#       - {name: numpy, version: 1.26.4}", s.in.Platform)
		return
	}
	w.line("\nenvironments:")
	for i, e := range s.envs {
		if i > 0 {
			w.line("")
		}
		s.writeEnvironment(w, e)
		s.count(&e.pip)
		s.count(&e.conda)
	}
}

func (s *scanner) writeEnvironment(w *writer, e *environment) {
	w.line("  # From %s.", e.from)
	w.line("  %s:", e.name)
	switch {
	case e.match == "":
		w.line("    # match: {gpu: none} # chosen by --env alone; a machine matches one environment")
	case e.gpu != "":
		w.line("    match: %s # %s", e.match, e.gpu)
	case e.match == "{gpu: none}":
		w.line("    match: %s", e.match)
	default:
		w.line("    match: %s # any machine", e.match)
	}
	if e.isConda {
		w.line("    type: conda\n    name: %s", scalar(e.condaName))
	} else {
		w.line("    type: venv")
	}
	w.line("    python: %q # %s", e.python.value, e.python.by)
	if e.aside != "" {
		w.line("    path: %s # %s is not of reconcile's making, and stays as it is", e.path, e.aside)
	} else {
		w.line("    path: %s", e.path)
	}
	w.line("    lock: %s # `reconcile lock` writes it", e.lock)
	w.line("    platforms: [%s] # those that the lock is for; also known: %s", strings.Join(e.platforms, ", "), strings.Join(without(lock.KnownPlatforms(), e.platforms), ", "))
	if e.isConda {
		e.writeChannels(w)
	}
	e.writeGPU(w)
	for _, r := range e.remarks {
		w.line("    # %s: %s", r.at, r.text)
	}
	if e.isConda {
		e.conda.write(w, "conda_packages", "# conda_packages:")
	}
	e.pip.write(w, "packages", "packages: [] # none is sure; this [] goes with the first # below")
	w.line("    # smoke_test: # modules that must import before a new environment becomes active")
	w.line("    #   imports: [%s]", e.example())
}

func without(list, some []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(v string) bool { return slices.Contains(some, v) })
}

func (e *environment) writeChannels(w *writer) {
	if len(e.channels) == 0 {
		w.line("    channels: [conda-forge, nodefaults] # no channel could be taken over")
		return
	}
	list := make([]string, len(e.channels))
	for i, c := range e.channels {
		list[i] = scalar(c)
	}
	if !slices.Contains(list, "nodefaults") {
		list = append(list, "nodefaults")
	}
	w.line("    channels: [%s]", strings.Join(list, ", "))
}

// writeGPU writes what the environment asks of a driver and of GPUs.
func (e *environment) writeGPU(w *writer) {
	if e.gpu == "" {
		return
	}
	if least := e.leastCUDA(); least.value != "" {
		w.line("    cuda: {minimum: %q} # what the driver offers; %s", least.value, least.by)
	} else {
		w.line("    # cuda: {minimum: \"12.1\"} # what the driver must offer; no version of torch says which")
	}
	w.line("    # gpu: {count: 1, memory: 24GB} # choose")
}

// example is a name that prove could import.
func (e *environment) example() string {
	for i := range e.pip.list {
		if name := strings.ReplaceAll(pep.Normalize(e.pip.list[i].name), "-", "_"); e.pip.list[i].doubt == "" && pep.ValidModule(name) {
			return name
		}
	}
	return "NAME"
}

// write writes packages, pins and doubts in the order of their sources.
func (p *packages) write(w *writer, key, none string) {
	pins := slices.ContainsFunc(p.list, func(a asked) bool { return a.doubt == "" })
	if pins {
		w.line("    %s:", key)
	} else if key == "packages" || len(p.list) > 0 {
		w.line("    %s", none)
	}
	for i := range p.list {
		a := &p.list[i]
		if a.doubt == "" {
			w.line("      - %s # %s", a.entry(), a.at)
		} else {
			w.line("      # - %s # %s %s", a.entry(), a.at, a.doubt)
		}
	}
	if p.more > 0 {
		w.line("      # %s more: too many for a scan", plural.Count(p.more, "package"))
	}
}

// entry is a package as the manifest writes it.
func (a *asked) entry() string {
	parts := []string{"name: " + scalar(a.name), "version: " + scalar(cmp.Or(a.version, "VERSION"))}
	if a.build != "" {
		parts = append(parts, "build: "+scalar(a.build))
	}
	if len(a.extras) > 0 {
		extras := make([]string, len(a.extras))
		for i, e := range a.extras {
			extras[i] = scalar(e)
		}
		parts = append(parts, "extras: ["+strings.Join(extras, ", ")+"]")
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// modelsFolder is where the models lie that the manifest names: the folder models if
// there is one, else the first cache; "" where there is neither.
func (s *scanner) modelsFolder() string {
	if slices.ContainsFunc(s.tree.found, func(f folder) bool { return f.path == manifest.ModelsDirectory }) {
		return manifest.ModelsDirectory
	}
	for i := range s.tree.caches {
		if dir := s.tree.caches[i].dir; isPlainPath(dir) {
			return dir
		}
	}
	return ""
}

// isPlainPath reports whether a manifest takes a path, whatever it is for.
func isPlainPath(p string) bool {
	first, _, _ := strings.Cut(p, "/")
	known := slices.ContainsFunc(folders, func(f folder) bool { return strings.EqualFold(f.path, p) })
	return p != "." && !known && len(p) < 200 && !strings.EqualFold(first, ".reconcile") && !strings.Contains(strings.ToLower("/"+p+"/"), "/.git/") &&
		p[0] != '-' && strings.Trim(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/") == ""
}

func (s *scanner) writeModels(w *writer) {
	if len(s.tree.caches) == 0 {
		return
	}
	folder := s.modelsFolder()
	w.line("\n# Never downloaded by apply. A revision is a commit, because main moves.")
	caches := slices.Clone(s.tree.caches)
	slices.SortStableFunc(caches, func(a, b cache) int {
		return cmp.Or(strings.Compare(a.repo, b.repo), strings.Compare(a.dir, b.dir))
	})
	var sure, doubtful []string
	seen := map[string]bool{}
	for i := range caches {
		c := &caches[i]
		commit, doubt := c.commit()
		if doubt == "" && c.dir != folder {
			doubt = "lies in " + printable(c.dir) + ", which is not the folder " + manifest.ModelsDirectory
		}
		if doubt == "" && seen[strings.ToLower(c.repo)] {
			doubt = "is there twice"
		}
		if doubt != "" {
			doubtful = append(doubtful, fmt.Sprintf("  # - {repo: %s, revision: %s} # %s", printable(c.repo), cmp.Or(commit, "COMMIT"), doubt))
			continue
		}
		seen[strings.ToLower(c.repo)] = true
		size := ""
		if c.size >= leastBudget {
			size = ", size: " + bytesize.Format(c.size)
		}
		sure = append(sure, fmt.Sprintf("  - {repo: %s, revision: %q%s} # %s", scalar(c.repo), commit, size, printable(c.dir)))
	}
	if len(sure) == 0 {
		w.line("# models:")
	} else {
		w.line("models:")
	}
	for _, line := range append(sure, doubtful...) {
		w.line("%s", line)
	}
}
