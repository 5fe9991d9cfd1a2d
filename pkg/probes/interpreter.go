package probes

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/pybuild"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// interpreter reads one candidate. It returns false for a script, such as a shim, and for a
// program in the project.
func (p *Prober) interpreter(ctx context.Context, minor string, c candidate) (facts.Interpreter, bool) {
	i := facts.Interpreter{Path: c.exe, Source: c.source, Prefix: filepath.Dir(filepath.Dir(c.exe))}
	real, err := filepath.EvalSymlinks(c.exe)
	if err != nil {
		i.Refused = "is a dangling link"
		if !rawfile.IsAbsent(err) {
			i.Refused = reason(err)
		}
		return i, true
	}
	if c.source != "reconcile" && p.inProject(c.exe) { // the user may put the store into the project
		return i, false
	}
	i.Prefix = filepath.Dir(filepath.Dir(real))
	if c.source != "homebrew" { // its links survive an upgrade, their targets do not
		i.Path = real
	}
	bin, err := readBinary(real)
	if errors.Is(err, errScript) {
		return i, false
	}
	if err != nil {
		i.Refused = reason(err)
		return i, true
	}
	if exists(filepath.Join(i.Prefix, "conda-meta/history")) {
		i.Source = "conda"
	}
	i.Arch = bin.arch(p.arch)
	i.Version = p.pythonVersion(minor, i, real)
	i.Refused = p.refuse(minor, c, i, bin, real)
	if c.source == "reconcile" && i.Refused == "" {
		i.Refused = p.refuseBuild(ctx, filepath.Dir(filepath.Dir(c.exe)), real)
	}
	return i, true
}

// refuse returns why an interpreter cannot be used, or "".
func (p *Prober) refuse(minor string, c candidate, i facts.Interpreter, b executable, real string) string {
	library, ok := stdlib(i.Prefix, minor)
	switch {
	case b.format != p.format():
		return fmt.Sprintf("%s program on %s", b.format, p.platform)
	case i.Arch != p.arch && p.system.os == "darwin":
		return fmt.Sprintf("%s build under Rosetta on an %s Mac", i.Arch, p.arch)
	case i.Arch != p.arch:
		return fmt.Sprintf("%s build on an %s machine", i.Arch, p.arch)
	case b.loader != "" && !exists(p.sys(b.loader)):
		return fmt.Sprintf("needs %s, which is missing", b.loader)
	case i.Version == "":
		return "its version cannot be read from files"
	case !ok:
		return "has no standard library at " + library
	case !exists(filepath.Join(library, "venv/__init__.py")):
		return "cannot create environments: the module venv is missing"
	case c.source == "path" && writableByOthers(real):
		return "any user of this machine can change it"
	}
	return ""
}

// refuseBuild returns why a Python in the store is not used: it is not one of the pinned builds,
// or was changed since it was unpacked.
func (p *Prober) refuseBuild(ctx context.Context, dir, real string) string {
	b, err := pybuild.Open(dir)
	switch {
	case err != nil:
		return err.Error()
	case p.IsPythonArchive == nil || !p.IsPythonArchive(b.Archive):
		return "the manifest does not name the archive that it is from"
	case !within(real, dir):
		return "its program is outside of it"
	}
	changed, err := b.Changed(ctx)
	switch {
	case err != nil:
		return reason(err)
	case len(changed) > 0:
		return pybuild.ChangedText(changed)
	}
	return ""
}

// within reports whether a path is in a directory.
func within(name, dir string) bool {
	return strings.HasPrefix(name, strings.TrimSuffix(dir, "/")+"/")
}

// format returns the executable format of this system.
func (p *Prober) format() string {
	if p.system.os == "darwin" {
		return "Mach-O"
	}
	return "ELF"
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// writableByOthers reports whether every user may write a file or its directory.
func writableByOthers(name string) bool {
	if info, err := os.Stat(name); err == nil && info.Mode()&0o002 != 0 {
		return true
	}
	info, err := os.Stat(filepath.Dir(name))
	return err == nil && info.Mode()&0o002 != 0 && info.Mode()&os.ModeSticky == 0
}

// stdlib returns the folder of the standard library, and whether it exists.
func stdlib(prefix, minor string) (string, bool) {
	for _, lib := range []string{"lib", "lib64"} {
		dir := filepath.Join(prefix, lib, "python"+minor)
		if exists(filepath.Join(dir, "os.py")) {
			return dir, true
		}
	}
	return filepath.Join(prefix, "lib", "python"+minor), false
}

// pythonVersion finds the full version without running the interpreter: in its header
// files, the record of conda, the folder name, or the program and its library.
func (p *Prober) pythonVersion(minor string, i facts.Interpreter, real string) string {
	if b, err := readSmall(filepath.Join(i.Prefix, "include/python"+minor+"/patchlevel.h")); err == nil {
		if v := parsePatchlevel(b, minor); v != "" {
			return v
		}
	}
	for _, name := range glob(i.Prefix, "conda-meta/python-"+minor+".*.json") {
		if b, err := rawfile.ReadFile(name, 64<<20, 0); err == nil {
			if v := parseCondaMeta(b, minor); v != "" {
				return v
			}
		}
	}
	folder, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(i.Prefix), "cpython-"), "-") // "3.10.13", "cpython-3.10.21-linux-x86_64-gnu"
	if v := versionOfMinor(folder, minor); v != "" {
		return v
	}
	names := []string{real, filepath.Join(i.Prefix, "lib/libpython"+minor+".so.1.0"), filepath.Join(i.Prefix, "Python")}
	for _, name := range append(names, glob(i.Prefix, "lib/*/libpython"+minor+".so.1.0")...) {
		if v := searchFile(name, func(b []byte) string { return parseBinaryVersion(b, minor) }); v != "" {
			return v
		}
	}
	return ""
}

// parsePatchlevel finds PY_VERSION: #define PY_VERSION "3.10.13".
func parsePatchlevel(b []byte, minor string) string {
	for text := range bytes.Lines(b) {
		words := strings.Fields(string(text))
		if len(words) == 3 && words[0] == "#define" && words[1] == "PY_VERSION" {
			return versionOfMinor(strings.TrimRight(strings.Trim(words[2], `"`), "+"), minor)
		}
	}
	return ""
}

// versionOfMinor returns v if it is a release or pre-release of the minor version
// ("3.10.13", "3.10.0rc1"), or "".
func versionOfMinor(v, minor string) string {
	patch, ok := strings.CutPrefix(v, minor+".")
	for _, stage := range []string{"rc", "a", "b"} {
		if before, number, pre := strings.Cut(patch, stage); pre && isNumber(number) {
			patch = before
			break
		}
	}
	if !ok || !isNumber(patch) {
		return ""
	}
	return v
}

// parseCondaMeta returns the version in the conda-meta record of Python.
func parseCondaMeta(b []byte, minor string) string {
	var doc struct{ Name, Version string }
	if json.Unmarshal(b, &doc) != nil || doc.Name != "python" {
		return ""
	}
	return versionOfMinor(doc.Version, minor)
}

// parseBinaryVersion finds a zero-terminated version of the minor version in a program.
func parseBinaryVersion(b []byte, minor string) string {
	mark := []byte("\x00" + minor + ".")
	for {
		i := bytes.Index(b, mark)
		if i < 0 {
			return ""
		}
		b = b[i+1:]
		if end := bytes.IndexByte(b[:min(len(b), 16)], 0); end > 0 {
			if v := versionOfMinor(string(bytes.TrimRight(b[:end], "+")), minor); v != "" {
				return v
			}
		}
	}
}
