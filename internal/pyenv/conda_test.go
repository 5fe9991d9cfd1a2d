package pyenv

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
)

const library = "lib/python3.10"

// A fakeConda is a conda package: the installed content by path. A prefix marks content
// that is not a plain file: "link:python3.10", "placed:…" for text with the path of the
// environment, "unstated:…" for such text without a recorded digest, "entry:…" for the
// program of a noarch package, "directory:".
type fakeConda struct {
	name, version, build string
	files                map[string]string
	old                  bool // records files without paths_data
}

// fourPackages returns a small prefix: an interpreter with a link beside its library, a
// noarch package with a program and a wrong RECORD, a package with an egg-info that an
// old client installed, and one with activate scripts.
func fourPackages() []fakeConda {
	return []fakeConda{
		{"python", "3.10.13", "h1_0_cpython", map[string]string{
			"bin/python3.10":         "elf",
			"bin/python":             "link:python3.10",
			"bin/pydoc":              "placed:#!PREFIX/bin/python\n",
			"bin/2to3":               "unstated:#!PREFIX/bin/python\n",
			library + "/os.py":       "import sys\n",
			library + "/lib.pyc":     "bytecode without a source",
			"lib/python3.1":          "link:python3.10",
			"share/empty":            "directory:",
			"compiler_compat/README": "read me\n",
		}, false},
		{"tiny", "1.0", "pyh0_0", map[string]string{
			site + "/tiny/__init__.py":                          "def main(): pass\n",
			site + "/tiny/__pycache__/__init__.cpython-310.pyc": "x",
			site + "/tiny-1.0.dist-info/METADATA":               "Name: tiny\nVersion: 1.0\n",
			site + "/tiny-1.0.dist-info/RECORD":                 "tiny/__init__.py,sha256=of-another-machine,1\nnot/here.py,,\n",
			"bin/tiny":                                          "entry:#!PREFIX/bin/python\nimport tiny\n",
		}, false},
		{"older", "2.0", "py310_1", map[string]string{
			site + "/older.py":                           "x = 1\n",
			site + "/older-2.0-py3.10.egg-info/PKG-INFO": "Name: older\nVersion: 2.0\n",
		}, true},
		{"sets", "1.0", "0", map[string]string{"etc/conda/activate.d/sets.sh": "export SETS=yes\n"}, false},
	}
}

// installConda installs one conda package with its record and returns its lock entry.
func installConda(t testing.TB, dir string, p fakeConda) facts.CondaPackage {
	t.Helper()
	var paths []map[string]any
	var files []string
	for name, content := range p.files {
		kind, rest, ok := strings.Cut(content, ":")
		if !ok || !slices.Contains([]string{"link", "placed", "unstated", "entry", "directory"}, kind) {
			kind, rest = "", content
		}
		there := strings.ReplaceAll(rest, "PREFIX", dir)
		packed := strings.ReplaceAll(rest, "PREFIX", "/opt/placeholder")
		entry := map[string]any{"_path": name, "path_type": "hardlink", "sha256": digestOf(packed), "size_in_bytes": len(packed)}
		full := filepath.Join(dir, name)
		switch kind {
		case "link":
			mkdir(t, filepath.Dir(full))
			link(t, rest, full)
			entry = map[string]any{"_path": name, "path_type": "softlink", "sha256": digestOf("of the target"), "size_in_bytes": 3}
		case "directory":
			mkdir(t, full)
			entry = map[string]any{"_path": name, "path_type": "directory"}
		case "placed":
			entry["prefix_placeholder"], entry["file_mode"], entry["sha256_in_prefix"] = "/opt/placeholder", "text", digestOf(there)
		case "unstated":
			entry["prefix_placeholder"], entry["file_mode"] = "/opt/placeholder", "text"
		case "entry":
			entry = map[string]any{"_path": name, "path_type": "unix_python_entry_point", "sha256_in_prefix": digestOf(there)}
		}
		if kind != "link" && kind != "directory" {
			put(t, full, there, 0o755)
		}
		paths, files = append(paths, entry), append(files, name)
	}
	sum := facts.SHA256(sha256.Sum256([]byte(p.name + p.version + p.build)))
	record := map[string]any{
		"name": p.name, "version": p.version, "build": p.build, "channel": "https://channel.example/one", "subdir": "linux-64", "sha256": sum, "files": files,
	}
	if !p.old {
		record["paths_data"] = map[string]any{"paths": paths, "paths_version": 1}
	}
	b, err := json.Marshal(record)
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, condaMeta, p.name+"-"+p.version+"-"+p.build+".json"), string(b), 0o644)
	return facts.CondaPackage{Name: p.name, Version: p.version, Build: p.build, Channel: "https://channel.example/one", Subdir: "linux-64", SHA256: sum}
}

