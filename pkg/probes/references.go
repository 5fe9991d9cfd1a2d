package probes

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/kernelspec"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// references returns the files outside the store that name a generation of an environment by
// its own path: kernels of Jupyter, hooks of git, and environments that were created with its
// Python. A file that cannot be read has none.
func (p *Prober) references(name string) []facts.Reference {
	var found []facts.Reference
	dir := []byte(layout.Environment(p.state(), name) + "/")
	add := func(kind, file string, text []byte) {
		if generation := generationIn(text, dir); generation != "" {
			found = append(found, facts.Reference{Kind: kind, Path: file, Generation: generation})
		}
	}
	getenv := func(name string) string { return p.environ[name] }
	if folder := kernelspec.Folder(getenv, p.home); folder != "" {
		for _, kernel := range listNames(folder, isFolder) {
			file := filepath.Join(folder, kernel, "kernel.json")
			if text, err := rawfile.ReadFile(file, kernelspec.MaxSize, 0); err == nil {
				add("kernel", file, []byte(kernelspec.Program(text)))
			}
		}
	}
	if hooks := p.hooks(); hooks != "" {
		for _, hook := range listNames(hooks, isHook) {
			text, err := rawfile.Head(filepath.Join(hooks, hook), make([]byte, 4096))
			switch {
			case err != nil:
			case bytes.Contains(text, []byte("\nINSTALL_PYTHON=")):
				add("pre-commit", filepath.Join(hooks, hook), text)
			default:
				add("hook", filepath.Join(hooks, hook), text)
			}
		}
	}
	for _, child := range listNames(p.root, isFolder) {
		file := filepath.Join(p.root, child, "pyvenv.cfg")
		if text, err := rawfile.ReadFile(file, 1<<16, 0); err == nil {
			add("venv", filepath.Dir(file), homeLine(text))
		}
	}
	return found
}

// hooks returns the folder with the hooks of the repository that contains the project, "" for
// none.
func (p *Prober) hooks() string {
	for dir := p.root; ; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
			return filepath.Join(dir, ".git", "hooks")
		}
		if dir == filepath.Dir(dir) {
			return ""
		}
	}
}

// homeLine returns the line of a pyvenv.cfg that names the directory of the interpreter. Other
// lines only record how the environment was created.
func homeLine(text []byte) []byte {
	for line := range bytes.Lines(text) {
		if key, value, ok := bytes.Cut(line, []byte("=")); ok && string(bytes.TrimSpace(key)) == "home" {
			return value
		}
	}
	return nil
}

// generationIn returns the name of the generation in the first path of a text that begins with
// dir, "" if there is none.
func generationIn(text, dir []byte) string {
	_, rest, ok := bytes.Cut(text, dir)
	name, _, below := strings.Cut(string(rest), "/")
	if !ok || !below || !isGenerationName(name) {
		return ""
	}
	return name
}

// isFolder reports whether an entry may be a directory, or a link to one.
func isFolder(e fs.DirEntry) bool { return !e.Type().IsRegular() }

// isHook reports whether git may start a file in the folder of hooks.
func isHook(e fs.DirEntry) bool { return !strings.HasSuffix(e.Name(), ".sample") }

// listNames returns the sorted names in a directory of the entries for which wanted is true;
// none if it cannot be listed.
func listNames(dir string, wanted func(fs.DirEntry) bool) []string {
	entries, _ := os.ReadDir(dir)
	var names []string
	for _, e := range entries {
		if wanted(e) {
			names = append(names, e.Name())
		}
	}
	return names
}
