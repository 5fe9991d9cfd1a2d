package scan

import (
	"path"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/declared"
)

// A folder holds the files of one folder that declare what a project needs. Paths are relative
// to the scanned folder.
type folder struct {
	dir       string // "." for the scanned folder
	pyproject string // "" for none, as the following
	setup     string // setup.py or, without one, setup.cfg
	main      string // the requirements file that every use of the project needs
	addOns    []string
	conda     []string // environment.yml first
	locks     []string // of other tools, in the order of foreignLocks
}

// foreignLocks are the names of locks of other tools that can be used as they are.
func foreignLocks() []string {
	return []string{"uv.lock", "poetry.lock", "pixi.lock", "pylock.toml"}
}

func (f *folder) isEmpty() bool {
	return f.pyproject == "" && f.setup == "" && f.main == "" && len(f.addOns) == 0 && len(f.conda) == 0 && len(f.locks) == 0
}

// look returns the files of a folder.
func (s *scanner) look(dir string) folder {
	f := folder{dir: dir}
	var texts []string
	for _, e := range s.readDir(dir) {
		name := e.Name()
		at := path.Join(dir, name)
		switch lower := strings.ToLower(name); {
		case name == "pyproject.toml":
			f.pyproject = at
		case name == "setup.py", name == "setup.cfg" && f.setup == "":
			f.setup = at // setup.cfg comes first
		case slices.Contains(foreignLocks(), name):
			f.locks = append(f.locks, at)
		case isCondaName(lower):
			f.conda = append(f.conda, at)
		case isRequirementsName(lower):
			texts = append(texts, at)
		case e.IsDir() && (lower == "requirements" || lower == "reqs"):
			for _, below := range s.readDir(at) {
				if strings.HasSuffix(below.Name(), ".txt") && !strings.HasPrefix(below.Name(), "constraints") {
					texts = append(texts, path.Join(at, below.Name()))
				}
			}
		}
	}
	slices.SortFunc(f.locks, func(a, b string) int {
		return slices.Index(foreignLocks(), path.Base(a)) - slices.Index(foreignLocks(), path.Base(b))
	})
	stem := func(file string) string { return strings.TrimSuffix(file, path.Ext(file)) }
	slices.SortStableFunc(f.conda, func(a, b string) int { return strings.Compare(stem(a), stem(b)) })
	f.main, f.addOns = mainRequirements(texts)
	if f.pyproject != "" && !s.isProject(f.pyproject) {
		f.pyproject = ""
	}
	if f.setup != "" && !s.isProject(f.setup) {
		f.setup = ""
	}
	return f
}

// isProject reports whether a pyproject.toml, setup.py or setup.cfg is one of a project, and has
// not only settings of tools. One that cannot be read is.
func (s *scanner) isProject(file string) bool {
	offer, err := declared.Offered(s.fsys, file)
	if err != nil || len(offer.Names()) > 0 {
		return true
	}
	set, _ := declared.Read(s.fsys, file)
	return len(set.Requirements) > 0 || set.Project != nil && set.Project.Name != ""
}

// isCondaName reports whether a file name, in lower case, is one of an environment of conda.
func isCondaName(name string) bool {
	ext := path.Ext(name)
	stem := strings.TrimSuffix(name, ext)
	return (ext == ".yml" || ext == ".yaml") && (strings.HasPrefix(stem, "environment") || stem == "conda" || stem == "env" ||
		strings.HasPrefix(stem, "conda-env") || strings.HasPrefix(stem, "conda_env"))
}

// isRequirementsName reports whether a file name, in lower case, is one of a requirements file:
// requirements.txt, requirements-dev.txt, dev-requirements.txt, requirements.txt of any of these.
func isRequirementsName(name string) bool {
	stem, ok := strings.CutSuffix(name, ".txt")
	return ok && slices.ContainsFunc(words(stem), func(w string) bool { return w == "requirements" || w == "requirement" })
}

// words splits a file name at - _ and dots.
func words(name string) []string {
	return strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return strings.ContainsRune("-_. ", r) })
}

// purpose returns the words of a requirements file that tell its purpose: "dev" of
// requirements-dev.txt and of requirements/dev.txt, none of requirements.txt.
func purpose(file string) []string {
	return slices.DeleteFunc(words(strings.TrimSuffix(path.Base(file), ".txt")), func(w string) bool { return w == "requirements" || w == "requirement" })
}

// mainWords are the purposes of files that every use of a project needs, best first.
func mainWords() []string {
	return []string{"base", "main", "core", "common", "default", "runtime", "install", "prod", "production"}
}

// helperWords are the purposes of files that only the development of a project needs.
func helperWords() []string {
	return []string{"dev", "develop", "development", "test", "tests", "testing", "doc", "docs", "lint", "style", "quality", "ci", "build", "release"}
}

// mainRequirements returns the requirements file that every use of a project needs, or "", and
// the others.
func mainRequirements(files []string) (best string, others []string) {
	rank := func(file string) int {
		p := purpose(file)
		switch {
		case len(p) == 0:
			return strings.Count(file, "/") // requirements.txt before requirements/requirements.txt
		case len(p) == 1 && slices.Contains(mainWords(), p[0]):
			return 10 + slices.Index(mainWords(), p[0])
		}
		return 100
	}
	for _, file := range files {
		if rank(file) < 100 && (best == "" || rank(file) < rank(best)) {
			best = file
		}
	}
	for _, file := range files {
		if file != best {
			others = append(others, file)
		}
	}
	return best, others
}

// Limits of the search for files below the scanned folder.
const (
	searchDepth   = 3
	searchFolders = 2000
)

// isSearched reports whether folders of a name may hold the files of the project.
func isSearched(name string) bool {
	other := []string{"docs", "doc", "tests", "test", "third_party", "third-party", "thirdparty", "vendor", "vendored", "external", "node_modules", "site-packages", "__pycache__", "build", "dist"}
	return !strings.HasPrefix(name, ".") && !slices.Contains(other, strings.ToLower(name))
}

// below returns the folders below dir that declare requirements, nearest first.
func (s *scanner) below() []folder {
	var found []folder
	next := []string{"."}
	for depth, seen := 0, 0; depth < searchDepth && len(next) > 0; depth++ {
		level := next
		next = nil
		for _, dir := range level {
			for _, e := range s.readDir(dir) {
				if seen++; seen > searchFolders*10 || len(next) > searchFolders {
					return found
				}
				at := path.Join(dir, e.Name())
				if !e.IsDir() || !isSearched(e.Name()) || s.isInstalled(at) {
					continue
				}
				if f := s.look(at); !f.isEmpty() {
					found = append(found, f)
				}
				next = append(next, at)
			}
		}
	}
	return found
}

func (s *scanner) isInstalled(dir string) bool {
	return slices.ContainsFunc(s.in.Installed, func(in Installed) bool { return in.Path == dir })
}