func digestOf(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text))) }

// newPrefix creates an intact, sealed generation of type conda with one distribution
// installed by pip and the files that apply adds.
func newPrefix(t testing.TB, packages []fakeConda, dists ...fakeDist) (string, Seal) {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(root, "gen")
	seal := Seal{Digest: "d1", Python: "3.10.13", Prefix: dir}
	for _, p := range packages {
		seal.Conda = append(seal.Conda, installConda(t, dir, p))
	}
	if dists == nil {
		dists = []fakeDist{{"six", "1.16.0", map[string]string{"six.py": "import sys\n", "../../../bin/six": "#!/bin/sh\n"}}}
	}
	for _, d := range dists {
		install(t, dir, d)
		seal.Packages = append(seal.Packages, facts.Package{Name: d.name, Version: d.version})
	}
	for name, text := range map[string]string{
		"conda-meta/history":                       "==> then <==\n",
		"conda-meta/frozen":                        "{}\n",
		"conda-meta/._tiny-1.0-pyh0_0.json":        "\x00\x05\x16\x07",
		library + "/EXTERNALLY-MANAGED":            "[externally-managed]\n",
		"etc/conda/activate.d/00-reconcile.sh":     "true\n",
		"etc/conda/activate.d/00-reconcile.fish":   "true\n",
		"etc/conda/deactivate.d/00-reconcile.sh":   "true\n",
		"etc/conda/deactivate.d/00-reconcile.fish": "true\n",
		"reconcile/conda.py":                       "print()\n",
		"reconcile/conda.json":                     "{}\n",
		"reconcile/requirements.txt":               "six==1.16.0\n",
		"reconcile/bin/activate":                   "true\n",
	} {
		put(t, filepath.Join(dir, name), text, 0o644)
	}
	remove(t, filepath.Join(dir, "conda-meta/._tiny-1.0-pyh0_0.json"))
	put(t, filepath.Join(dir, "reconcile/bin/python"), "#!/bin/sh\nexec '"+dir+"/bin/python'"+` "$@"`+"\n", 0o755)
	if seal.CondaDists, err = CondaDists(dir); err != nil {
		t.Fatal(err)
	}
	return dir, reseal(t, dir, seal)
}

func TestDuplicateDists(t *testing.T) {
	dir, seal := newPrefix(t, fourPackages())
	if found, err := DuplicateDists(dir, seal.Packages); err != nil || len(found) > 0 {
		t.Errorf("%v, %v", found, err)
	}
	// pip removed the metadata of the replaced distribution; conda-meta still lists it.
	remove(t, filepath.Join(dir, library, "site-packages", "tiny-1.0.dist-info"))
	found, err := DuplicateDists(dir, append(seal.Packages, facts.Package{Name: "tiny", Version: "2.0"}))
	if want := []facts.Damage{{What: "twice", Dist: "tiny", Conda: "tiny"}}; err != nil || !slices.Equal(found, want) {
		t.Errorf("%v, %v, want %v", found, err, want)
	}
}

func TestIsConda(t *testing.T) {
	dir, _ := newPrefix(t, fourPackages())
	venv, _ := newGeneration(t, twoDists())
	put(t, filepath.Join(venv, "../file/conda-meta"), "", 0o644)
	for name, want := range map[string]bool{dir: true, venv: false, filepath.Join(venv, "../file"): false, filepath.Join(venv, "../nothing"): false} {
		if got, err := IsConda(name); got != want || err != nil {
			t.Errorf("%s: %v, %v, want %v", name, got, err, want)
		}
	}
}

