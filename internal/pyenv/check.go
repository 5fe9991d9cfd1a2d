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

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/pep"
)

// CheckFast says whether a sealed generation is still as it was sealed, at a
// cost of one lstat a directory:
//
//  1. The interpreter is there, and the generation stands where it was built.
//  2. The distributions by the names of their folders are those of the seal.
//  3. Directories whose times differ from the stamps, or all where there are
//     none, are compared with the RECORD files: missing and foreign files,
//     other sizes.
//
// What it cannot see is a file that was written in place; Verify can. An error
// means that something could not be looked at.
func CheckFast(genDir string, seal Seal) ([]facts.Damage, error) {
	damage, err := checkFrame(genDir, seal)
	if err != nil {
		return nil, err
	}
	sitePackages, _, err := SitePackages(genDir)
	if err != nil {
		return noLibrary(damage, err)
	}
	changes, err := comparePackages(genDir, sitePackages, seal)
	if err != nil {
		return nil, err
	}
	damage = append(damage, changes...)
	stamps, written, err := readStamps(genDir)
	if err != nil && !gone(err) && err != errStampsDamaged {
		return nil, err
	}
	if err != nil {
		found, err := checkAll(context.Background(), genDir, sitePackages, seal, nil)
		return collapse(append(damage, found...)), err
	}
	changed, missing, err := changedDirs(genDir, stamps, written)
	if err != nil {
		return nil, err
	}
	if len(changed)+len(missing) == 0 {
		return collapse(damage), nil
	}
	records, err := readRecords(genDir, sitePackages)
	if err != nil {
		return nil, err
	}
	scope := make(map[string]bool, len(changed)+len(missing))
	for _, dir := range append(changed, missing...) {
		scope[dir] = true
	}
	x := newIndex(records, sitePackages, seal, scope)
	found, err := x.inspect(context.Background(), genDir, changed, nil)
	return collapse(append(damage, found...)), err
}

// checkAll compares a whole generation with its RECORD files and its skeleton.
func checkAll(ctx context.Context, genDir, sitePackages string, seal Seal, check func(int, *claim) (bool, error)) ([]facts.Damage, error) {
	records, err := readRecords(genDir, sitePackages)
	if err != nil {
		return nil, err
	}
	x := newIndex(records, sitePackages, seal, nil)
	dirs, err := x.knownDirs(genDir)
	if err != nil {
		return nil, err
	}
	return x.inspect(ctx, genDir, dirs, check)
}

// NoLibrary reports whether an error means that there is no environment at all, or
// none with one library of Python.
func NoLibrary(err error) bool { return gone(err) || errors.Is(err, errLibrary) }

// noLibrary tells a generation without its library from one that could not be
// looked at.
func noLibrary(damage []facts.Damage, err error) ([]facts.Damage, error) {
	if NoLibrary(err) {
		return collapse(append(damage, facts.Damage{What: "missing", Path: "lib"})), nil
	}
	return nil, err
}

// checkFrame looks at what makes an environment one: the interpreter, its home,
// and the path that is written into its launchers.
func checkFrame(genDir string, seal Seal) ([]facts.Damage, error) {
	var damage []facts.Damage
	info, err := os.Stat(filepath.Join(genDir, "bin", "python"))
	switch {
	case gone(err):
		damage = append(damage, facts.Damage{What: "interpreter", Path: "bin/python"})
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular() || info.Mode()&0o111 == 0:
		damage = append(damage, facts.Damage{What: "interpreter", Path: "bin/python"})
	}
	if len(seal.Conda) == 0 { // one of conda brings its interpreter
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

// homeExists reports whether pyvenv.cfg is readable and leads to a directory.
func homeExists(genDir string) (bool, error) {
	b, err := readFile(filepath.Join(genDir, "pyvenv.cfg"), nil, maxMetadata)
	if gone(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	c, err := parseConfig(b)
	if err != nil {
		return false, nil
	}
	var st unix.Stat_t
	err = unix.Stat(c.Home, &st)
	if gone(err) {
		return false, nil
	}
	if err != nil {
		return false, &os.PathError{Op: "stat", Path: c.Home, Err: err}
	}
	return st.Mode&unix.S_IFMT == unix.S_IFDIR, nil
}

// movedFile returns the file that says that the generation was built at another
// path, or "". A relative genDir is compared after it is made absolute.
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
	if gone(err) {
		return "", nil // missing is found by the skeleton
	}
	if err != nil {
		return "", err
	}
	// In a shell's quotes only an apostrophe is written otherwise.
	python := strings.ReplaceAll(abs+"/bin/python", "'", `'\''`)
	if !bytes.Contains(b, []byte(python)) {
		return launcher, nil
	}
	return "", nil
}

// comparePackages compares the names of the metadata folders with the seal.
func comparePackages(genDir, sitePackages string, seal Seal) ([]facts.Damage, error) {
	dir := filepath.Join(genDir, sitePackages)
	names, err := infoNames(dir)
	if gone(err) {
		return []facts.Damage{{What: "missing", Path: sitePackages}}, nil
	}
	if err != nil {
		return nil, err
	}
	var damage []facts.Damage
	expected := slices.Concat(seal.CondaDists, seal.Packages) // of one in both, what the lock has for pip counts
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

// distByName takes name and version from the folder's name where that agrees
// with the seal, and from METADATA where it does not: old wheels spell the
// version there in another way.
func distByName(sitePackages, entry string, want map[string]string) (Dist, error) {
	name, version, ok := parseInfoName(entry)
	name = pep.Normalize(name)
	if v, sealed := want[name]; ok && sealed && v == version && entry[0] != '~' {
		return Dist{Name: name, Version: version, InfoDir: entry}, nil
	}
	return readDist(sitePackages, entry, make([]byte, 4096))
}
