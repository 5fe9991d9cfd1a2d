package pyenv

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/pep"
)

// condaMeta is the folder in which conda clients record the installed packages.
const condaMeta = "conda-meta"

// maxCondaMeta is the largest size of a record in bytes. That of Python lists some 20,000
// files.
const maxCondaMeta = 64 << 20

// IsConda reports whether an environment is a conda environment.
func IsConda(envDir string) (bool, error) {
	info, err := os.Lstat(filepath.Join(envDir, condaMeta))
	return err == nil && info.IsDir(), ignoreAbsent(err)
}

// A condaRecord is one file of conda-meta: a package and its files.
type condaRecord struct {
	facts.CondaPackage
	file   string // name in conda-meta
	noarch string // "python", "generic"; "" for others
	paths  []condaPath
	err    error // why it is invalid, if it is
}

// A condaPath is one file of a conda package.
type condaPath struct {
	Path   string       `json:"_path"`
	Type   string       `json:"path_type"` // "hardlink", "softlink", "directory", "unix_python_entry_point", "pyc_file" …
	SHA256 facts.SHA256 `json:"sha256"`
	// InPrefix is the digest after the path of the environment was written into the file;
	// Size then no longer applies.
	InPrefix    facts.SHA256 `json:"sha256_in_prefix"`
	Size        *int64       `json:"size_in_bytes"`
	Placeholder string       `json:"prefix_placeholder"`
}

// readCondaMeta reads conda-meta of an environment, sorted by package name. It returns
// none if there is no such folder. An invalid record has only its error; the returned
// error is that of a file that could not be read. pip may have replaced a recorded
// package since, so site-packages takes precedence.
//
// conda records the files of a noarch Python package by their paths in the archive,
// site-packages/… and python-scripts/…; they are returned as installed.
func readCondaMeta(envDir, sitePackages string) ([]condaRecord, error) {
	dir := filepath.Join(envDir, condaMeta)
	names, err := readNames(dir)
	if err != nil {
		return nil, ignoreAbsent(err)
	}
	names = slices.DeleteFunc(names, func(n string) bool { return !strings.HasSuffix(n, ".json") || n[0] == '.' }) // ._NAME is written by macOS
	slices.Sort(names)
	records := make([]condaRecord, len(names))
	err = each(len(names), func(_, i int) error {
		file := filepath.Join(dir, names[i])
		b, err := readFile(file, nil, maxCondaMeta)
		if err != nil {
			return err
		}
		if records[i], err = parseCondaRecord(b); err != nil {
			records[i].err = fmt.Errorf("%s: %w", file, err)
		}
		records[i].file = names[i]
		records[i].resolvePaths(sitePackages)
		return nil
	})
	slices.SortFunc(records, func(a, b condaRecord) int { return strings.Compare(a.Name, b.Name) })
	return records, err
}

var errCondaRecord = errors.New("is not a conda record")

// parseCondaRecord reads one file of conda-meta. An invalid path, such as an absolute one
// or one that leads out of the environment, is an error.
func parseCondaRecord(b []byte) (condaRecord, error) {
	var doc struct {
		facts.CondaPackage
		Noarch    any `json:"noarch"` // a string, or true in old packages
		PathsData struct {
			Paths []condaPath `json:"paths"`
		} `json:"paths_data"`
		Files []string `json:"files"`
	}
	if err := json.Unmarshal(b, &doc); err != nil {
		return condaRecord{}, fmt.Errorf("%w: %w", errCondaRecord, err)
	}
	if doc.Name == "" || doc.Version == "" {
		return condaRecord{}, fmt.Errorf("%w: no name or version", errCondaRecord)
	}
	r := condaRecord{CondaPackage: doc.CondaPackage, paths: doc.PathsData.Paths}
	r.noarch, _ = doc.Noarch.(string)
	if len(r.paths) == 0 { // written before conda 4.3, or an empty package
		for _, f := range doc.Files {
			r.paths = append(r.paths, condaPath{Path: f})
		}
	}
	for i := range r.paths {
		clean := path.Clean(r.paths[i].Path)
		if !filepath.IsLocal(clean) || clean == "." || strings.Contains(clean, "\x00") {
			return condaRecord{}, fmt.Errorf("%w: the path %.200q leads out of the environment", errCondaRecord, r.paths[i].Path)
		}
		r.paths[i].Path = clean
	}
	return r, nil
}

// resolvePaths turns the archive paths of a noarch Python package into paths of the
// environment.
func (r *condaRecord) resolvePaths(sitePackages string) {
	if r.noarch != "python" {
		return
	}
	for i := range r.paths {
		p := &r.paths[i].Path
		if rest, ok := strings.CutPrefix(*p, "site-packages/"); ok {
			*p = sitePackages + "/" + rest
		} else if rest, ok := strings.CutPrefix(*p, "python-scripts/"); ok {
			*p = "bin/" + rest
		}
	}
}