func TestIntactPrefix(t *testing.T) {
	dir, seal := newPrefix(t, fourPackages())
	if rel, line, err := SitePackages(dir); rel != site || line != "3.10" || err != nil {
		t.Errorf("beside the link python3.1: %s, %s, %v", rel, line, err)
	}
	want := []facts.Package{{Name: "older", Version: "2.0"}, {Name: "tiny", Version: "1.0"}}
	if !slices.Equal(seal.CondaDists, want) {
		t.Errorf("conda packages contain %v, want %v", seal.CondaDists, want)
	}
	for _, mode := range []string{"fast", "verify", "unstamped"} {
		if damage := check(t, mode, dir, seal); len(damage) != 0 {
			t.Errorf("%s: %v", mode, damage)
		}
	}
	fresh := Seal{Packages: seal.Packages, Conda: seal.Conda}
	for _, s := range []Seal{seal, fresh} {
		if damage := verify(t, dir, s, true); len(damage) != 0 {
			t.Errorf("deep: %v", damage)
		}
	}
	// Files without a recorded digest are compared with the sealed content.
	for name, of := range map[string]string{"bin/2to3": "python", site + "/older.py": "older"} {
		intact, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		put(t, filepath.Join(dir, name), strings.Repeat("x", len(intact)), 0o755)
		want := []facts.Damage{{What: "changed", Path: name, Conda: of}}
		if damage := verify(t, dir, seal, true); !slices.Equal(damage, want) {
			t.Errorf("deep: %v, want %v", damage, want)
		}
		put(t, filepath.Join(dir, name), string(intact), 0o755)
	}
	if _, packed := slices.BinarySearchFunc(seal.Skeleton, "bin/pydoc", func(f SkeletonFile, p string) int { return strings.Compare(f.Path, p) }); packed {
		t.Error("a program of a package is in the skeleton")
	}
}

