package pyenv

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/pep"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// A Dist is one installed distribution, read from its metadata folder.
type Dist struct {
	Name    string // normalised
	Version string // as in its metadata
	Origin  string // "" for an index; else "editable", "vcs", "local", "url"
	InfoDir string // name of the dist-info or egg-info entry in site-packages
	// Problem tells why this is not a valid installation, such as the remains of an
	// interrupted pip or metadata without a name; "" if it is valid.
	Problem string
}

// Installed lists the distributions in a site-packages folder by normalised name,
// including several entries of one name. A folder that does not exist has none. An entry
// whose metadata exists but cannot be read is an error.
func Installed(sitePackages string) ([]Dist, error) {
	names, err := infoNames(sitePackages)
	if err != nil {
		return nil, ignoreAbsent(err)
	}
	dists := make([]Dist, len(names))
	buffers := make([][]byte, workers())
	err = each(len(names), func(w, i int) (err error) {
		if buffers[w] == nil {
			buffers[w] = make([]byte, 4096)
		}
		dists[i], err = readDist(sitePackages, names[i], buffers[w])
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(dists, func(a, b Dist) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.InfoDir, b.InfoDir))
	})
	return dists, nil
}

// infoNames lists the metadata entries of a site-packages folder, including those that pip
// renamed (~…) before removing them.
func infoNames(sitePackages string) ([]string, error) {
	names, err := readNames(sitePackages)
	return slices.DeleteFunc(names, func(n string) bool { return !isInfo(n) && n[0] != '~' }), err
}

func isInfo(name string) bool {
	return strings.HasSuffix(name, ".dist-info") || strings.HasSuffix(name, ".egg-info")
}

// readNames lists a directory without an lstat of each entry.
func readNames(dir string) ([]string, error) {
	f, err := rawfile.OpenDir(dir, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

// readDist reads the metadata of one entry. buf is scratch space.
func readDist(sitePackages, entry string, buf []byte) (Dist, error) {
	d := Dist{InfoDir: entry}
	if entry[0] == '~' {
		// It can no longer be imported, but importlib.metadata still lists it.
		name, version, _ := parseInfoName(entry[1:])
		d.Name, d.Version, d.Problem = pep.Normalize(cmp.Or(name, entry[1:])), version, "left behind by an interrupted pip"
		return d, nil
	}
	dir := sitePackages + "/" + entry
	file, err := readDistMetadata(dir, entry, buf, &d)
	if err != nil {
		return d, err
	}
	if d.Problem == "" && (d.Name == "" || d.Version == "") {
		d.Problem = fmt.Sprintf("%s has no name or no version", file)
	}
	if d.Name == "" {
		name, version, _ := parseInfoName(entry)
		d.Name, d.Version = name, cmp.Or(d.Version, version)
	}
	d.Name = pep.Normalize(d.Name)
	if !strings.HasSuffix(entry, ".dist-info") {
		return d, readEggLink(sitePackages, &d)
	}
	b, err := readFile(dir+"/direct_url.json", buf, maxMetadata)
	if err != nil {
		return d, ignoreAbsent(err)
	}
	if d.Origin, err = parseOrigin(b); err != nil {
		d.Problem = err.Error()
	}
	return d, nil
}

// readDistMetadata sets the name and version of d and returns the name of the file that
// was read.
func readDistMetadata(dir, entry string, buf []byte, d *Dist) (string, error) {
	file := "METADATA"
	if strings.HasSuffix(entry, ".egg-info") {
		file = "PKG-INFO"
	}
	head, err := rawfile.Head(dir+"/"+file, buf)
	if rawfile.IsAbsent(err) && file == "PKG-INFO" {
		head, err = rawfile.Head(dir, buf) // the entry may be the file itself
	}
	if rawfile.IsAbsent(err) {
		d.Problem = "has no " + file
		return file, nil
	}
	if err != nil {
		return file, err
	}
	var done bool
	if d.Name, d.Version, done = parseMetadata(head); done || len(head) < len(buf) {
		return file, nil
	}
	whole, err := readFile(dir+"/"+file, nil, maxMetadata)
	if err != nil {
		return file, err
	}
	d.Name, d.Version, _ = parseMetadata(append(whole, '\n'))
	return file, nil
}

// readEggLink sets the Origin of a legacy editable install, for which setuptools writes
// NAME.egg-link.
func readEggLink(sitePackages string, d *Dist) error {
	for _, name := range []string{d.Name, strings.ReplaceAll(d.Name, "-", "_")} {
		if _, err := os.Lstat(sitePackages + "/" + name + ".egg-link"); err == nil {
			d.Origin = "editable"
		} else if !rawfile.IsAbsent(err) {
			return err
		}
	}
	return nil
}

// parseMetadata returns the name and version in the head of a METADATA or PKG-INFO file:
// RFC 822 headers up to the first blank line. done is false if the text ends before both
// are found and before the headers end.
func parseMetadata(b []byte) (name, version string, done bool) {
	for len(b) > 0 {
		line, rest, whole := bytes.Cut(b, []byte("\n"))
		if !whole {
			break
		}
		b = rest
		line = bytes.TrimSuffix(line, []byte("\r"))
		if len(line) == 0 {
			return name, version, true
		}
		key, value, ok := bytes.Cut(line, []byte(":"))
		switch {
		case !ok || line[0] == ' ' || line[0] == '\t': // a folded header
		case name == "" && bytes.EqualFold(key, []byte("name")):
			name = string(bytes.TrimSpace(value))
		case version == "" && bytes.EqualFold(key, []byte("version")):
			version = string(bytes.TrimSpace(value))
		}
		if name != "" && version != "" {
			return name, version, true
		}
	}
	return name, version, false
}

// parseOrigin returns the origin in a direct_url.json (PEP 610).
func parseOrigin(b []byte) (string, error) {
	var doc struct {
		URL     string `json:"url"`
		DirInfo *struct {
			Editable bool `json:"editable"`
		} `json:"dir_info"`
		VCSInfo     *struct{} `json:"vcs_info"`
		ArchiveInfo *struct{} `json:"archive_info"`
	}
	if err := json.Unmarshal(b, &doc); err != nil {
		return "", fmt.Errorf("direct_url.json: %w", err)
	}
	switch {
	case doc.DirInfo != nil && doc.DirInfo.Editable:
		return "editable", nil
	case doc.VCSInfo != nil:
		return "vcs", nil
	case doc.DirInfo != nil, strings.HasPrefix(doc.URL, "file:"):
		return "local", nil
	}
	return "url", nil
}

// parseInfoName splits the name of a metadata entry: "lxml_html_clean" and "0.4.4" for
// lxml_html_clean-0.4.4.dist-info, "torch" and "2.1.0" for torch-2.1.0-py3.10.egg-info.
// Only METADATA is authoritative.
func parseInfoName(entry string) (name, version string, ok bool) {
	stem, isDist := strings.CutSuffix(entry, ".dist-info")
	if !isDist {
		var isEgg bool
		if stem, isEgg = strings.CutSuffix(entry, ".egg-info"); !isEgg {
			return "", "", false
		}
		if i := strings.LastIndex(stem, "-py"); i > 0 {
			stem = stem[:i]
		}
	}
	if i := strings.LastIndexByte(stem, '-'); i > 0 {
		return stem[:i], stem[i+1:], true
	}
	return stem, "", !isDist && stem != "" // NAME.egg-info is a legacy editable install
}
