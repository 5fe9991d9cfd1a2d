package pyenv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/pep"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// CheckFast returns the differences between a generation and its seal that can be found
// with one lstat for each directory:
//
//  1. the interpreter and the path of the generation;
//  2. the distributions, by the names of their metadata folders;
//  3. missing and foreign files and changed sizes, by RECORD, in the directories whose
//     times differ from the stamps, or in all if there are no valid stamps.
//
// It does not find files that were modified in place; Verify does. An error means that a
// file could not be read.
func CheckFast(genDir string, seal Seal) ([]facts.Damage, error) {
	damage, err := checkFrame(genDir, seal)
	if err != nil {
		return nil, err
	}
	sitePackages, _, err := SitePackages(genDir)
	if err != nil {
		return noLibrary(damage, "lib", err)
	}
	changes, err := comparePackages(genDir, sitePackages, seal)
	if err != nil {
		return nil, err
	}
	damage = append(damage, changes...)
	var scope map[string]bool // nil for all directories
	stamps, written, err := readStamps(genDir)
	stamped := err == nil
	if !stamped && !rawfile.IsAbsent(err) && err != errStampsDamaged {
		return nil, err
	}
	var dirs []string
	if stamped {
		changed, missing, err := changedDirs(genDir, stamps, written)
		if err != nil {
			return nil, err
		}
		if len(changed)+len(missing) == 0 {
			return sorted(damage), nil
		}
		dirs, scope = changed, map[string]bool{}
		for _, dir := range slices.Concat(changed, missing) {
			scope[dir] = true
		}
	}
	records, err := readRecords(genDir)
	if err != nil {
		return noLibrary(damage, sitePackages, err)
	}
	x := newIndex(records, seal, nil, scope)
	if !stamped {
		if dirs, err = x.knownDirs(genDir); err != nil {
			return nil, err
		}
	}
	found, err := x.inspect(context.Background(), genDir, dirs, nil)
	return sorted(append(damage, found...)), err
}

// NoLibrary reports whether an error means that there is no environment, or that it has
// no Python library or several.
func NoLibrary(err error) bool { return rawfile.IsAbsent(err) || errors.Is(err, errLibrary) }

// noLibrary adds the missing folder of a library to damage and returns any other error.
func noLibrary(damage []facts.Damage, folder string, err error) ([]facts.Damage, error) {
	if NoLibrary(err) {
		return sorted(append(damage, facts.Damage{What: "missing", Path: folder})), nil
	}
	return nil, err
}

// checkFrame checks the interpreter, its home directory, and the path of the generation
// in its launchers.
func checkFrame(genDir string, seal Seal) ([]facts.Damage, error) {
	var damage []facts.Damage
	if seal.Version > 0 && (seal.Prefix == "" || len(seal.Skeleton) == 0) {
		damage = append(damage, facts.Damage{What: "seal", Path: layout.Seal("")})
	}
	info, err := os.Stat(filepath.Join(genDir, "bin", "python"))
	switch {
	case err != nil && !rawfile.IsAbsent(err):
		return nil, err
	case err != nil || !info.Mode().IsRegular() || info.Mode()&0o111 == 0:
		damage = append(damage, facts.Damage{What: "interpreter", Path: "bin/python"})
	}
	if len(seal.Conda) == 0 { // a conda environment contains its interpreter
		home, err := homeExists(genDir)
		if err != nil {
			return nil, err
		}
		if !home {
			damage = append(damage, facts.Damage{What: "interpreter", Path: "pyvenv.cfg"})
		}
	}
	moved, err := movedFile(genDir, seal)
	if err != nil {
		return nil, err
	}
	if moved != "" {
		damage = append(damage, facts.Damage{What: "moved", Path: moved})
	}
	return damage, nil
}

