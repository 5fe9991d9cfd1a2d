package scan

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"unicode/utf8"

	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/pep"
	"github.com/reconcile-ml/reconcile/internal/pyenv"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// An Installed is an installed environment in the folder.
type Installed struct {
	Path     string            // relative, slash-separated
	Conda    bool              // created by a conda client
	Python   string            // "3.10.13", "" if unknown
	Packages map[string]string // versions from an index, by normalised name
	Ours     bool              // created by reconcile, which may replace it
}

// Environments returns the installed environments in a folder of this machine and in its
// folders .conda, envs and .venvs. It reads files only and follows no links.
func Environments(dir string) []Installed {
	var found []Installed
	for _, parent := range []string{".", ".conda", "envs", ".venvs"} {
		if info, err := os.Lstat(filepath.Join(dir, parent)); err != nil || !info.IsDir() {
			continue
		}
		for _, name := range folderNames(filepath.Join(dir, parent)) {
			rel := path.Join(parent, name)
			if e, ok := readInstalled(filepath.Join(dir, filepath.FromSlash(rel))); ok {
				e.Path = rel
				found = append(found, e)
			}
		}
	}
	rank := func(e Installed) int { return slices.Index([]string{"env", "venv", ".venv"}, e.Path) }
	slices.SortStableFunc(found, func(a, b Installed) int { return rank(b) - rank(a) })
	return found
}

// folderNames returns the names of the folders in dir, sorted, without links.
func folderNames(dir string) []string {
	f, err := rawfile.OpenDir(dir, rawfile.NoFollow)
	if err != nil {
		return nil
	}
	defer f.Close()
	entries, _ := f.ReadDir(maxEntries) // uses the entries before an error
	var names []string
	for _, e := range entries {
		if e.IsDir() && utf8.ValidString(e.Name()) {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names
}

// readInstalled reads a folder if it is an environment.
func readInstalled(dir string) (Installed, bool) {
	e := Installed{Packages: map[string]string{}}
	conda, err := pyenv.IsConda(dir)
	config, errConfig := pyenv.ReadConfig(dir)
	if err != nil || !conda && errConfig != nil {
		return e, false
	}
	e.Conda, e.Python = conda, config.Version
	if target, err := os.Readlink(filepath.Join(dir, "generation")); err == nil {
		e.Ours = layout.IsGeneration(target, "")
	}
	site, minor, err := pyenv.SitePackages(dir)
	if err != nil {
		return e, conda
	}
	if e.Python == "" {
		e.Python = minor
	}
	dists, _ := pyenv.Installed(filepath.Join(dir, filepath.FromSlash(site))) // uses those before an error
	for _, d := range dists {
		if d.Problem == "" && d.Origin == "" && pep.ValidName(d.Name) && pep.ValidVersion(d.Version) {
			e.Packages[d.Name], _ = pep.CanonicalVersion(d.Version)
		}
	}
	return e, true
}
