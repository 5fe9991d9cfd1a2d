package pyenv

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/pep"
)

// Installed lists the distributions in a site-packages folder by normalised
// name, two entries of one name included. A folder that does not exist holds
// none. An entry whose metadata cannot be read for a reason other than its
// absence is an error: not seen is not the same as not there.
func Installed(sitePackages string) ([]Dist, error) {
	names, err := infoNames(sitePackages)
	if gone(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	dists := make([]Dist, len(names))
	buffers := make([][]byte, workers())
	err = each(len(names), func(w, i int) error {
		if buffers[w] == nil {
			buffers[w] = make([]byte, 4096)
		}
		d, err := readDist(sitePackages, names[i], buffers[w])
		dists[i] = d
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

// infoNames lists the entries of a site-packages folder that stand for a
// distribution, or for the remains of one (a name that pip began with ~).
func infoNames(sitePackages string) ([]string, error) {
	names, err := readNames(sitePackages)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(names, func(n string) bool { return !isInfo(n) && n[0] != '~' }), nil
}

func isInfo(name string) bool {
	return strings.HasSuffix(name, ".dist-info") || strings.HasSuffix(name, ".egg-info")
}

// readNames lists a directory without looking at its entries.
func readNames(dir string) ([]string, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

// readDist reads what is known of one entry. buf is scratch.
func readDist(sitePackages, entry string, buf []byte) (Dist, error) {
	d := Dist{InfoDir: entry}
	if entry[0] == '~' {
		// pip renames a folder so before it removes it; nothing imports it by
		// its name, but importlib.metadata still counts the metadata.
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
	if d.Installer, err = readInstaller(dir, buf); err != nil {
		return d, err
	}
	return d, readOrigin(dir, buf, &d)
}

// readDistMetadata fills in name and version and returns the file that tells
// them.
func readDistMetadata(dir, entry string, buf []byte, d *Dist) (string, error) {
	file := "METADATA"
	if strings.HasSuffix(entry, ".egg-info") {
		file = "PKG-INFO"
	}
	head, err := readHead(dir+"/"+file, buf)
	if gone(err) && file == "PKG-INFO" {
		head, err = readHead(dir, buf) // the entry may be the file itself
	}
	if gone(err) {
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

func readInstaller(dir string, buf []byte) (string, error) {
	b, err := readHead(dir+"/INSTALLER", buf[:64])
	if gone(err) {
		return "", nil
	}
	return string(bytes.TrimSpace(b)), err
}

func readOrigin(dir string, buf []byte, d *Dist) error {
	b, err := readFile(dir+"/direct_url.json", buf, maxMetadata)
	if gone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if d.Origin, err = parseOrigin(b); err != nil {
		d.Problem = err.Error()
	}
	return nil
}

// readEggLink tells whether legacy metadata belongs to an editable install, for
// which setuptools left NAME.egg-link beside it.
func readEggLink(sitePackages string, d *Dist) error {
	for _, name := range []string{d.Name, strings.ReplaceAll(d.Name, "-", "_")} {
		_, err := os.Lstat(sitePackages + "/" + name + ".egg-link")
		if err == nil {
			d.Origin = "editable"
			return nil
		}
		if !gone(err) {
			return err
		}
	}
	return nil
}
