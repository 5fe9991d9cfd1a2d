package probes

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
)

// Where interpreters are looked for, in order of preference. One that nobody
// upgrades in place comes before one that a package manager may replace below an
// environment:
//
//  1. reconcile: what a plan fetched; its choice then stays the same
//  2. uv, pyenv, python.org: one folder a version, or never updated
//  3. mise, asdf: the same, removed more often
//  4. homebrew, system: replaced by upgrades
//  5. path: wherever PATH leads, absolute entries outside the project only
//  6. conda: works, but shares its prefix with whatever else is in it
//
// Within one source the highest patch version is first.
var sources = []string{"reconcile", "uv", "pyenv", "python.org", "mise", "asdf", "homebrew", "system", "path", "conda"}

// A candidate is an executable that may be an interpreter of the line.
type candidate struct{ source, exe string }

// isLine reports whether a text looks like a line; it becomes part of file names.
func isLine(s string) bool {
	major, minor, ok := strings.Cut(s, ".")
	return ok && isNumber(major) && len(major) <= 2 && isNumber(minor) && len(minor) <= 3
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// pythons finds the interpreters of a line. Nothing is ever run: not even the
// python3 of macOS, which may open a dialog.
func (p *Prober) pythons(line string) (facts.Pythons, error) {
	found := facts.Pythons{Minor: line}
	if !isLine(line) {
		return found, fmt.Errorf("%q is not a line of Python such as 3.10", line)
	}
	s := &search{p: p, line: line}
	s.all()
	found.Searched = s.searched
	seen := map[string]bool{}
	for _, c := range s.candidates {
		i, ok := p.interpreter(line, c)
		if ok && !seen[i.Prefix] {
			seen[i.Prefix] = true
			found.Found = append(found.Found, i)
		}
	}
	slices.SortStableFunc(found.Found, func(a, b facts.Interpreter) int {
		return cmp.Or(
			min(len(a.Refused), 1)-min(len(b.Refused), 1),
			cmp.Compare(slices.Index(sources, a.Source), slices.Index(sources, b.Source)),
			comparePatch(b.Version, a.Version),
			strings.Compare(a.Path, b.Path))
	})
	return found, nil
}

// comparePatch compares two versions of one line.
func comparePatch(a, b string) int { return cmp.Compare(patch(a), patch(b)) }

func patch(version string) int {
	n := -1
	if i := strings.LastIndexByte(version, '.'); i >= 0 {
		fmt.Sscanf(version[i+1:], "%d", &n)
	}
	return n
}

// A search collects candidates and the places that were looked at.
type search struct {
	p          *Prober
	line       string
	candidates []candidate
	searched   []string
}

func (s *search) all() {
	p, name := s.p, "python"+s.line
	s.versions("reconcile", filepath.Join(p.root, filepath.FromSlash(layout.Tools(p.platform))), "cpython-"+s.line+".")
	data := p.dirVariable("XDG_DATA_HOME", p.below(".local/share"))
	s.versions("uv", p.dirVariable("UV_PYTHON_INSTALL_DIR", join(data, "uv/python")), "cpython-"+s.line)
	s.versions("pyenv", join(p.dirVariable("PYENV_ROOT", p.below(".pyenv")), "versions"), s.line+".")
	s.versions("mise", join(p.dirVariable("MISE_DATA_DIR", join(data, "mise")), "installs/python"), s.line)
	s.versions("asdf", join(p.dirVariable("ASDF_DATA_DIR", p.below(".asdf")), "installs/python"), s.line)
	brews := []string{"/home/linuxbrew/.linuxbrew"}
	if p.system.os == "darwin" {
		s.one("python.org", p.sys("/Library/Frameworks/Python.framework/Versions/"+s.line+"/bin"), name)
		brews = []string{"/opt/homebrew", "/usr/local"} // the second one holds x86_64 builds
	}
	for _, brew := range brews {
		s.one("homebrew", p.sys(brew+"/opt/python@"+s.line+"/bin"), name)
	}
	s.one("system", p.sys("/usr/bin"), name)
	s.one("system", p.sys("/usr/local/bin"), name)
	for _, dir := range p.pathDirs() {
		s.one("path", dir, name)
	}
	for _, base := range p.condaRoots() {
		s.one("conda", filepath.Join(base, "bin"), name)
	}
}

// join is filepath.Join for a base that may be unknown.
func join(base, rel string) string {
	if base == "" {
		return ""
	}
	return filepath.Join(base, rel)
}

// one adds an executable in one directory.
func (s *search) one(source, dir, name string) {
	place := dir
	switch source {
	case "path":
		place = "PATH"
	case "conda":
		place = "the usual folders of conda"
	}
	exe := filepath.Join(dir, name)
	_, err := os.Lstat(exe)
	switch {
	case err == nil:
		s.candidates = append(s.candidates, candidate{source, exe})
	case !isGone(err):
		place = dir + " (" + reason(err) + ")"
	}
	if !slices.Contains(s.searched, place) {
		s.searched = append(s.searched, place)
	}
}

// versions adds the interpreters of a folder that holds one a version, in
// folders whose names begin with prefix: "3.10.13", "cpython-3.10.21-linux-x86_64-gnu".
func (s *search) versions(source, dir, prefix string) {
	if dir == "" {
		return
	}
	s.searched = append(s.searched, dir)
	entries, err := os.ReadDir(dir)
	if err != nil && !isGone(err) {
		s.searched[len(s.searched)-1] += " (" + reason(err) + ")"
	}
	for _, e := range entries {
		rest, ok := strings.CutPrefix(e.Name(), prefix)
		if !ok || !strings.HasSuffix(prefix, ".") && rest != "" && rest[0] != '.' && rest[0] != '-' {
			continue // 3.1 is not 3.10
		}
		exe := filepath.Join(dir, e.Name(), "bin/python"+s.line)
		if _, err := os.Lstat(exe); err == nil {
			s.candidates = append(s.candidates, candidate{source, exe})
		}
	}
}

// reason returns the cause of an error of the file system in words.
func reason(err error) string {
	if e, ok := errors.AsType[*os.PathError](err); ok {
		return e.Err.Error()
	}
	return err.Error()
}

// pathDirs lists the entries of PATH that programs may be taken from: absolute
// ones outside the project, whose content came with a clone.
func (p *Prober) pathDirs() []string {
	var dirs []string
	for _, dir := range filepath.SplitList(p.environ["PATH"]) {
		if !filepath.IsAbs(dir) {
			continue
		}
		dir = filepath.Clean(dir)
		if real, err := filepath.EvalSymlinks(dir); err == nil && within(real, p.root) {
			continue
		}
		if !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// within reports whether a path is root or below it.
func within(name, root string) bool {
	return name == root || strings.HasPrefix(name, strings.TrimSuffix(root, "/")+"/")
}

// glob lists what in a folder matches a pattern, sorted. The folder is taken to the
// letter: a project or a home may have any name.
func glob(dir, pattern string) []string {
	found, _ := fs.Glob(os.DirFS(dir), pattern)
	for i := range found {
		found[i] = filepath.Join(dir, found[i])
	}
	slices.Sort(found)
	return found
}

// condaRoots lists the usual places of a conda installation.
func (p *Prober) condaRoots() []string {
	var roots []string
	for _, name := range []string{"miniforge3", "mambaforge", "miniconda3", "anaconda3"} {
		if p.home != "" {
			roots = append(roots, p.below(name))
		}
	}
	for _, name := range []string{"/opt/conda", "/opt/miniforge3", "/opt/miniconda3"} {
		roots = append(roots, p.sys(name))
	}
	return roots
}