// TestSkeletonOfConda checks that the skeleton has the files that belong to no package and
// the files of packages without a recorded digest.
func TestSkeletonOfConda(t *testing.T) {
	dir, seal := newPrefix(t, fourPackages())
	var got []string
	for _, f := range seal.Skeleton {
		if f.Target == "" {
			got = append(got, f.Path)
		}
	}
	slices.Sort(got)
	want := []string{
		"bin/2to3", "conda-meta/frozen", "conda-meta/history", "conda-meta/older-2.0-py310_1.json", "conda-meta/python-3.10.13-h1_0_cpython.json",
		"conda-meta/sets-1.0-0.json", "conda-meta/tiny-1.0-pyh0_0.json", "etc/conda/activate.d/00-reconcile.fish", "etc/conda/activate.d/00-reconcile.sh",
		"etc/conda/deactivate.d/00-reconcile.fish", "etc/conda/deactivate.d/00-reconcile.sh", library + "/EXTERNALLY-MANAGED",
		site + "/older-2.0-py3.10.egg-info/PKG-INFO", site + "/older.py", "reconcile/bin/activate", "reconcile/bin/python", "reconcile/conda.json", "reconcile/conda.py", "reconcile/requirements.txt",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, name := range []string{"conda-meta/state", "etc/conda/activate.d/unknown.sh", "etc/conda/env_vars.d/x", "ssl/cert.pem", "bin/left"} {
		put(t, filepath.Join(dir, name), "", 0o644)
		if files, err := Skeleton(dir); err == nil && slices.ContainsFunc(files, func(f SkeletonFile) bool { return f.Path == name }) {
			t.Errorf("%s was accepted as part of the environment", name)
		}
		remove(t, filepath.Join(dir, name))
	}
}

// TestCondaDamage damages an intact prefix in every way that must be detected.
func TestCondaDamage(t *testing.T) {
	all := []string{"fast", "unstamped", "verify", "deep"}
	record := func(p fakeConda) string { return p.name + "-" + p.version + "-" + p.build + ".json" }
	tiny, python := fourPackages()[1], fourPackages()[0]
	rewrite := func(t *testing.T, dir, name, text string) { // replaces the file, as installers do
		remove(t, filepath.Join(dir, name))
		put(t, filepath.Join(dir, name), text, 0o755)
	}
	tests := []struct {
		name    string
		do      func(t *testing.T, dir string)
		want    facts.Damage
		foundBy []string
	}{
		{"a file is missing", func(t *testing.T, dir string) { remove(t, filepath.Join(dir, library, "os.py")) },
			facts.Damage{What: "missing", Path: library + "/os.py", Conda: "python"}, all},
		{"a folder is missing", func(t *testing.T, dir string) { remove(t, filepath.Join(dir, "compiler_compat")) },
			facts.Damage{What: "missing", Path: "compiler_compat", Conda: "python"}, all},
		{"a file is longer", func(t *testing.T, dir string) { rewrite(t, dir, library+"/os.py", "import sys, os\n") },
			facts.Damage{What: "changed", Path: library + "/os.py", Conda: "python"}, all},
		{"a file has other content", func(t *testing.T, dir string) { rewrite(t, dir, library+"/os.py", "import os_\n") },
			facts.Damage{What: "changed", Path: library + "/os.py", Conda: "python"}, []string{"deep"}},
		{"a file became a link", func(t *testing.T, dir string) {
			remove(t, filepath.Join(dir, library, "os.py"))
			link(t, "/etc/hostname", filepath.Join(dir, library, "os.py"))
		}, facts.Damage{What: "changed", Path: library + "/os.py", Conda: "python"}, all},
		{"a program that names the prefix", func(t *testing.T, dir string) { rewrite(t, dir, "bin/pydoc", "#!/bin/sh\n") },
			facts.Damage{What: "changed", Path: "bin/pydoc", Conda: "python"}, []string{"deep"}},
		{"a program that names the prefix is missing", func(t *testing.T, dir string) { remove(t, filepath.Join(dir, "bin/2to3")) },
			facts.Damage{What: "missing", Path: "bin/2to3", Conda: "python"}, all},
		{"the program of a noarch package", func(t *testing.T, dir string) { rewrite(t, dir, "bin/tiny", "#!/bin/sh\n") },
			facts.Damage{What: "changed", Path: "bin/tiny", Conda: "tiny"}, []string{"deep"}},
		{"a link is missing", func(t *testing.T, dir string) { remove(t, filepath.Join(dir, "lib/python3.1")) },
			facts.Damage{What: "missing", Path: "lib/python3.1", Conda: "python"}, all},
		{"a link became a file", func(t *testing.T, dir string) { rewrite(t, dir, "bin/python", "elf") },
			facts.Damage{What: "changed", Path: "bin/python", Conda: "python"}, all},
		{"a link has another target", func(t *testing.T, dir string) {
			remove(t, filepath.Join(dir, "bin/python"))
			link(t, "/bin/sh", filepath.Join(dir, "bin/python"))
		}, facts.Damage{What: "changed", Path: "bin/python", Conda: "python"}, all},
		{"metadata modified in place", func(t *testing.T, dir string) {
			put(t, filepath.Join(dir, site, "tiny-1.0.dist-info/METADATA"), "Name: tinY\nVersion: 1.0\n", 0o644)
		}, facts.Damage{What: "changed", Path: site + "/tiny-1.0.dist-info/METADATA", Conda: "tiny"}, []string{"deep"}},
		{"RECORD of a conda package", func(t *testing.T, dir string) { rewrite(t, dir, site+"/tiny-1.0.dist-info/RECORD", "") },
			facts.Damage{What: "changed", Path: site + "/tiny-1.0.dist-info/RECORD", Conda: "tiny"}, all},
		{"a file without a digest is missing", func(t *testing.T, dir string) { remove(t, filepath.Join(dir, site, "older.py")) },
			facts.Damage{What: "missing", Path: site + "/older.py", Conda: "older"}, all},
		{"a foreign file", func(t *testing.T, dir string) { put(t, filepath.Join(dir, "compiler_compat/ld"), "", 0o755) },
			facts.Damage{What: "foreign", Path: "compiler_compat/ld"}, all},
		{"a foreign file at the top", func(t *testing.T, dir string) { put(t, filepath.Join(dir, "ssl/cert.pem"), "", 0o644) },
			facts.Damage{What: "foreign", Path: "ssl"}, all},
		{"a foreign activate script", func(t *testing.T, dir string) {
			put(t, filepath.Join(dir, "etc/conda/activate.d/zz.sh"), "", 0o644)
		}, facts.Damage{What: "foreign", Path: "etc/conda/activate.d/zz.sh"}, all},
		{"a changed activate script", func(t *testing.T, dir string) {
			rewrite(t, dir, "etc/conda/activate.d/00-reconcile.sh", "rm -rf\n")
		}, facts.Damage{What: "changed", Path: "etc/conda/activate.d/00-reconcile.sh"}, all},
		{"variables that conda would set", func(t *testing.T, dir string) { put(t, filepath.Join(dir, "conda-meta/state"), "{}", 0o644) },
			facts.Damage{What: "foreign", Path: "conda-meta/state"}, all},
		{"frozen is missing", func(t *testing.T, dir string) { remove(t, filepath.Join(dir, "conda-meta/frozen")) },
			facts.Damage{What: "missing", Path: "conda-meta/frozen"}, all},
		{"EXTERNALLY-MANAGED is missing", func(t *testing.T, dir string) { remove(t, filepath.Join(dir, library, "EXTERNALLY-MANAGED")) },
			facts.Damage{What: "missing", Path: library + "/EXTERNALLY-MANAGED"}, all},
		{"the interpreter is missing", func(t *testing.T, dir string) { remove(t, filepath.Join(dir, "bin/python3.10")) },
			facts.Damage{What: "interpreter", Path: "bin/python"}, all},
		{"a record is missing", func(t *testing.T, dir string) { remove(t, filepath.Join(dir, condaMeta, record(tiny))) },
			facts.Damage{What: "missing", Path: condaMeta + "/" + record(tiny)}, all},
		{"a package without its record", func(t *testing.T, dir string) { remove(t, filepath.Join(dir, condaMeta, record(tiny))) },
			facts.Damage{What: "missing", Path: condaMeta + "/" + record(tiny), Conda: "tiny"}, []string{"verify", "deep"}},
		{"a foreign package", func(t *testing.T, dir string) {
			installConda(t, dir, fakeConda{"more", "1", "0", map[string]string{"share/more": "x"}, false})
		}, facts.Damage{What: "foreign", Path: condaMeta + "/more-1-0.json", Conda: "more"}, []string{"verify", "deep"}},
		{"another build", func(t *testing.T, dir string) {
			remove(t, filepath.Join(dir, condaMeta, record(tiny)))
			remove(t, filepath.Join(dir, "bin/tiny"))
			other := tiny
			other.build = "pyh0_1"
			installConda(t, dir, other)
		}, facts.Damage{What: "package", Path: condaMeta + "/tiny-1.0-pyh0_1.json", Conda: "tiny", Version: "1.0 pyh0_1", Sealed: "1.0 pyh0_0"}, []string{"verify", "deep"}},
		{"a build with another digest", func(t *testing.T, dir string) {
			name := filepath.Join(dir, condaMeta, record(python))
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			sum := digestOf("python3.10.13h1_0_cpython")
			text := strings.Replace(string(b), sum, digestOf("other"), 1)
			if text == string(b) {
				t.Fatal("the record has no digest")
			}
			put(t, name, text, 0o644)
		}, facts.Damage{What: "package", Path: condaMeta + "/" + record(python), Conda: "python", Version: "3.10.13 h1_0_cpython", Sealed: "3.10.13 h1_0_cpython"}, []string{"verify", "deep"}},
		{"pip installed a distribution of conda", func(t *testing.T, dir string) {
			install(t, dir, fakeDist{"tiny", "1.1", nil})
		}, facts.Damage{What: "package", Path: site + "/tiny-1.1.dist-info", Dist: "tiny", Version: "1.1", Sealed: "1.0"}, all},
		{"metadata of a conda package is missing", func(t *testing.T, dir string) {
			remove(t, filepath.Join(dir, site, "older-2.0-py3.10.egg-info"))
		}, facts.Damage{What: "missing", Path: site + "/older-2.0.dist-info", Dist: "older"}, all},
		{"a file installed by pip is missing", func(t *testing.T, dir string) { remove(t, filepath.Join(dir, site, "six.py")) },
			facts.Damage{What: "missing", Path: site + "/six.py", Dist: "six"}, all},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir, seal := newPrefix(t, fourPackages())
			tt.do(t, dir)
			for _, mode := range all {
				damage := check(t, mode, dir, seal)
				found := slices.Contains(damage, tt.want)
				if want := slices.Contains(tt.foundBy, mode); found != want {
					t.Errorf("%s: want found %v, got %v", mode, want, damage)
				}
			}
		})
	}
}

