package wheels

import (
	"crypto/sha256"
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/pyenv"
)

const site = "lib/python3.10/site-packages/"

// module is a wheel with one module.
func module(name, file, text string) testWheel {
	return testWheel{name: name, version: "1.0", files: []testFile{{name: file, text: text}}}
}

func TestAssembleKeepsTheFirstOfTwoFiles(t *testing.T) {
	one := module("one", "shared/__init__.py", "1\n").mustUnpack(t)
	same := module("same", "shared/__init__.py", "1\n").mustUnpack(t)
	other := module("other", "shared/__init__.py", "22\n").mustUnpack(t)
	prefix := environment(t)
	if r := assemble(t, prefix, one, same); len(r.Conflicts) > 0 {
		t.Errorf("conflicts %v", r.Conflicts)
	}
	prefix = environment(t)
	r := assemble(t, prefix, one, same, other)
	if want := []Conflict{{site + "shared/__init__.py", "other", "one"}}; !slices.Equal(r.Conflicts, want) {
		t.Errorf("conflicts %v, want %v", r.Conflicts, want)
	}
	if got := tree(t, prefix)[site+"shared/__init__.py"]; got != "1\n" {
		t.Errorf("the file is %q", got)
	}
	_, damage, err := pyenv.Verify(t.Context(), prefix, pyenv.Seal{}, nil, true, nil)
	if err != nil || !slices.ContainsFunc(damage, func(d facts.Damage) bool { return d.What == "doubled" && d.Path == site+"shared/__init__.py" }) {
		t.Errorf("damage %v, %v", damage, err)
	}
}

func TestAssembleKeepsExistingFiles(t *testing.T) {
	w := testWheel{files: []testFile{{name: "a.py", text: "a"}, {name: "b.py", text: "b"}}, entryPoints: "[console_scripts]\nactivate = a:main\n"}
	e := w.mustUnpack(t)
	prefix := environment(t)
	outside := filepath.Join(t.TempDir(), "outside")
	err := errors.Join(
		os.WriteFile(filepath.Join(prefix, site, "a.py"), []byte("a"), 0o644),
		os.Symlink(outside, filepath.Join(prefix, site, "b.py")),
		os.WriteFile(filepath.Join(prefix, "bin/activate"), []byte("venv"), 0o644),
	)
	if err != nil {
		t.Fatal(err)
	}
	r := assemble(t, prefix, e)
	if want := []Conflict{{"bin/activate", "demo", ""}, {site + "b.py", "demo", ""}}; !slices.Equal(r.Conflicts, want) {
		t.Errorf("conflicts %v, want %v", r.Conflicts, want)
	}
	got := tree(t, prefix)
	if got["bin/activate"] != "venv" || got[site+"b.py"] != outside {
		t.Errorf("overwritten: %q, %q", got["bin/activate"], got[site+"b.py"])
	}
	if _, err := os.Lstat(outside); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("written through a link: %v", err)
	}
}

func TestAssembleRefusesAChangedEntry(t *testing.T) {
	for what, damage := range map[string]func(name string) error{
		"written":   func(name string) error { return os.WriteFile(name, []byte("x"), 0o644) },
		"missing":   os.Remove,
		"a link":    func(name string) error { return errors.Join(os.Remove(name), os.Symlink("/etc/passwd", name)) },
		"same size": func(name string) error { return os.WriteFile(name, []byte("DATA\n"), 0o644) },
		"a mode":    func(name string) error { return os.Chmod(name, 0o640) },
	} {
		for _, file := range []string{"demo-1.0.data/data/share/demo/data.txt", "demo-1.0.data/scripts/demo-script"} {
			e := full.mustUnpack(t)
			if err := damage(e.FilePath(file)); err != nil {
				t.Fatal(err)
			}
			if what == "a mode" && strings.Contains(file, "scripts") {
				continue // written with its own mode
			}
			prefix := environment(t)
			_, err := Assemble(t.Context(), prefix, "/python", "3.10", []*Entry{e}, 2, nil)
			var changed *ChangedError
			if !errors.As(err, &changed) || changed.Path != file || changed.Dir != e.Dir {
				t.Errorf("%s of %s: %v", file, what, err)
			}
		}
	}
}

func TestAssembleRefusesOneDistributionTwice(t *testing.T) {
	e := full.mustUnpack(t)
	if _, err := Assemble(t.Context(), environment(t), "/python", "3.10", []*Entry{e, e}, 1, nil); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("%v", err)
	}
	if _, err := Assemble(t.Context(), environment(t), "python", "3.10", []*Entry{e}, 1, nil); err == nil || !strings.Contains(err.Error(), "not absolute") {
		t.Errorf("%v", err)
	}
}

