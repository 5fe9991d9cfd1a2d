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

// condaMeta is the folder in which clients of conda say what they installed.
const condaMeta = "conda-meta"

// maxCondaMeta is the largest of its files, in bytes: that of Python lists some
// 20,000 files.
const maxCondaMeta = 64 << 20

// IsConda reports whether an environment is one of conda.
func IsConda(envDir string) (bool, error) {
	info, err := os.Lstat(filepath.Join(envDir, condaMeta))
	if gone(err) {
		return false, nil
	}
	return err == nil && info.IsDir(), err
}

// A condaRecord is one file of conda-meta: a package and what it brought.
type condaRecord struct {
	facts.CondaPackage
	file   string // name in conda-meta
	noarch string // "python", "generic"; "" for others
	paths  []condaPath
	err    error // why it could not be read, if it is malformed
}

// A condaPath is one file of a package of conda.
type condaPath struct {
	Path   string       `json:"_path"`
	Type   string       `json:"path_type"` // "hardlink", "softlink", "directory", "unix_python_entry_point", "pyc_file" …
	SHA256 facts.SHA256 `json:"sha256"`
	// InPrefix is the digest after the path of the environment was written into the
	// file; its size is then that of the package no more.
	InPrefix    facts.SHA256 `json:"sha256_in_prefix"`
	Size        *int64       `json:"size_in_bytes"`
	Placeholder string       `json:"prefix_placeholder"`
}

// readCondaMeta reads conda-meta of an environment, by name of the package; none
// where there is no such folder. What conda-meta names is what conda installed,
// which pip may have replaced since: site-packages goes before it. A record that no
// client wrote has its error and nothing else; the error returned is that of a file
// that could not be looked at.
//
// conda itself notes the files of a noarch package of Python as they lie in the
// archive, site-packages/… and python-scripts/…; they are returned where they are.
func readCondaMeta(envDir, sitePackages string) ([]condaRecord, error) {
	names, err := condaFiles(envDir)
	if err != nil {
		return nil, err
	}
	records := make([]condaRecord, len(names))
	err = each(len(names), func(_, i int) error {
		file := filepath.Join(envDir, condaMeta, names[i])
		b, err := readFile(file, nil, maxCondaMeta)
		if err != nil {
			return err
		}
		if records[i], err = parseCondaRecord(b); err != nil {
			records[i].err = fmt.Errorf("%s: %w", file, err)
		}
		records[i].file = names[i]
		records[i].place(sitePackages)
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(records, func(a, b condaRecord) int { return strings.Compare(a.Name, b.Name) })
	return records, nil
}

// condaFiles lists the records in conda-meta. What macOS leaves beside files on a
// foreign disk (._NAME) is none.
func condaFiles(envDir string) ([]string, error) {
	names, err := readNames(filepath.Join(envDir, condaMeta))
	if gone(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	names = slices.DeleteFunc(names, func(n string) bool { return !strings.HasSuffix(n, ".json") || n[0] == '.' })
	slices.Sort(names)
	return names, nil
}

// errCondaRecord is what a file of conda-meta gives that no client wrote.
var errCondaRecord = errors.New("is not a record of conda")

// parseCondaRecord reads one file of conda-meta. A path that is absolute, leads
// out of the environment or can be none of a file is an error.
func parseCondaRecord(b []byte) (condaRecord, error) {
	var doc struct {
		Name      string       `json:"name"`
		Version   string       `json:"version"`
		Build     string       `json:"build"`
		Channel   string       `json:"channel"`
		Subdir    string       `json:"subdir"`
		Noarch    any          `json:"noarch"` // text, and in old packages true
		SHA256    facts.SHA256 `json:"sha256"`
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
	r := condaRecord{
		CondaPackage: facts.CondaPackage{Name: doc.Name, Version: doc.Version, Build: doc.Build, Channel: doc.Channel, Subdir: doc.Subdir, SHA256: doc.SHA256},
		paths:        doc.PathsData.Paths,
	}
	r.noarch, _ = doc.Noarch.(string)
	if len(r.paths) == 0 { // written before conda 4.3, or with nothing in it
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

// place turns paths of an archive into those of the environment.
func (r *condaRecord) place(sitePackages string) {
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

// claims are the files of a package, directories left out.
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
			c.link, c.HasHash, c.SHA256 = true, false, facts.SHA256{} // the digest is that of what it leads to
		case !p.InPrefix.IsZero():
			c.SHA256, c.HasHash = p.InPrefix, true
		case p.Placeholder != "":
			c.HasHash = false // rewritten, and the client did not say into what
		case p.Size != nil && *p.Size >= 0:
			c.Size = *p.Size
		}
		list = append(list, c)
	}
	return list
}

// infoDirs are the metadata folders in site-packages that packages of conda
// brought. What their RECORD says is of the machine that built them; conda-meta
// says what is here.
func infoDirs(records []condaRecord, sitePackages string) map[string]string {
	dirs := map[string]string{}
	for i := range records {
		for j := range records[i].paths {
			rest, ok := strings.CutPrefix(records[i].paths[j].Path, sitePackages+"/")
			if !ok {
				continue
			}
			if info, _, _ := strings.Cut(rest, "/"); isInfo(info) {
				dirs[info] = records[i].Name
			}
		}
	}
	return dirs
}

// condaRecords reads conda-meta of an environment, and says where its library is.
func condaRecords(envDir string) (sitePackages string, records []condaRecord, err error) {
	if sitePackages, _, err = SitePackages(envDir); err != nil {
		return "", nil, err
	}
	records, err = readCondaMeta(envDir, sitePackages)
	return sitePackages, records, err
}

// CondaDists lists the distributions of Python that packages of conda brought into
// an environment, by normalised name, as their metadata says it.
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

// DuplicateDists names the distributions that packages of conda brought into an environment and
// that are in a list too, with the package that brought them: an installer of the list
// replaces what conda installed.
func DuplicateDists(envDir string, list []facts.Package) ([]facts.Damage, error) {
	sitePackages, records, err := condaRecords(envDir)
	if err != nil {
		return nil, err
	}
	var found []facts.Damage
	for info, conda := range infoDirs(records, sitePackages) {
		name, _, ok := parseInfoName(info)
		if !ok {
			continue
		}
		name = pep.Normalize(name)
		if slices.ContainsFunc(list, func(p facts.Package) bool { return p.Name == name }) {
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

// compareConda compares what conda-meta names with what was sealed.
func compareConda(records []condaRecord, sealed []facts.CondaPackage) []facts.Damage {
	want := map[string]facts.CondaPackage{}
	for _, p := range sealed {
		want[p.Name] = p
	}
	var damage []facts.Damage
	for i := range records {
		r := &records[i]
		if r.err != nil { // said of the file, which is that of a package by its name only
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

// condaFile is the name of a package's record in conda-meta.
func condaFile(p facts.CondaPackage) string {
	return p.Name + "-" + p.Version + "-" + p.Build + ".json"
}