// TestDoubledFile has pip and conda install a file at one path.
func TestDoubledFile(t *testing.T) {
	six := fakeDist{"six", "1.16.0", map[string]string{"six.py": "import sys\n", "tiny/__init__.py": "of pip\n"}}
	dir, seal := newPrefix(t, fourPackages(), six)
	damage := verify(t, dir, seal, false)
	for _, want := range []facts.Damage{
		{What: "doubled", Path: site + "/tiny/__init__.py", Dist: "six"},
		{What: "doubled", Path: site + "/tiny/__init__.py", Conda: "tiny"},
	} {
		if !slices.Contains(damage, want) {
			t.Errorf("no %v in %v", want, damage)
		}
	}
	// Equal contents are accepted.
	six.files["tiny/__init__.py"] = fourPackages()[1].files[site+"/tiny/__init__.py"]
	dir, seal = newPrefix(t, fourPackages(), six)
	if damage := verify(t, dir, seal, false); len(damage) != 0 {
		t.Errorf("two equal files: %v", damage)
	}
}

// TestLockTakesPrecedence expects the pip version of a distribution that conda installed in
// another version.
func TestLockTakesPrecedence(t *testing.T) {
	dir, seal := newPrefix(t, fourPackages())
	fresh := Seal{Conda: seal.Conda, Packages: append(slices.Clone(seal.Packages), facts.Package{Name: "tiny", Version: "3.0"})}
	want := facts.Damage{What: "package", Path: site + "/tiny-1.0.dist-info", Dist: "tiny", Version: "1.0", Sealed: "3.0"}
	if damage := verify(t, dir, fresh, false); !slices.Contains(damage, want) {
		t.Errorf("%v", damage)
	}
}