func TestHeadersOfCondaEnvironments(t *testing.T) {
	prefix := environment(t)
	if err := os.Mkdir(filepath.Join(prefix, "conda-meta"), 0o755); err != nil {
		t.Fatal(err)
	}
	assemble(t, prefix, full.mustUnpack(t))
	if got := tree(t, prefix)["include/python3.10/demo/demo.h"]; got != "// header\n" {
		t.Errorf("the header is %q", got)
	}
}

func TestProgressEndsWithAllFiles(t *testing.T) {
	var last, total int64
	e := full.mustUnpack(t)
	_, err := Assemble(t.Context(), environment(t), "/python", "3.10", []*Entry{e}, 2, func(done, all int64) {
		if done < last {
			t.Errorf("%d after %d", done, last)
		}
		last, total = done, all
	})
	if err != nil || last != total || total == 0 {
		t.Errorf("%d of %d, %v", last, total, err)
	}
}

// TestVerifiedFilesAreNotHashedAgain modifies a file that was assembled before, restores its
// time, and finds that only files which are not in Verified were hashed.
func TestVerifiedFilesAreNotHashedAgain(t *testing.T) {
	e := full.mustUnpack(t)
	prefix := environment(t)
	a := &assembly{prefix: prefix, python: "/python", minor: "3.10", scheme: readScheme(prefix, "3.10"), taken: map[string]int{}}
	if err := errors.Join(a.add(e), a.makeDirs(1), a.place(t.Context(), 1, nil)); err != nil {
		t.Fatal(err)
	}
	time.Sleep(30 * time.Millisecond) // until the clock of the file system has certainly advanced
	if err := a.writeTexts(); err != nil {
		t.Fatal(err)
	}
	r, err := a.result(0)
	if err != nil {
		t.Fatal(err)
	}
	newest := a.targets[len(a.targets)-1].st.Mtim // of RECORD, which is written last
	for i := range a.targets {
		f := &a.targets[i]
		_, verified := r.Verified[f.path]
		age := unix.TimespecToNsec(newest) - unix.TimespecToNsec(f.st.Ctim)
		switch {
		case f.text == nil && !verified:
			t.Errorf("%s is hashed again", f.path)
		case f.text != nil && verified && age < int64(time.Millisecond):
			t.Errorf("%s was just written and could still be changed with the same time", f.path)
		}
	}
	checkRecords(t, prefix, r, "demo", "1.0")
	name := filepath.Join(prefix, site, "demo/tool")
	if err := errors.Join(os.WriteFile(name, []byte("#!/bin/SH\n"), 0o755), os.Chtimes(name, built, built)); err != nil {
		t.Fatal(err)
	}
	damage, err := pyenv.Recheck(t.Context(), prefix, pyenv.Seal{}, r.Verified, nil)
	if err != nil || !slices.ContainsFunc(damage, func(d facts.Damage) bool { return d.Path == site+"demo/tool" && d.What == "changed" }) {
		t.Errorf("damage %v, %v", damage, err)
	}
}

func TestEveryMethodKeepsModeAndTime(t *testing.T) {
	e := full.mustUnpack(t)
	f := e.file("demo/tool")
	worked := 0
	for m := range methods {
		to := filepath.Join(filepath.Dir(e.Dir), "to")
		err := methods[m](e.FilePath(f.Path), to, f)
		if err != nil && isUnsupported(err) {
			if _, err := os.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s left a file: %v", Method(m), err)
			}
			continue
		}
		worked++
		var st unix.Stat_t
		if err := errors.Join(err, unix.Lstat(to, &st)); err != nil || !f.matches(&st) {
			t.Errorf("%s: %+v, %v", Method(m), st, err)
		}
		if err := methods[m](e.FilePath(f.Path), to, f); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s over an existing file: %v", Method(m), err)
		}
		if err := os.Remove(to); err != nil {
			t.Fatal(err)
		}
	}
	if worked < 2 {
		t.Errorf("%d methods work", worked)
	}
}

