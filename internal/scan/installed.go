package scan

import (
	"errors"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/pep"
	"github.com/reconcile-ml/reconcile/internal/pyenv"
)

// An Installed is an environment that stands in the folder.
type Installed struct {
	Path      string            // relative, slash-separated
	Conda     bool              // made by a client of conda
	Python    string            // "3.10.13", "" if that is not known
	Packages  map[string]string // versions from an index, by normalised name
	Elsewhere map[string]string // "editable", "vcs" …, by normalised name: not from an index
	Brought   map[string]string // packages of conda and their versions
	Dists     map[string]bool   // normalised names that conda brought
	CUDA      string            // that its torch is built for
	Ours      bool              // reconcile made it, and can take its place again
}

// maxEntries is how many names of one folder are looked at.
const maxEntries = 10_000

// Environments finds installed environments in a folder of this machine and in its
// folders .conda, envs and .venvs, by their files alone. Links are not followed.
func Environments(dir string) []Installed {
	var found []Installed
	for _, parent := range []string{".", ".conda", "envs", ".venvs"} {
		if info, err := os.Lstat(filepath.Join(dir, parent)); err != nil || !info.IsDir() {
			continue
		}
		for _, name := range dirNames(filepath.Join(dir, parent)) {
			rel := path.Join(parent, name)
			if e, ok := installed(filepath.Join(dir, filepath.FromSlash(rel))); ok {
				e.Path = rel
				found = append(found, e)
			}
		}
	}
	usual := func(e Installed) int {
		if i := slices.Index([]string{".venv", "venv", "env"}, e.Path); i >= 0 {
			return i
		}
		return 3
	}
	slices.SortStableFunc(found, func(a, b Installed) int { return usual(a) - usual(b) })
	return found
}

// dirNames lists the folders in a folder, sorted; links are none.
func dirNames(dir string) []string {
	f, err := os.Open(dir)
	if err != nil {
		return nil
	}
	defer f.Close()
	entries, _ := f.ReadDir(maxEntries) // what can be read counts
	var list []string
	for _, e := range entries {
		if e.IsDir() && utf8.ValidString(e.Name()) {
			list = append(list, e.Name())
		}
	}
	slices.Sort(list)
	return list
}

// installed reads one folder, if it is an environment.
func installed(dir string) (Installed, bool) {
	e := Installed{Packages: map[string]string{}, Elsewhere: map[string]string{}, Brought: map[string]string{}, Dists: map[string]bool{}}
	conda, err := pyenv.IsConda(dir)
	config, errConfig := pyenv.ReadConfig(dir)
	if err != nil || !conda && errConfig != nil {
		return e, false
	}
	e.Conda, e.Python = conda, config.Version
	if target, err := os.Readlink(filepath.Join(dir, "generation")); err == nil {
		e.Ours = strings.Contains(target, "/"+layout.Dir+"/") || strings.HasPrefix(target, layout.Dir+"/")
	}
	site, line, err := pyenv.SitePackages(dir)
	if err != nil {
		return e, conda
	}
	if e.Python == "" {
		e.Python = line
	}
	site = filepath.Join(dir, filepath.FromSlash(site))
	dists, _ := pyenv.Installed(site) // what can be read counts
	for _, d := range dists {
		switch {
		case d.Problem != "" || !pep.ValidName(d.Name) || !pep.ValidVersion(d.Version):
		case d.Origin != "":
			e.Elsewhere[d.Name] = d.Origin
		default:
			e.Packages[d.Name], _ = pep.CanonicalVersion(d.Version)
		}
	}
	if torch, ok, err := pyenv.ReadTorch(site); ok && err == nil && isCUDA(torch.CUDA) {
		e.CUDA = torch.CUDA
	}
	if conda {
		e.conda(dir)
	}
	return e, true
}

// conda reads what a client of conda installed, from the names of its records.
func (e *Installed) conda(dir string) {
	f, err := os.Open(filepath.Join(dir, "conda-meta"))
	if err != nil {
		return
	}
	names, err := f.Readdirnames(maxEntries)
	if errors.Join(err, f.Close()) != nil && len(names) == 0 {
		return
	}
	for _, name := range names {
		stem, ok := strings.CutSuffix(name, ".json")
		stem, _, ok2 := cutLast(stem, "-")
		name, version, ok3 := cutLast(stem, "-")
		if ok && ok2 && ok3 {
			e.Brought[name] = version
		}
	}
	if v := e.Brought["python"]; v != "" {
		e.Python = v
	}
	dists, _ := pyenv.CondaDists(dir) // where they cannot be told apart, all count as installed by pip
	for _, d := range dists {
		e.Dists[d.Name] = true
	}
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i <= 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// tools are what environments bring of themselves.
var tools = []string{"pip", "setuptools", "wheel", "uv"}

// into makes the packages of an environment those that are asked for: where nothing
// else says what a project needs, what it has is the answer.
func (e *Installed) into(env *environment) {
	at := place{file: e.Path}
	for _, name := range sortedKeys(e.Packages) {
		if e.Dists[name] || slices.Contains(tools, name) {
			continue
		}
		v := e.Packages[name]
		a := asked{name: name, version: v, at: at}
		if _, local, has := strings.Cut(v, "+"); has {
			a.doubt = "is the build +" + local + ", which the public index does not have"
		}
		env.pip.add(a)
	}
	for _, name := range sortedKeys(e.Elsewhere) {
		env.pip.add(asked{name: name, doubt: "was installed from elsewhere (" + e.Elsewhere[name] + "), and a lock holds files of the index alone", at: at})
	}
	for _, name := range sortedKeys(e.Brought) {
		if name != "python" {
			env.conda.add(asked{name: name, version: e.Brought[name], doubt: "was brought by conda, perhaps only since something needs it", at: at})
		}
	}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