// TestIgnoredChangesInConda makes the changes that Python and operating systems make.
func TestIgnoredChangesInConda(t *testing.T) {
	dir, seal := newPrefix(t, fourPackages())
	put(t, filepath.Join(dir, condaMeta, "._tiny-1.0-pyh0_0.json"), "\x00\x05\x16\x07", 0o644)
	if records, err := readCondaMeta(dir, site); err != nil || len(records) != 4 {
		t.Errorf("with a file of macOS: %d records, %v", len(records), err)
	}
	remove(t, filepath.Join(dir, condaMeta, "._tiny-1.0-pyh0_0.json"))
	put(t, filepath.Join(dir, library, "__pycache__/os.cpython-310.pyc"), "x", 0o644)
	put(t, filepath.Join(dir, site, "tiny/__pycache__/__init__.cpython-310.pyc"), "another", 0o644)
	put(t, filepath.Join(dir, "bin/.DS_Store"), "x", 0o644)
	put(t, filepath.Join(dir, "compiler_compat/.nfs0001"), "x", 0o644)
	for _, mode := range []string{"fast", "verify", "unstamped"} {
		if damage := check(t, mode, dir, seal); len(damage) != 0 {
			t.Errorf("%s: %v", mode, damage)
		}
	}
}

func TestMovedConda(t *testing.T) {
	dir, seal := newPrefix(t, fourPackages())
	moved := filepath.Join(filepath.Dir(dir), "moved")
	if err := os.Rename(dir, moved); err != nil {
		t.Fatal(err)
	}
	damage, err := CheckFast(moved, seal)
	if err != nil || !slices.Contains(damage, facts.Damage{What: "moved", Path: layout.Seal("")}) {
		t.Errorf("%v, %v", damage, err)
	}
}