// TestCopyIsTheLastMethod assembles on another file system.
func TestCopyIsTheLastMethod(t *testing.T) {
	memory, err := os.MkdirTemp("/dev/shm", "wheels-")
	if err != nil {
		t.Skip("no second file system: ", err)
	}
	defer os.RemoveAll(memory)
	e := full.mustUnpack(t)
	var here, there unix.Stat_t
	if err := errors.Join(unix.Stat(e.Dir, &here), unix.Stat(memory, &there)); err != nil || here.Dev == there.Dev {
		t.Skip("no second file system: ", err)
	}
	prefix := filepath.Join(memory, "gen")
	if err := os.CopyFS(prefix, os.DirFS(environment(t))); err != nil {
		t.Fatal(err)
	}
	r := assemble(t, prefix, e)
	if r.Method() != Copy || r.Count[Copy] != 12 || len(r.Count) != 1 {
		t.Errorf("result %+v", r)
	}
	checkRecords(t, prefix, r, "demo", "1.0")

	tool := e.FilePath("demo/tool")
	if err := errors.Join(os.RemoveAll(prefix), os.CopyFS(prefix, os.DirFS(environment(t))), os.WriteFile(tool, []byte("#!/bin/SH\n"), 0o755), os.Chtimes(tool, built, built)); err != nil {
		t.Fatal(err)
	}
	var changed *ChangedError
	if _, err := Assemble(t.Context(), prefix, "/python", "3.10", []*Entry{e}, 2, nil); !errors.As(err, &changed) || changed.Path != "demo/tool" {
		t.Errorf("a file with another content and the same time is copied: %v", err)
	}
}

func TestScriptsOfPip(t *testing.T) {
	e := testWheel{name: "pip", version: "24.0", entryPoints: "[console_scripts]\npip = pip:main\npip3 = pip:main\npip3.9 = pip:main\n"}.mustUnpack(t)
	prefix := environment(t)
	assemble(t, prefix, e)
	if list := names(t, filepath.Join(prefix, "bin")); !slices.Equal(list, []string{"pip", "pip3", "pip3.10"}) {
		t.Errorf("scripts %v", list)
	}
}

