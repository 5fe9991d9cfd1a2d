package probes

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	"github.com/reconcile-ml/reconcile/internal/facts"
)

// interpreter looks at one candidate. It returns false for what is none: a shim,
// or a launcher of a virtual environment.
func (p *Prober) interpreter(line string, c candidate) (facts.Interpreter, bool) {
	i := facts.Interpreter{Path: c.exe, Source: c.source, Prefix: filepath.Dir(filepath.Dir(c.exe))}
	real, err := filepath.EvalSymlinks(c.exe)
	if err != nil {
		i.Refused = "the link leads nowhere"
		if !isGone(err) {
			i.Refused = reason(err)
		}
		return i, true
	}
	i.Prefix = filepath.Dir(filepath.Dir(real))
	if c.source != "homebrew" { // whose links outlive an upgrade, where what they lead to does not
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
	if isConda(i.Prefix) {
		i.Source = "conda"
	}
	i.Arch = bin.arch(p.arch)
	i.Version = p.pythonVersion(line, i, real)
	i.Pip = p.pip(line, i)
	i.Refused = p.refuse(line, c, i, bin, real)
	return i, true
}

// isConda reports whether a prefix is managed by conda.
func isConda(prefix string) bool {
	_, err := os.Stat(filepath.Join(prefix, "conda-meta/history"))
	return err == nil
}

// arch returns the architecture that a binary has on a machine: the machine's
// own where it is among several.
func (b executable) arch(host string) string {
	if slices.Contains(b.arches, host) || len(b.arches) == 0 {
		return host
	}
	return b.arches[0]
}

// refuse says why an interpreter cannot be used, "" if it can.
func (p *Prober) refuse(line string, c candidate, i facts.Interpreter, b executable, real string) string {
	library, ok := stdlib(i.Prefix, line)
	switch {
	case b.format != p.format():
		return fmt.Sprintf("%s program on %s", b.format, p.platform)
	case i.Arch != p.arch && p.system.os == "darwin":
		return fmt.Sprintf("%s build under Rosetta on an %s Mac", i.Arch, p.arch)
	case i.Arch != p.arch:
		return fmt.Sprintf("%s build on an %s machine", i.Arch, p.arch)
	case b.loader != "" && !exists(p.sys(b.loader)):
		return fmt.Sprintf("needs %s, which is not there", b.loader)
	case i.Version == "":
		return "its version cannot be read from files"
	case !ok:
		return "has no standard library at " + library
	case !exists(filepath.Join(library, "venv/__init__.py")):
		return "cannot make environments: the module venv is not there"
	case c.source == "reconcile" && p.cloned(c.exe):
		return "came with the repository: git tracks it, so nobody here fetched it"
	case c.source == "path" && othersWrite(real):
		return "any user of this machine can change it"
	case i.Pip == "" && !p.hasUV():
		return fmt.Sprintf("has no pip of its own, and there is no uv: on Debian and Ubuntu `sudo apt install python%s-venv` brings it", line)
	}
	return ""
}

// format is what programs of this system are.
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

// othersWrite reports whether anybody may write a file or its directory.
func othersWrite(name string) bool {
	if info, err := os.Stat(name); err == nil && info.Mode()&0o002 != 0 {
		return true
	}
	info, err := os.Stat(filepath.Dir(name))
	return err == nil && info.Mode()&0o002 != 0 && info.Mode()&os.ModeSticky == 0
}

// cloned reports whether git tracks the folder of one of our own helpers.
func (p *Prober) cloned(exe string) bool {
	rel, err := filepath.Rel(p.root, filepath.Dir(filepath.Dir(exe)))
	return err == nil && p.tracked(rel)
}

// hasUV reports whether some uv is on this machine, which needs no pip.
func (p *Prober) hasUV() bool {
	t, err := p.tool("uv")
	return err == nil && t.Path != "" && t.Refused == ""
}

// stdlib returns the folder of the standard library, and whether it is there.
func stdlib(prefix, line string) (string, bool) {
	for _, lib := range []string{"lib", "lib64"} {
		dir := filepath.Join(prefix, lib, "python"+line)
		if exists(filepath.Join(dir, "os.py")) {
			return dir, true
		}
	}
	return filepath.Join(prefix, "lib", "python"+line), false
}

// pythonVersion finds the full version without running anything: the header that
// the interpreter was built with, conda's record, the folder's name, and last
// the bytes of the program and its library.
func (p *Prober) pythonVersion(line string, i facts.Interpreter, real string) string {
	if b, err := os.ReadFile(filepath.Join(i.Prefix, "include/python"+line+"/patchlevel.h")); err == nil {
		if v := parsePatchlevel(b, line); v != "" {
			return v
		}
	}
	if v := condaVersion(i.Prefix, line); v != "" {
		return v
	}
	if v := folderVersion(filepath.Base(i.Prefix), line); v != "" {
		return v
	}
	find := func(b []byte) string { return parseBinaryVersion(b, line) }
	for _, name := range []string{real, filepath.Join(i.Prefix, "lib/libpython"+line+".so.1.0"), filepath.Join(i.Prefix, "Python")} {
		if v := searchFile(name, find); v != "" {
			return v
		}
	}
	for _, name := range glob(i.Prefix, "lib/*/libpython"+line+".so.1.0") {
		if v := searchFile(name, find); v != "" {
			return v
		}
	}
	return ""
}

// parsePatchlevel finds PY_VERSION: #define PY_VERSION "3.10.13".
func parsePatchlevel(b []byte, line string) string {
	for text := range bytes.Lines(b) {
		words := strings.Fields(string(text))
		if len(words) == 3 && words[0] == "#define" && words[1] == "PY_VERSION" {
			return versionOfLine(strings.TrimRight(strings.Trim(words[2], `"`), "+"), line)
		}
	}
	return ""
}

// versionOfLine returns v if it is a released or prereleased version of the line:
// "3.10.13", "3.10.0rc1".
func versionOfLine(v, line string) string {
	patch, ok := strings.CutPrefix(v, line+".")
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

// condaVersion reads the version in conda-meta/python-3.10.*.json.
func condaVersion(prefix, line string) string {
	for _, name := range glob(prefix, "conda-meta/python-"+line+".*.json") {
		b, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		if v := parseCondaMeta(b, line); v != "" {
			return v
		}
	}
	return ""
}

func parseCondaMeta(b []byte, line string) string {
	var doc struct{ Name, Version string }
	if json.Unmarshal(b, &doc) != nil || doc.Name != "python" {
		return ""
	}
	return versionOfLine(doc.Version, line)
}

// folderVersion takes the version out of "3.10.13" or
// "cpython-3.10.21-linux-x86_64-gnu".
func folderVersion(base, line string) string {
	v, _, _ := strings.Cut(strings.TrimPrefix(base, "cpython-"), "-")
	return versionOfLine(v, line)
}

// parseBinaryVersion finds a zero-terminated version of the line in a program.
func parseBinaryVersion(b []byte, line string) string {
	mark := []byte("\x00" + line + ".")
	for {
		i := bytes.Index(b, mark)
		if i < 0 {
			return ""
		}
		b = b[i+1:]
		if end := bytes.IndexByte(b[:min(len(b), 16)], 0); end > 0 {
			if v := versionOfLine(string(bytes.TrimRight(b[:end], "+")), line); v != "" {
				return v
			}
		}
	}
}

// pip finds a pip that the interpreter can run: a wheel, which works in any
// environment that it makes, or a module that can work for another interpreter
// (pip 22.3 and later). What we fetched holds the module.
func (p *Prober) pip(line string, i facts.Interpreter) string {
	library, _ := stdlib(i.Prefix, line)
	wheels := glob(library, "ensurepip/_bundled/pip-*.whl")
	if i.Source == "system" {
		wheels = append(wheels, glob(p.sys("/usr/share/python-wheels"), "pip-*.whl")...) // Debian's place for them
	}
	module := hasPipModule(filepath.Join(library, "site-packages")) ||
		i.Source == "system" && hasPipModule(filepath.Join(i.Prefix, "lib/python3/dist-packages"))
	switch {
	case module && (len(wheels) == 0 || i.Source == "reconcile"):
		return "module"
	case len(wheels) == 0:
		return ""
	}
	return slices.MaxFunc(wheels, func(a, b string) int {
		return compareVersions(wheelVersion(a), wheelVersion(b))
	})
}

// hasPipModule reports whether a folder holds a pip of version 22.3 or later.
func hasPipModule(dir string) bool {
	if !exists(filepath.Join(dir, "pip/__init__.py")) {
		return false
	}
	for _, name := range glob(dir, "pip-*.dist-info") {
		version := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(name), "pip-"), ".dist-info")
		if compareVersions(version, "22.3") >= 0 {
			return true
		}
	}
	return false
}

// wheelVersion returns the version in a wheel's file name.
func wheelVersion(name string) string {
	parts := strings.SplitN(filepath.Base(name), "-", 3)
	if len(parts) < 3 {
		return ""
	}
	return parts[1]
}

// compareVersions compares versions of two or three numbers; what is none comes
// first.
func compareVersions(a, b string) int {
	va, errA := semver.NewVersion(a)
	vb, errB := semver.NewVersion(b)
	switch {
	case errA != nil && errB != nil:
		return cmp.Compare(a, b)
	case errA != nil:
		return -1
	case errB != nil:
		return 1
	}
	return va.Compare(vb)
}