func TestUncompiledInConda(t *testing.T) {
	dir, _ := newPrefix(t, fourPackages())
	got, err := Uncompiled(dir)
	want := []string{library + "/os.py", site + "/older.py", site + "/six.py", site + "/tiny/__init__.py"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
}

func TestParseCondaRecord(t *testing.T) {
	const head = `"name": "a", "version": "1", "build": "0"`
	for _, tt := range []struct{ name, record, err string }{
		{"empty", `{` + head + `}`, ""},
		{"paths", `{` + head + `, "paths_data": {"paths": [{"_path": "bin/./a"}]}}`, ""},
		{"files alone", `{` + head + `, "files": ["bin/a"]}`, ""},
		{"dots in names", `{` + head + `, "files": ["a/..b/...c"]}`, ""},
		{"not JSON", `{`, "unexpected end"},
		{"a list", `[]`, "cannot unmarshal"},
		{"no name", `{"version": "1"}`, "no name or version"},
		{"no version", `{"name": "a"}`, "no name or version"},
		{"digest of a wrong length", `{` + head + `, "sha256": "abc"}`, "is not a conda record"},
		{"absolute", `{` + head + `, "files": ["/etc/passwd"]}`, "leads out"},
		{"leads out", `{` + head + `, "paths_data": {"paths": [{"_path": "../x"}]}}`, "leads out"},
		{"leads out in the middle", `{` + head + `, "paths_data": {"paths": [{"_path": "a/../../x"}]}}`, "leads out"},
		{"the environment itself", `{` + head + `, "files": ["a/.."]}`, "leads out"},
		{"no path", `{` + head + `, "paths_data": {"paths": [{"_path": ""}]}}`, "leads out"},
		{"a zero byte", `{` + head + `, "files": ["a\u0000b"]}`, "leads out"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := parseCondaRecord([]byte(tt.record))
			if tt.err == "" {
				if err != nil || r.Name != "a" || len(r.paths) > 0 && r.paths[0].Path != filepath.Clean(r.paths[0].Path) {
					t.Errorf("%+v, %v", r, err)
				}
				return
			}
			if !errors.Is(err, errCondaRecord) || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("error %v, want one that holds %q", err, tt.err)
			}
		})
	}
}

// TestDamagedCondaRecord checks that a truncated record is reported as damage and that the
// rest is checked.
func TestDamagedCondaRecord(t *testing.T) {
	want := facts.Damage{What: "changed", Path: "conda-meta/tiny-1.0-pyh0_0.json"}
	for _, mode := range []string{"unstamped", "verify", "deep"} {
		dir, seal := newPrefix(t, fourPackages())
		put(t, filepath.Join(dir, want.Path), "{", 0o644)
		damage := check(t, mode, dir, seal)
		if !slices.Contains(damage, want) || slices.ContainsFunc(damage, func(d facts.Damage) bool { return d.Conda == "tiny" && d.What == "missing" }) {
			t.Errorf("%s: %v", mode, damage)
		}
		if _, err := CondaDists(dir); !errors.Is(err, errCondaRecord) {
			t.Errorf("CondaDists with an invalid record: %v", err)
		}
	}
}

func FuzzParseCondaRecord(f *testing.F) {
	f.Add([]byte(`{"name": "a", "version": "1", "build": "0", "files": ["bin/a", "../x"]}`))
	f.Add([]byte(`{"name": "a", "version": "1", "paths_data": {"paths": [{"_path": "a//b/", "path_type": "softlink", "size_in_bytes": -5}]}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseCondaRecord(b)
		if err != nil {
			if !errors.Is(err, errCondaRecord) {
				t.Errorf("%q gives another error: %v", b, err)
			}
			return
		}
		if r.Name == "" || r.Version == "" {
			t.Errorf("%q gives %+v", b, r)
		}
		for _, p := range r.paths {
			if !filepath.IsLocal(p.Path) || filepath.Clean(p.Path) != p.Path || p.Path == "." || strings.Contains(p.Path, "\x00") {
				t.Errorf("%q gives the path %q", b, p.Path)
			}
		}
		for _, c := range r.claims() {
			if c.Size < -1 || c.conda != r.Name || c.HasHash && c.SHA256.IsZero() {
				t.Errorf("%q claims %+v", b, c)
			}
		}
	})
}