func TestBytecode(t *testing.T) {
	w := testWheel{files: []testFile{
		{name: "demo/__init__.py"}, {name: "demo/a.py"}, {name: "demo-1.0.data/purelib/b.py"},
		{name: "demo/__pycache__/a.cpython-310.pyc", text: "of the wheel"},
		{name: "demo/__pycache__/__init__.cpython-312.pyc", text: "for another Python"},
	}}
	e := w.mustUnpack(t)
	compile := func(source, minor string) { keep(t, e, source, minor, "code of "+source) }
	compile("demo/__init__.py", "3.10")
	compile("demo/a.py", "3.10")
	compile("demo/a.py", "3.11")
	compile("demo/a.py", "3.10") // by another process
	for _, name := range []string{"unknown.pyc", "unknown.7.00.pyc", "demo/a.pyc"} {
		if err := os.WriteFile(filepath.Join(e.Dir, "bytecode/cpython-310", name), []byte("not kept"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	prefix := environment(t)
	code := func() map[string]string {
		got := tree(t, prefix)
		maps.DeleteFunc(got, func(name, _ string) bool { return !strings.HasSuffix(name, ".pyc") })
		return got
	}
	other := module("other", "demo/__init__.py", "with another content\n").mustUnpack(t)
	keep(t, other, "demo/__init__.py", "3.10", "of a source that is not installed")
	if r := assemble(t, environment(t), e, other); len(r.Conflicts) != 1 || r.Bytecode != 2 {
		t.Errorf("result %+v", r)
	}
	r := assemble(t, prefix, e)
	want := map[string]string{
		site + "demo/__pycache__/__init__.cpython-312.pyc": "for another Python",
		site + "demo/__pycache__/__init__.cpython-310.pyc": "code of demo/__init__.py",
		site + "demo/__pycache__/a.cpython-310.pyc":        "code of demo/a.py",
	}
	if !maps.Equal(code(), want) || r.Bytecode != 2 {
		t.Errorf("bytecode %v (%d), want %v", code(), r.Bytecode, want)
	}
	checkRecords(t, prefix, r, "demo", "1.0")
	if changed, err := e.Verify(t.Context(), nil); err != nil || len(changed) > 0 {
		t.Errorf("changed %v, %v", changed, err)
	}
	code310 := site + "demo/__pycache__/a.cpython-310.pyc"
	if want := facts.SHA256(sha256.Sum256([]byte("code of demo/a.py"))); len(r.Digests) != 2 || r.Digests[code310] != want {
		t.Errorf("digests %v", r.Digests)
	}
}

// keep keeps a text as the bytecode of a source.
func keep(t *testing.T, e *Entry, source, minor, text string) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "code.pyc")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := Source{e, source, minor}
	if err := s.Keep(name, int64(len(text)), sha256.Sum256([]byte(text))); err != nil {
		t.Fatal(err)
	}
}

// TestChangedBytecode changes kept bytecode in place: it is not installed, it is found, and
// keeping the bytecode again replaces it.
func TestChangedBytecode(t *testing.T) {
	for _, text := range []string{"other", "different length", "code\x00"} {
		for _, sameTime := range []bool{false, true} {
			e := module("demo", "demo.py", "").mustUnpack(t)
			keep(t, e, "demo.py", "3.10", "code1")
			stored, err := filepath.Glob(filepath.Join(e.Dir, "bytecode/cpython-310/demo.*.pyc"))
			if err != nil || len(stored) != 1 {
				t.Fatal(stored, err)
			}
			before, err := os.Stat(stored[0])
			if err != nil {
				t.Fatal(err)
			}
			if damaged, err := e.VerifyBytecode(t.Context(), nil); err != nil || len(damaged) > 0 {
				t.Errorf("intact: %v, %v", damaged, err)
			}
			if err := os.WriteFile(stored[0], []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			if sameTime {
				if err := os.Chtimes(stored[0], before.ModTime(), before.ModTime()); err != nil {
					t.Fatal(err)
				}
			}
			if r := assemble(t, environment(t), e); !sameTime && r.Bytecode != 0 {
				t.Errorf("%q: %d files of changed bytecode are installed", text, r.Bytecode)
			}
			if damaged, err := e.VerifyBytecode(t.Context(), nil); err != nil || !slices.Equal(damaged, []string{"demo.py"}) {
				t.Errorf("%q: damaged %v, %v", text, damaged, err)
			}
			if sameTime {
				if err := RemoveBytecode(e.Dir); err != nil {
					t.Fatal(err)
				}
			}
			keep(t, e, "demo.py", "3.10", "code1")
			if damaged, err := e.VerifyBytecode(t.Context(), nil); err != nil || len(damaged) > 0 {
				t.Errorf("kept again: %v, %v", damaged, err)
			}
			if r := assemble(t, environment(t), e); r.Bytecode != 1 {
				t.Errorf("kept again: %d files are installed", r.Bytecode)
			}
		}
	}
}

// TestShebang runs scripts by interpreters with all kinds of paths, in sh and in Python.
func TestShebang(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3: ", err)
	}
	path, err := exec.Command(python, "-c", "import sys; print(sys.executable)").Output()
	if err != nil {
		t.Skip("python3 does not run: ", err)
	}
	python = strings.TrimSpace(string(path))
	for _, dir := range []string{"plain", "with blank", "quote'and \"blank", "dollar $HOME `x` blank", strings.Repeat("long/", 30) + "dir"} {
		dir = filepath.Join(t.TempDir(), dir)
		link := filepath.Join(dir, "python")
		if err := errors.Join(os.MkdirAll(dir, 0o755), os.Symlink(python, link)); err != nil {
			t.Fatal(err)
		}
		for _, args := range []string{"", "-I"} {
			script := filepath.Join(dir, "script")
			text := rewriteShebang([]byte("#!pythonw "+args+"\nimport sys\nprint(sys.argv[1:], sys.flags.isolated)\n"), link)
			if err := os.WriteFile(script, text, 0o755); err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command(script, "a b", "$c").CombinedOutput()
			want := "['a b', '$c'] 0\n"
			if args == "-I" {
				want = "['a b', '$c'] 1\n"
			}
			if err != nil || string(out) != want {
				t.Errorf("%s %s: %q, %v, want %q\n%s", dir, args, out, err, want, text)
			}
			if out, err := exec.Command(python, script, "a b", "$c").CombinedOutput(); err != nil || !strings.HasPrefix(string(out), "['a b', '$c']") {
				t.Errorf("by Python: %q, %v\n%s", out, err, text)
			}
		}
	}
}

func TestSourcesAreThoseOfSitePackages(t *testing.T) {
	e, other := full.mustUnpack(t), module("other", "demo/__init__.py", "other\n").mustUnpack(t)
	got := Sources("3.12", []*Entry{e, other})
	site := strings.Replace(site, "3.10", "3.12", 1)
	want := map[string]Source{
		site + "demo/__init__.py": {e, "demo/__init__.py", "3.12"},
		site + "pure.py":          {e, "demo-1.0.data/purelib/pure.py", "3.12"},
		site + "plat.py":          {e, "demo-1.0.data/platlib/plat.py", "3.12"},
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
