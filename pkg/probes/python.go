package probes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// pythonSources lists the sources of interpreters in order of preference. Interpreters
// that are never upgraded in place precede those that a package manager may replace:
//
//  1. reconcile: fetched by a plan, whose choice then stays the same, and unchanged since
//  2. uv, pyenv, python.org: one folder for each version, or never updated
//  3. mise, asdf: the same, but removed more often
//  4. homebrew, system: replaced by upgrades
//  5. path: the absolute entries of PATH outside the project
//  6. conda: shares its prefix with other packages
//
// Within a source the highest patch version is first.
func pythonSources() []string {
	return []string{"reconcile", "uv", "pyenv", "python.org", "mise", "asdf", "homebrew", "system", "path", "conda"}
}

// A candidate is an executable that may be an interpreter of the minor version.
type candidate struct{ source, exe string }

// isMinor reports whether a text has the form of a minor version such as 3.10. It becomes
// part of file names.
func isMinor(s string) bool {
	major, minor, ok := strings.Cut(s, ".")
	return ok && isNumber(major) && len(major) <= 2 && isNumber(minor) && len(minor) <= 3
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// pythons finds the interpreters of a minor version. It runs none of them: python3 of
// macOS may open a dialog.
func (p *Prober) pythons(ctx context.Context, minor string) (facts.Pythons, error) {
	found := facts.Pythons{Minor: minor}
	if !isMinor(minor) {
		return found, fmt.Errorf("%q is not a Python minor version such as 3.10", minor)
	}
	s := &pythonSearch{p: p, minor: minor}
	s.run()
	found.Searched = s.searched
	seen := map[string]bool{}
	for _, c := range s.candidates {
		i, ok := p.interpreter(ctx, minor, c)
		if ok && !seen[i.Prefix] {
			seen[i.Prefix] = true
			found.Found = append(found.Found, i)
		}
	}
	sources := pythonSources()
	slices.SortStableFunc(found.Found, func(a, b facts.Interpreter) int {
		return cmp.Or(
			min(len(a.Refused), 1)-min(len(b.Refused), 1),
			cmp.Compare(slices.Index(sources, a.Source), slices.Index(sources, b.Source)),
			cmp.Compare(patch(b.Version), patch(a.Version)),
			strings.Compare(a.Path, b.Path))
	})
	return found, nil
}

// patch returns the patch number of a version, or -1.
func patch(version string) int {
	n := -1
	if i := strings.LastIndexByte(version, '.'); i >= 0 {
		fmt.Sscanf(version[i+1:], "%d", &n)
	}
	return n
}

// A pythonSearch collects candidates and the searched folders.
type pythonSearch struct {
	p          *Prober
	minor      string
	candidates []candidate
	searched   []string
}

func (s *pythonSearch) run() {
	p := s.p
	s.versions("reconcile", layout.Tools(p.store, p.platform), "cpython-"+s.minor+".")
	data := p.dirVariable("XDG_DATA_HOME", p.below(".local/share"))
	s.versions("uv", p.dirVariable("UV_PYTHON_INSTALL_DIR", join(data, "uv/python")), "cpython-"+s.minor)
	s.versions("pyenv", join(p.dirVariable("PYENV_ROOT", p.below(".pyenv")), "versions"), s.minor+".")
	s.versions("mise", join(p.dirVariable("MISE_DATA_DIR", join(data, "mise")), "installs/python"), s.minor)
	s.versions("asdf", join(p.dirVariable("ASDF_DATA_DIR", p.below(".asdf")), "installs/python"), s.minor)
	brews := []string{"/home/linuxbrew/.linuxbrew"}
	if p.system.os == "darwin" {
		s.dir("python.org", p.sys("/Library/Frameworks/Python.framework/Versions/"+s.minor+"/bin"))
		brews = []string{"/opt/homebrew", "/usr/local"} // the second one has x86_64 builds
	}
	for _, brew := range brews {
		s.dir("homebrew", p.sys(brew+"/opt/python@"+s.minor+"/bin"))
	}
	s.dir("system", p.sys("/usr/bin"))
	s.dir("system", p.sys("/usr/local/bin"))
	for _, dir := range p.pathDirs() {
		s.dir("path", dir)
	}
	for _, base := range p.condaRoots() {
		s.dir("conda", filepath.Join(base, "bin"))
	}
}

// dir adds the interpreter in one directory.
func (s *pythonSearch) dir(source, dir string) {
	shown := dir
	switch source {
	case "path":
		shown = "PATH"
	case "conda":
		shown = "the usual conda folders"
	}
	exe := filepath.Join(dir, "python"+s.minor)
	_, err := os.Lstat(exe)
	switch {
	case err == nil:
		s.candidates = append(s.candidates, candidate{source, exe})
	case !rawfile.IsAbsent(err):
		shown = dir + " (" + reason(err) + ")"
	}
	if !slices.Contains(s.searched, shown) {
		s.searched = append(s.searched, shown)
	}
}

// versions adds the interpreters in the subfolders of dir whose names begin with prefix,
// such as "3.10.13" or "cpython-3.10.21-linux-x86_64-gnu".
func (s *pythonSearch) versions(source, dir, prefix string) {
	if dir == "" {
		return
	}
	entries, err := os.ReadDir(dir)
	shown := dir
	if err != nil && !rawfile.IsAbsent(err) {
		shown += " (" + reason(err) + ")"
	}
	s.searched = append(s.searched, shown)
	for _, e := range entries {
		rest, ok := strings.CutPrefix(e.Name(), prefix)
		if !ok || !strings.HasSuffix(prefix, ".") && rest != "" && rest[0] != '.' && rest[0] != '-' {
			continue // 3.1 is not 3.10
		}
		exe := filepath.Join(dir, e.Name(), "bin/python"+s.minor)
		if _, err := os.Lstat(exe); err == nil {
			s.candidates = append(s.candidates, candidate{source, exe})
		}
	}
}

// join is filepath.Join for a base that may be "", which gives "".
func join(base, rel string) string {
	if base == "" {
		return ""
	}
	return filepath.Join(base, rel)
}

// reason returns the text of an error without the operation and the path.
func reason(err error) string {
	if e, ok := errors.AsType[*os.PathError](err); ok {
		return e.Err.Error()
	}
	return err.Error()
}

// pathDirs lists the absolute entries of PATH outside the project, whose files may have
// come with a clone.
func (p *Prober) pathDirs() []string {
	var dirs []string
	for _, dir := range filepath.SplitList(p.environ["PATH"]) {
		if !filepath.IsAbs(dir) {
			continue
		}
		dir = filepath.Clean(dir)
		if p.inProject(dir) || slices.Contains(dirs, dir) {
			continue
		}
		dirs = append(dirs, dir)
	}
	return dirs
}

// inProject reports whether a path is in the project, with and without the links in it: files
// there may have come with a clone.
func (p *Prober) inProject(name string) bool {
	root, err := os.Stat(p.root)
	if err != nil {
		return true
	}
	names := []string{name}
	if real, err := filepath.EvalSymlinks(name); err == nil {
		names = append(names, real)
	}
	for _, name := range names {
		for dir := filepath.Clean(name); ; dir = filepath.Dir(dir) {
			if info, err := os.Stat(dir); err == nil && os.SameFile(info, root) {
				return true
			}
			if dir == filepath.Dir(dir) {
				break
			}
		}
	}
	return false
}

// glob lists the files in a folder that match a pattern, sorted. The folder itself is not a
// pattern.
func glob(dir, pattern string) []string {
	found, _ := fs.Glob(os.DirFS(dir), pattern)
	for i := range found {
		found[i] = filepath.Join(dir, found[i])
	}
	slices.Sort(found)
	return found
}
