package pyenv

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/pep"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// A distRecord is one distribution of an environment and the entries of its RECORD.
type distRecord struct {
	name    string // normalised, from the folder's name
	infoDir string
	entries []RecordEntry
	err     error // why the RECORD is invalid, if it is absent or malformed
}

// read sets r.entries, or r.err if the RECORD is invalid. The returned error is that of a
// file that could not be read.
func (r *distRecord) read(envDir, sitePackages string, buf *[]byte) error {
	name := filepath.Join(envDir, sitePackages, r.infoDir, "RECORD")
	b, err := readFile(name, *buf, maxRecord)
	if err != nil {
		r.err = err
		return ignoreAbsent(err)
	}
	*buf = b[:0]
	r.entries = make([]RecordEntry, 0, 1+strings.Count(string(b), "\n"))
	for e, err := range ParseRecord(b, sitePackages) {
		if err != nil {
			r.err = fmt.Errorf("%s: %w", name, err)
			return nil
		}
		r.entries = append(r.entries, e)
	}
	return nil
}

// records are the installed files of an environment, from the RECORD of each distribution
// in site-packages and from conda-meta.
type records struct {
	sitePackages, minor string // see SitePackages

	dists []distRecord
	conda []condaRecord
}

// readRecords reads the records of an environment. For the distributions of conda packages
// it reads conda-meta instead of RECORD.
func readRecords(genDir string) (r records, err error) {
	if r.sitePackages, r.minor, err = SitePackages(genDir); err != nil {
		return r, err
	}
	sitePackages := r.sitePackages
	if r.conda, err = readCondaMeta(genDir, sitePackages); err != nil {
		return r, err
	}
	names, err := readNames(filepath.Join(genDir, sitePackages))
	if err != nil {
		return r, err
	}
	byConda := infoDirs(r.conda, sitePackages)
	names = slices.DeleteFunc(names, func(n string) bool {
		return !strings.HasSuffix(n, ".dist-info") || n[0] == '~' || byConda[n] != ""
	})
	slices.Sort(names)
	r.dists = make([]distRecord, len(names))
	buffers := make([][]byte, workers())
	err = each(len(names), func(w, i int) error {
		name, _, _ := parseInfoName(names[i])
		r.dists[i] = distRecord{name: pep.Normalize(name), infoDir: names[i]}
		return r.dists[i].read(genDir, sitePackages, &buffers[w])
	})
	return r, err
}

// A claim is one file that a RECORD, conda-meta or the skeleton lists.
type claim struct {
	RecordEntry
	dist   string // normalised name; "" for the skeleton
	conda  string // name of the conda package, "" for others
	target string // of a link of the skeleton
	link   bool   // a link whose target is not recorded
	mtime  int64  // expected, in ns; 0 for any
}

// unknown reports whether a conda client recorded a file without its digest or target, as
// for every link, and conda for the programs that it creates. The skeleton has these.
func (c *claim) unknown() bool { return c.conda != "" && !c.HasHash }

// An index is the expected content of some directories of a generation.
type index struct {
	scope  map[string]bool  // the directories; nil for all
	claims map[string]claim // by path, files in the scope only
	dirs   map[string]bool  // every directory that holds a claimed file, at any depth
	sealed bool             // the seal has a skeleton
	damage []facts.Damage   // found while indexing
}

// newIndex indexes the records and the seal for the directories in scope. For the
// distributions in expected it does not use their RECORD.
func newIndex(list records, seal Seal, expected Expected, scope map[string]bool) *index {
	x := &index{scope: scope, claims: map[string]claim{}, dirs: map[string]bool{}, sealed: len(seal.Skeleton) > 0}
	for _, f := range seal.Skeleton {
		x.add(claim{
			RecordEntry: RecordEntry{Path: f.Path, Size: f.Size, SHA256: f.SHA256, HasHash: f.Target == ""},
			target:      f.Target,
		})
	}
	for i := range list.conda {
		if list.conda[i].err != nil {
			x.damage = append(x.damage, facts.Damage{What: "changed", Path: path.Join(condaMeta, list.conda[i].file)})
		}
		for _, c := range list.conda[i].claims() {
			x.add(c)
		}
	}
	for name, files := range expected {
		for _, f := range files {
			x.add(claim{RecordEntry: RecordEntry{Path: f.Path, Size: f.Size, SHA256: f.SHA256, HasHash: true}, dist: name, mtime: f.MTime})
		}
	}
	for _, r := range list.dists {
		if expected[r.name] != nil {
			continue
		}
		info := list.sitePackages + "/" + r.infoDir
		if r.err != nil {
			what := "changed"
			if rawfile.IsAbsent(r.err) {
				what = "missing"
			}
			x.damage = append(x.damage, facts.Damage{What: what, Path: info + "/RECORD", Dist: r.name})
		}
		for _, e := range r.entries {
			x.add(claim{RecordEntry: e, dist: r.name})
		}
	}
	return x
}