// claims returns the files of a package, without directories.
func (r *condaRecord) claims() []claim {
	list := make([]claim, 0, len(r.paths))
	for i := range r.paths {
		p := &r.paths[i]
		if p.Type == "directory" {
			continue
		}
		c := claim{RecordEntry: RecordEntry{Path: p.Path, Size: -1, SHA256: p.SHA256, HasHash: !p.SHA256.IsZero()}, conda: r.Name}
		switch {
		case p.Type == "softlink":
			c.link, c.HasHash, c.SHA256 = true, false, facts.SHA256{} // the digest is that of the target
		case !p.InPrefix.IsZero():
			c.SHA256, c.HasHash = p.InPrefix, true
		case p.Placeholder != "":
			c.HasHash = false // rewritten, and the new digest was not recorded
		case p.Size != nil && *p.Size >= 0:
			c.Size = *p.Size
		}
		list = append(list, c)
	}
	return list
}

// infoDirs maps the metadata folders in site-packages that conda packages contain to the
// packages. Their RECORD files describe the machine that built them; conda-meta describes
// this environment.
func infoDirs(records []condaRecord, sitePackages string) map[string]string {
	dirs := map[string]string{}
	for i := range records {
		for j := range records[i].paths {
			rest, ok := strings.CutPrefix(records[i].paths[j].Path, sitePackages+"/")
			if info, _, _ := strings.Cut(rest, "/"); ok && isInfo(info) {
				dirs[info] = records[i].Name
			}
		}
	}
	return dirs
}

func condaRecords(envDir string) (sitePackages string, records []condaRecord, err error) {
	if sitePackages, _, err = SitePackages(envDir); err != nil {
		return "", nil, err
	}
	records, err = readCondaMeta(envDir, sitePackages)
	return sitePackages, records, err
}

// CondaDists lists the Python distributions that the conda packages of an environment
// contain, by normalised name, with the versions of their metadata.
func CondaDists(envDir string) ([]facts.Package, error) {
	sitePackages, records, err := condaRecords(envDir)
	if err != nil {
		return nil, err
	}
	for i := range records {
		if err := records[i].err; err != nil {
			return nil, err
		}
	}
	return condaDists(envDir, sitePackages, records)
}

// DuplicateDists returns the distributions of list that conda packages of an environment
// contain too, with the names of these packages: installing list replaces conda's files.
func DuplicateDists(envDir string, list []facts.Package) ([]facts.Damage, error) {
	sitePackages, records, err := condaRecords(envDir)
	if err != nil {
		return nil, err
	}
	var found []facts.Damage
	for info, conda := range infoDirs(records, sitePackages) {
		name, _, ok := parseInfoName(info)
		name = pep.Normalize(name)
		if ok && slices.ContainsFunc(list, func(p facts.Package) bool { return p.Name == name }) {
			found = append(found, facts.Damage{What: "twice", Dist: name, Conda: conda})
		}
	}
	slices.SortFunc(found, func(a, b facts.Damage) int { return strings.Compare(a.Dist, b.Dist) })
	return found, nil
}

func condaDists(envDir, sitePackages string, records []condaRecord) ([]facts.Package, error) {
	var list []facts.Package
	buf := make([]byte, 4096)
	for info := range infoDirs(records, sitePackages) {
		d, err := readDist(filepath.Join(envDir, sitePackages), info, buf)
		if err != nil {
			return nil, err
		}
		list = append(list, facts.Package{Name: d.Name, Version: d.Version})
	}
	slices.SortFunc(list, func(a, b facts.Package) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Version, b.Version))
	})
	return slices.Compact(list), nil
}

// compareConda compares the records of conda-meta with the sealed packages.
func compareConda(records []condaRecord, sealed []facts.CondaPackage) []facts.Damage {
	want := map[string]facts.CondaPackage{}
	for _, p := range sealed {
		want[p.Name] = p
	}
	var damage []facts.Damage
	for i := range records {
		r := &records[i]
		if r.err != nil { // the index reports the file
			maps.DeleteFunc(want, func(_ string, p facts.CondaPackage) bool { return condaFile(p) == r.file })
			continue
		}
		p, ok := want[r.Name]
		at := facts.Damage{Path: path.Join(condaMeta, r.file), Conda: r.Name}
		switch {
		case !ok:
			at.What = "foreign"
		case p.Version != r.Version || p.Build != r.Build || p.SHA256 != r.SHA256:
			at.What, at.Version, at.Sealed = "package", r.Version+" "+r.Build, p.Version+" "+p.Build
		}
		if at.What != "" {
			damage = append(damage, at)
		}
		delete(want, r.Name)
	}
	for _, p := range want {
		damage = append(damage, facts.Damage{What: "missing", Path: path.Join(condaMeta, condaFile(p)), Conda: p.Name})
	}
	return damage
}

// condaFile returns the name of a package's record in conda-meta.
func condaFile(p facts.CondaPackage) string {
	return p.Name + "-" + p.Version + "-" + p.Build + ".json"
}
