package probes

import (
	"bytes"
	"context"
	"debug/elf"
	"debug/macho"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/command"
	"github.com/reconcile-ml/reconcile/internal/facts"
)

const minor = "3.10"

func (m *fakeMachine) pythons() facts.Pythons {
	m.t.Helper()
	fact, reason := m.probe(facts.PythonKey(minor))
	if fact == nil {
		m.t.Fatal(reason)
	}
	return fact.(facts.Pythons)
}

// TestPythonsOfLinux has one interpreter of each source, and unusable ones.
func TestPythonsOfLinux(t *testing.T) {
	m := newMachine(t)
	const loader = "/lib64/ld-linux-x86-64.so.2"
	m.put(m.sys+loader, "")
	x86 := elfFile(elf.EM_X86_64, loader, "")
	home := func(rel string) string { return filepath.Join(m.home, rel) }
	m.python(home(".pyenv/versions/3.10.13"), "3.10.13", x86)
	m.python(home(".pyenv/versions/3.10.9"), "3.10.9", x86)
	m.python(home(".pyenv/versions/3.11.7"), "3.11.7", x86)
	m.put(home(".pyenv/shims/python3.10"), "#!/usr/bin/env bash\nexec pyenv\n")
	m.python(home(".local/share/uv/python/cpython-3.10.20-linux-x86_64-gnu"), "3.10.20", x86)
	m.link("cpython-3.10.20-linux-x86_64-gnu", home(".local/share/uv/python/cpython-3.10-linux-x86_64-gnu"))
	m.python(home(".local/share/uv/python/cpython-3.10.19-linux-aarch64-gnu"), "3.10.19", elfFile(elf.EM_AARCH64, loader, ""))
	m.python(home(".local/share/uv/python/cpython-3.10.18-linux-x86_64-musl"), "3.10.18", elfFile(elf.EM_X86_64, "/lib/ld-musl-x86_64.so.1", ""))
	m.python(home(".local/share/mise/installs/python/3.10.14"), "3.10.14", x86)
	m.link("3.10.14", home(".local/share/mise/installs/python/3.10"))
	m.python(home(".asdf/installs/python/3.10.4"), "3.10.4", x86)
	m.python(m.sys+"/usr", "3.10.12", x86)
	m.python(home("miniforge3"), "3.10.15", x86)
	m.put(home("miniforge3/conda-meta/history"), "")
	m.build("cpython-3.10.21-0100000000", "3.10.21", x86, facts.SHA256{1})
	m.python(filepath.Join(m.root, "evil"), "3.10.99", x86)
	m.python(home("opt/py"), "3.10.11", x86)
	m.link(home(".pyenv/versions/3.10.13/bin/python3.10"), home("bin/python3.10"))
	m.environ = []string{"HOME=" + m.home, "PATH=" + strings.Join([]string{home(".pyenv/shims"), "relative", ".", "", filepath.Join(m.root, "evil/bin"), home("bin"), home("opt/py/bin")}, ":")}

	found := m.pythons()
	var got []string
	for _, i := range found.Found {
		got = append(got, strings.TrimSpace(i.Source+" "+i.Version+" "+i.Refused))
	}
	want := []string{
		"reconcile 3.10.21", "uv 3.10.20", "pyenv 3.10.13", "pyenv 3.10.9", "mise 3.10.14", "asdf 3.10.4", "system 3.10.12", "path 3.10.11", "conda 3.10.15",
		"uv 3.10.19 aarch64 build on an x86_64 machine", "uv 3.10.18 needs /lib/ld-musl-x86_64.so.1, which is missing",
	}
	if !slices.Equal(got, want) {
		t.Errorf("found\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if i := found.Found[0]; i.Arch != "x86_64" || i.Prefix != filepath.Join(m.store, "tools/linux-x86_64/cpython-3.10.21-0100000000") {
		t.Errorf("%+v", i)
	}
	if i := found.Found[1]; filepath.Base(i.Path) != "python3.10" {
		t.Errorf("%+v", i)
	}
	if !slices.Contains(found.Searched, "PATH") || !slices.Contains(found.Searched, home(".pyenv/versions")) {
		t.Errorf("searched %q", found.Searched)
	}
}

// TestPythonsOfAMac has both folders of Homebrew and the framework of python.org.
func TestPythonsOfAMac(t *testing.T) {
	m := newMachine(t)
	m.os, m.arch = "darwin", "arm64"
	brew := func(root, version string, program string) {
		cellar := filepath.Join(m.sys, root, "Cellar/python@3.10", version)
		m.python(filepath.Join(cellar, "Frameworks/Python.framework/Versions/3.10"), version, program)
		m.link("../Frameworks/Python.framework/Versions/3.10/bin/python3.10", filepath.Join(cellar, "bin/python3.10"))
		m.link("../Cellar/python@3.10/"+version, filepath.Join(m.sys, root, "opt/python@3.10"))
	}
	brew("opt/homebrew", "3.10.16", machoFile(macho.CpuArm64))
	brew("usr/local", "3.10.17", machoFile(macho.CpuAmd64))
	m.python(filepath.Join(m.sys, "Library/Frameworks/Python.framework/Versions/3.10"), "3.10.11", fatFile(macho.CpuAmd64, macho.CpuArm64))
	m.put(filepath.Join(m.sys, "usr/bin/python3"), machoFile(macho.CpuArm64))
	found := m.pythons().Found
	var got []string
	for _, i := range found {
		got = append(got, strings.TrimSpace(strings.Join([]string{i.Source, i.Version, i.Arch, i.Refused}, " ")))
	}
	want := []string{"python.org 3.10.11 arm64", "homebrew 3.10.16 arm64", "homebrew 3.10.17 x86_64 x86_64 build under Rosetta on an arm64 Mac"}
	if !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
	if found[1].Path != filepath.Join(m.sys, "opt/homebrew/opt/python@3.10/bin/python3.10") {
		t.Errorf("the path of the Homebrew interpreter is %s, which the next upgrade removes", found[1].Path)
	}
}

// TestRefusedPythons has one defect in each interpreter.
func TestRefusedPythons(t *testing.T) {
	x86 := elfFile(elf.EM_X86_64, "", "")
	tests := []struct {
		name, refused string
		do            func(m *fakeMachine, prefix string)
	}{
		{"intact", "", func(*fakeMachine, string) {}},
		{"no library", "no standard library", func(m *fakeMachine, prefix string) { os.Remove(filepath.Join(prefix, "lib/python3.10/os.py")) }},
		{"no venv", "the module venv", func(m *fakeMachine, prefix string) { os.RemoveAll(filepath.Join(prefix, "lib/python3.10/venv")) }},
		{"no version", "version cannot be read", func(m *fakeMachine, prefix string) {
			os.RemoveAll(filepath.Join(prefix, "include"))
			os.Rename(prefix, filepath.Join(filepath.Dir(prefix), "3.10.x"))
		}},
		{"dangling", "dangling link", func(m *fakeMachine, prefix string) {
			os.Remove(filepath.Join(prefix, "bin/python3.10"))
			m.link("/gone/python3.10", filepath.Join(prefix, "bin/python3.10"))
		}},
		{"not a program", "is not a program", func(m *fakeMachine, prefix string) { m.put(filepath.Join(prefix, "bin/python3.10"), "?") }},
		{"of a Mac", "Mach-O program on linux-x86_64", func(m *fakeMachine, prefix string) {
			m.put(filepath.Join(prefix, "bin/python3.10"), machoFile(macho.CpuArm64))
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := newMachine(t)
			prefix := filepath.Join(m.home, ".pyenv/versions/3.10.13")
			m.python(prefix, "3.10.13", x86)
			tt.do(m, prefix)
			found := m.pythons().Found
			if len(found) != 1 || (found[0].Refused == "") != (tt.refused == "") || !strings.Contains(found[0].Refused, tt.refused) {
				t.Errorf("found %+v, want refused with %q", found, tt.refused)
			}
		})
	}
}

// TestBuildsOfTheStore has one defect in each interpreter that was fetched.
func TestBuildsOfTheStore(t *testing.T) {
	x86 := elfFile(elf.EM_X86_64, "", "")
	const name = "cpython-3.10.21-0100000000"
	for _, tt := range []struct {
		name, refused string
		archive       byte
		do            func(m *fakeMachine, dir string)
	}{
		{"intact", "", 1, func(*fakeMachine, string) {}},
		{"bytecode", "", 1, func(m *fakeMachine, dir string) {
			m.put(filepath.Join(dir, "lib/python3.10/__pycache__/os.cpython-310.pyc"), "")
		}},
		{"another archive", "the manifest does not name the archive that it is from", 2, func(*fakeMachine, string) {}},
		{"a changed module", "lib/python3.10/os.py was changed since it was unpacked", 1, func(m *fakeMachine, dir string) {
			m.put(filepath.Join(dir, "lib/python3.10/os.py"), "import evil")
		}},
		{"an added module", "lib/python3.10/site-packages/sitecustomize.py was changed", 1, func(m *fakeMachine, dir string) {
			m.put(filepath.Join(dir, "lib/python3.10/site-packages/sitecustomize.py"), "import evil")
		}},
		{"no seal", "it has no intact list of its files", 1, func(_ *fakeMachine, dir string) { os.Remove(filepath.Join(dir, "reconcile.seal")) }},
		{"a link to another folder", "its program is outside of it", 1, func(m *fakeMachine, dir string) {
			os.Rename(dir, filepath.Join(m.home, "moved"))
			m.link(filepath.Join(m.home, "moved"), dir)
		}},
		{"a link to another program", "its program is outside of it", 1, func(m *fakeMachine, dir string) {
			m.python(filepath.Join(m.home, "other"), "3.10.21", x86)
			os.Remove(filepath.Join(dir, "bin/python3.10"))
			m.link(filepath.Join(m.home, "other/bin/python3.10"), filepath.Join(dir, "bin/python3.10"))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newMachine(t)
			tt.do(m, m.build(name, "3.10.21", x86, facts.SHA256{tt.archive}))
			found := m.pythons().Found
			if len(found) != 1 || (found[0].Refused == "") != (tt.refused == "") || !strings.Contains(found[0].Refused, tt.refused) {
				t.Errorf("found %+v, want refused with %q", found, tt.refused)
			}
		})
	}
}

// TestStoreInTheProject finds a build in a store that the user put into the project.
func TestStoreInTheProject(t *testing.T) {
	m := newMachine(t)
	m.store = filepath.Join(m.root, "store")
	m.build("cpython-3.10.21-0100000000", "3.10.21", elfFile(elf.EM_X86_64, "", ""), facts.SHA256{1})
	if found := m.pythons().Found; len(found) != 1 || found[0].Refused != "" {
		t.Errorf("found %+v", found)
	}
}

// TestProgramsOfTheProject has interpreters and tools in the project, which may be from a
// clone, on PATH and where version managers install.
func TestProgramsOfTheProject(t *testing.T) {
	x86 := elfFile(elf.EM_X86_64, "", "")
	for _, tt := range []struct {
		name string
		do   func(m *fakeMachine) (path string)
	}{
		{"in a folder", func(m *fakeMachine) string { return m.root + "/evil/bin" }},
		{"the project itself", func(m *fakeMachine) string {
			m.link("evil/bin/uv", m.root+"/uv")
			m.link("evil/bin/python3.10", m.root+"/python3.10")
			return m.root + ":.:"
		}},
		{"by a link to the project", func(m *fakeMachine) string {
			m.link(m.root, m.home+"/checkout")
			return m.home + "/checkout/evil/bin"
		}},
		{"by a link to the folder", func(m *fakeMachine) string {
			m.link(m.root+"/evil/bin", m.home+"/tools")
			return m.home + "/tools"
		}},
		{"by links to the programs", func(m *fakeMachine) string {
			m.link(m.root+"/evil/bin/uv", m.home+"/tools/uv")
			m.link(m.root+"/evil/bin/python3.10", m.home+"/tools/python3.10")
			return m.home + "/tools"
		}},
		{"by a link in the project to a folder outside", func(m *fakeMachine) string {
			m.python(filepath.Join(m.home, "outside"), "3.10.99", x86)
			m.put(m.home+"/outside/bin/uv", x86)
			m.link(m.home+"/outside/bin", m.root+"/.venv/bin")
			return m.root + "/.venv/bin"
		}},
		{"of a version manager", func(m *fakeMachine) string {
			m.environ = append(m.environ, "PYENV_ROOT="+m.root+"/pyenv")
			m.python(filepath.Join(m.root, "pyenv/versions/3.10.99"), "3.10.99", x86)
			return "/nowhere"
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newMachine(t)
			m.python(filepath.Join(m.root, "evil"), "3.10.99", x86)
			m.put(m.root+"/evil/bin/uv", x86)
			m.environ = append(m.environ, "PATH="+tt.do(m))
			if found := m.pythons().Found; len(found) > 0 {
				t.Errorf("found %+v", found)
			}
			if fact, _ := m.probe(facts.ToolKey("uv")); fact != (facts.Tool{Name: "uv"}) {
				t.Errorf("found %+v", fact)
			}
		})
	}
}

// TestVersionInTheProgram finds the version of an interpreter without header files.
func TestVersionInTheProgram(t *testing.T) {
	m := newMachine(t)
	m.python(filepath.Join(m.sys, "usr"), "3.10.12", elfFile(elf.EM_X86_64, "", "…\x003.10.x\x003.10.12\x00…"))
	os.RemoveAll(filepath.Join(m.sys, "usr/include"))
	found := m.pythons().Found
	if len(found) != 1 || found[0].Version != "3.10.12" || found[0].Refused != "" {
		t.Errorf("%+v", found)
	}
}

// TestPythonsOfThisMachine compares the facts with the output of the interpreters.
func TestPythonsOfThisMachine(t *testing.T) {
	p, err := New(t.TempDir(), t.TempDir(), os.Environ())
	if err != nil {
		t.Fatal(err)
	}
	run := 0
	for _, minor := range minors() {
		found, err := p.pythons(t.Context(), minor)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range found.Found {
			if i.Refused != "" {
				continue
			}
			run++
			out, err := command.Run(context.Background(), command.Command{Program: i.Path, Args: []string{"-I", "-S", "-B", "-c", "import platform, sys; print(platform.python_version(), platform.machine(), sys.base_prefix)"}})
			if got, want := strings.TrimSpace(string(out.Stdout)), i.Version+" "+i.Arch+" "+i.Prefix; err != nil || got != want {
				t.Errorf("%s reports %q, the probe %q (%v)", i.Path, got, want, err)
			}
		}
	}
	if run == 0 {
		t.Skip("no Python of a known minor version on this machine")
	}
}

func BenchmarkPythons(b *testing.B) {
	p, err := New(b.TempDir(), b.TempDir(), os.Environ())
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := p.pythons(b.Context(), "3.10"); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzParseBinary(f *testing.F) {
	f.Add([]byte(elfFile(elf.EM_X86_64, "/lib64/ld-linux-x86-64.so.2", "")))
	f.Add([]byte(fatFile(macho.CpuAmd64, macho.CpuArm64)))
	f.Add([]byte(machoFile(macho.CpuArm64)))
	f.Add([]byte("#!/bin/sh\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := parseBinary(bytes.NewReader(b))
		if err == nil && (got.format == "" || len(got.arches) == 0 || len(got.loader) > 4096) {
			t.Errorf("%q gives %+v", b, got)
		}
	})
}

func FuzzVersionsInFiles(f *testing.F) {
	f.Add([]byte("#define PY_VERSION \"3.10.13+\"\n"))
	f.Add([]byte("\x003.10.12\x00 \x001.2.4\x00 stable release version 2.36."))
	f.Add([]byte(`{"name":"python","version":"3.10.14"}`))
	f.Add([]byte(`{"version":"0.9.1","install_prefix":"/home/x/.local/bin"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, v := range []string{parsePatchlevel(b, minor), parseBinaryVersion(b, minor), parseCondaMeta(b, minor)} {
			if v != "" && !strings.HasPrefix(v, "3.10.") {
				t.Errorf("%q gives %q", b, v)
			}
		}
		for _, v := range []string{parseGlibcBanner(b), parseMuslVersion(b), parseNVRM(b)} {
			if strings.Trim(v, "0123456789.") != "" {
				t.Errorf("%q gives %q", b, v)
			}
		}
		if v, at := parseReceipt(b); v != "" && (!filepath.IsAbs(at) || !plainVersion().MatchString(v)) {
			t.Errorf("%q gives %q at %q", b, v, at)
		}
		parseOSRelease(b)
	})
}

func TestNames(t *testing.T) {
	for _, c := range []struct {
		is   func(string) bool
		name string
		want bool
	}{
		{isMinor, "3.10", true},
		{isMinor, "3", false},
		{isMinor, "3.", false},
		{isMinor, "3.1000", false},
		{isMinor, "3.1.0", false},
		{isMinor, "3.x", false},
		{isMinor, "+3.1", false},
		{isToolName, "uv", true},
		{isToolName, "a-1_b", true},
		{isToolName, "1a", false},
		{isToolName, "", false},
		{isToolName, "a/b", false},
		{isToolName, "A", false},
		{isToolName, "abcdefghijklmnopqrstuvwxyzabcdefg", false},
	} {
		if got := c.is(c.name); got != c.want {
			t.Errorf("%q: %v", c.name, got)
		}
	}
	for v, want := range map[string]bool{
		"3.10.13": true, "3.10.0rc1": true, "3.10.0a2": true, "3.10.0b12": true, "3.10.": false, "3.10": false, "3.10.1rc": false,
		"3.10.rc1": false, "3.10.1.2": false, "3.100.1": false, "3.10.1a1b1": false, "3.10.1 ": false, "3.9.1": false,
	} {
		if got := versionOfMinor(v, "3.10") == v; got != want {
			t.Errorf("%q as a version of 3.10: %v", v, got)
		}
	}
}