// add adds one claim. Two distributions may contain the same file, such as an empty
// tests/__init__.py, but not with different contents.
func (x *index) add(c claim) {
	dir := path.Dir(c.Path)
	for d := dir; !x.dirs[d]; d = path.Dir(d) {
		x.dirs[d] = true
	}
	if x.scope != nil && !x.scope[dir] || isBytecode(c.Path) {
		return
	}
	old, twice := x.claims[c.Path]
	if !twice {
		x.claims[c.Path] = c
		return
	}
	if c.unknown() && old.dist == "" && old.conda == "" { // the skeleton has its content
		old.conda = c.conda
		x.claims[c.Path] = old
		return
	}
	if old.SHA256 != c.SHA256 || old.Sum != c.Sum || old.Size != c.Size {
		x.damage = append(x.damage,
			facts.Damage{What: "doubled", Path: c.Path, Dist: c.dist, Conda: c.conda},
			facts.Damage{What: "doubled", Path: c.Path, Dist: old.dist, Conda: old.conda})
	}
}

// isBytecode reports whether a path is a bytecode file that Python writes automatically.
// Bytecode outside __pycache__ is a module.
func isBytecode(name string) bool {
	return strings.HasSuffix(name, ".pyc") && path.Base(path.Dir(name)) == "__pycache__"
}

// isKnown reports whether a directory entry is recorded or belongs to every environment.
func (x *index) isKnown(rel string, isDir bool) bool {
	if isDir && (x.dirs[rel] || path.Base(rel) == "__pycache__") {
		return true
	}
	_, claimed := x.claims[rel]
	return claimed || isIgnored(path.Base(rel)) || isFrame(rel, isDir, x.sealed)
}

// isIgnored reports whether a file is created by NFS, for a removed file that is still
// open, or by the macOS Finder.
func isIgnored(base string) bool { return base == ".DS_Store" || strings.HasPrefix(base, ".nfs") }

// isFrame reports whether a path belongs to every environment, by the names that venv (3.8
// to 3.14), uv, conda and reconcile write. If the skeleton is sealed, only directories,
// the seal, the stamps, the list of bytecode and the lock of uv are accepted by name.
func isFrame(rel string, isDir, sealed bool) bool {
	dir, base := path.Split(rel)
	if isDir {
		switch rel {
		case "bin", "include", "lib", "lib64", "share", "reconcile", "reconcile/bin", "include/site",
			condaMeta, "etc", "etc/conda", "etc/conda/activate.d", "etc/conda/deactivate.d":
			return true
		}
		return dir == "lib/" && strings.HasPrefix(base, "python3.") ||
			strings.HasPrefix(dir, "lib/python3.") && strings.Count(dir, "/") == 2 && base == "site-packages" ||
			strings.HasPrefix(rel, "include/") && strings.HasPrefix(base, "python3.")
	}
	if rel == ".lock" || rel == layout.Seal("") || rel == layout.Stamps("") || rel == layout.BytecodeList("") {
		return true
	}
	if sealed {
		return false
	}
	switch dir {
	case "":
		return base == "pyvenv.cfg" || base == PipConf || base == "CACHEDIR.TAG" || base == ".gitignore" || base == "lib64"
	case "bin/":
		return isActivate(base) || isPythonName(base) || IsPipName(base)
	case "reconcile/":
		return base == "requirements.txt" || strings.HasPrefix(base, "conda.") // inputs of the installers
	case condaMeta + "/":
		return strings.HasSuffix(base, ".json") || base == "history" || base == "frozen" || base == "created_at"
	case "etc/conda/activate.d/", "etc/conda/deactivate.d/":
		return strings.HasPrefix(base, ActivateName+".")
	case "reconcile/bin/":
		return true
	}
	return strings.HasSuffix(dir, "/site-packages/") && (base == PipModule || strings.HasPrefix(base, "_virtualenv.")) ||
		base == "EXTERNALLY-MANAGED" && strings.HasPrefix(dir, "lib/python3.") && strings.Count(dir, "/") == 2
}

// ActivateName is the name, without suffix, of reconcile's scripts in activate.d and
// deactivate.d. Conda clients source these folders in order of name, and it sorts first.
const ActivateName = "00-reconcile"

// PipModule is the file in site-packages, and PipConf that in the environment, which apply
// writes for pip.
const (
	PipModule = "pip.py"
	PipConf   = "pip.conf"
)

// IsPipName reports whether a program in bin is pip. If no package contains it, apply
// writes programs of these names.
func IsPipName(base string) bool { return base == "pip" || base == "pip3" }

func isPythonName(base string) bool {
	return base == "python" || base == "python3" || strings.HasPrefix(base, "python3.") && !strings.Contains(base, "config")
}