// homeExists reports whether pyvenv.cfg is valid and its home is a directory.
func homeExists(genDir string) (bool, error) {
	c, err := ReadConfig(genDir)
	if errors.Is(err, errConfig) || rawfile.IsAbsent(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	info, err := os.Stat(c.Home)
	if err != nil {
		return false, ignoreAbsent(err)
	}
	return info.IsDir(), nil
}

// movedFile returns the file which shows that the generation was built at another path,
// or "".
func movedFile(genDir string, seal Seal) (string, error) {
	abs, err := filepath.Abs(genDir)
	if err != nil {
		return "", err
	}
	if seal.Prefix != "" && seal.Prefix != abs {
		return layout.Seal(""), nil
	}
	launcher := path.Join(layout.Launchers(""), "python")
	b, err := readFile(filepath.Join(genDir, launcher), nil, maxMetadata)
	if err != nil {
		return "", ignoreAbsent(err) // the skeleton reports a missing launcher
	}
	python := strings.ReplaceAll(abs+"/bin/python", "'", `'\''`) // as quoted for a shell
	if !bytes.Contains(b, []byte(python)) {
		return launcher, nil
	}
	return "", nil
}

// strayScripts lists the programs in bin that start the interpreter of another
// generation, as in a store that was moved or copied. They run while the other
// generation exists, and import its packages.
func strayScripts(genDir string) ([]facts.Damage, error) {
	names, err := Scripts(genDir)
	if err != nil {
		return nil, ignoreAbsent(err) // a missing bin is reported elsewhere
	}
	var stray []facts.Damage
	bin := []byte(genDir + "/bin/")
	quoted := bytes.ReplaceAll(bin, []byte("'"), []byte(`'\''`))
	for _, name := range names {
		head, err := scriptHead(filepath.Join(genDir, "bin", name))
		if err != nil {
			return nil, err
		}
		inStore := bytes.Contains(head, []byte("/projects/")) && bytes.Contains(head, []byte("/envs/"))
		if inStore && !bytes.Contains(head, bin) && !bytes.Contains(head, quoted) {
			stray = append(stray, facts.Damage{What: "moved", Path: path.Join("bin", name)})
		}
	}
	return stray, nil
}

// scriptHead returns the lines that name the interpreter of a script: the first, and the
// two after #!/bin/sh that pip and uv write for long paths. It returns nil for other
// programs.
func scriptHead(file string) ([]byte, error) {
	head, err := rawfile.Head(file, make([]byte, 4096))
	if err != nil || !bytes.HasPrefix(head, []byte("#!")) {
		return nil, ignoreAbsent(err)
	}
	lines := bytes.SplitN(head, []byte("\n"), 4)
	if !bytes.HasPrefix(lines[0], []byte("#!/bin/sh")) {
		return lines[0], nil
	}
	return bytes.Join(lines[:min(3, len(lines))], []byte("\n")), nil
}

// comparePackages compares the names of the metadata folders with the seal.
func comparePackages(genDir, sitePackages string, seal Seal) ([]facts.Damage, error) {
	dir := filepath.Join(genDir, sitePackages)
	names, err := infoNames(dir)
	if rawfile.IsAbsent(err) {
		return []facts.Damage{{What: "missing", Path: sitePackages}}, nil
	}
	if err != nil {
		return nil, err
	}
	var damage []facts.Damage
	expected := slices.Concat(seal.CondaDists, seal.Packages) // the lock for pip takes precedence
	want := make(map[string]string, len(expected))
	for _, p := range expected {
		want[p.Name] = p.Version
	}
	seen := make(map[string]bool, len(names))
	for _, entry := range names {
		d, err := distByName(dir, entry, want)
		if err != nil {
			return nil, err
		}
		version, sealed := want[d.Name]
		at := facts.Damage{Path: sitePackages + "/" + entry, Dist: d.Name}
		switch {
		case entry[0] == '~':
			at.What, at.Dist = "foreign", ""
		case !sealed:
			at.What = "foreign"
		case version != d.Version, seen[d.Name]:
			at.What, at.Version, at.Sealed = "package", d.Version, version
		case d.Problem != "":
			at.What = "changed"
		}
		if at.What != "" {
			damage = append(damage, at)
		}
		seen[d.Name] = seen[d.Name] || entry[0] != '~'
	}
	for _, p := range expected {
		if !seen[p.Name] {
			damage = append(damage, facts.Damage{What: "missing", Path: fmt.Sprintf("%s/%s-%s.dist-info", sitePackages, strings.ReplaceAll(p.Name, "-", "_"), p.Version), Dist: p.Name})
		}
	}
	return damage, nil
}

// distByName returns the name and version from a folder name if they match the seal, and
// otherwise from METADATA: old wheels spell the version differently in the folder name.
func distByName(sitePackages, entry string, want map[string]string) (Dist, error) {
	name, version, ok := parseInfoName(entry)
	name = pep.Normalize(name)
	if v, sealed := want[name]; ok && sealed && v == version && entry[0] != '~' {
		return Dist{Name: name, Version: version, InfoDir: entry}, nil
	}
	return readDist(sitePackages, entry, make([]byte, 4096))
}

// ignoreAbsent returns nil for an error that means that a path does not exist.
func ignoreAbsent(err error) error {
	if rawfile.IsAbsent(err) {
		return nil
	}
	return err
}
