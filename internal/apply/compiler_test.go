package apply

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reconcile-ml/reconcile/internal/command"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/pyenv"
	"github.com/reconcile-ml/reconcile/internal/wheels"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// withSteps changes the steps of an environment.
func withSteps(r resources.Resource, change func([]resources.Step) []resources.Step) resources.Resource {
	diff := r.Spec.(*spec).diff
	r.Spec.(*spec).diff = func(v facts.View) resources.Change {
		c := diff(v)
		c.Steps = change(c.Steps)
		return c
	}
	return r
}

func without[S resources.Step](steps []resources.Step) []resources.Step {
	return slices.DeleteFunc(steps, func(s resources.Step) bool { _, ok := s.(S); return ok })
}

func TestCompileRunsNoCodeOfPackages(t *testing.T) {
	python := findPython(t)
	w := newWorld(t)
	w.mustApply(withSteps(wantEnvironment(w, python, "one", []string{"hostile=1"}), without[resources.SmokeTest]))
	if got := w.ran(); got != "" {
		t.Errorf("compiling ran %s", got)
	}
	one := w.path(layout.Generation(w.stateDir(), "local", "one"))
	if left, err := pyenv.Uncompiled(one); err != nil || len(left) > 0 {
		t.Errorf("without bytecode: %v, %v", left, err)
	}
	check(t, exec.Command(filepath.Join(one, "bin", "python"), "-I", "-c", "import hostile").Run())
	if got := w.ran(); !strings.Contains(got, "pth sitecustomize import") {
		t.Errorf("the package does not run what this test is about: %q", got)
	}
}

// TestFilesAreVerifiedBeforeCodeRuns changes a file of a generation after it was assembled.
func TestFilesAreVerifiedBeforeCodeRuns(t *testing.T) {
	python := findPython(t)
	for _, first := range []string{"compile", "smoke test"} {
		w := newWorld(t)
		r := wantEnvironment(w, python, "one", []string{"alpha=1", "hostile=1"})
		replace := resources.Run{Program: python, Args: []string{
			"-I", "-c", "import os, sys; os.remove(sys.argv[1]); open(sys.argv[1], 'w').write('version = 2')", w.lateIn(python, "one", "alpha"),
		}}
		r = withSteps(r, func(steps []resources.Step) []resources.Step {
			i := slices.IndexFunc(steps, func(s resources.Step) bool { _, ok := s.(resources.Compile); return ok })
			return slices.Insert(steps, i, resources.Step(replace))
		})
		if first == "smoke test" {
			r = withSteps(r, without[resources.Compile])
		}
		p := w.apply(t.Context(), w.plan(r)).want(t, "venv.local", Failed, "apply.seal")
		if !strings.Contains(p.Found, "alpha/late.py") {
			t.Errorf("found %q", p.Found)
		}
		if got := w.ran(); got != "" {
			t.Errorf("%s: before the files were verified ran %s", first, got)
		}
	}
}

// TestFirstImportsAreNoDamage builds an environment whose bytecode is only that of the smoke
// test, and then imports more.
func TestFirstImportsAreNoDamage(t *testing.T) {
	python := findPython(t)
	w := newWorld(t)
	w.mustApply(withSteps(wantEnvironment(w, python, "one", []string{"alpha=1"}), without[resources.Compile]))
	one := w.path(layout.Generation(w.stateDir(), "local", "one"))
	left, err := pyenv.Uncompiled(one)
	if err != nil || len(left) != 1 || !strings.HasSuffix(left[0], "/alpha/late.py") {
		t.Fatalf("without bytecode: %v, %v", left, err)
	}
	folder := filepath.Dir(filepath.Join(one, left[0]))
	code, err := os.ReadFile(pyenv.BytecodePath(filepath.Join(folder, "__init__.py"), strings.TrimPrefix(strings.Split(left[0], "/")[1], "python")))
	check(t, err)
	if bytes.Contains(code, []byte(w.root)) {
		t.Error("the bytecode contains the path of the project")
	}
	t.Setenv("PYTHONDONTWRITEBYTECODE", "")
	before, err := os.Stat(folder)
	check(t, err)
	if got := w.runActive("python", "-c", "import alpha.late, traceback; print(alpha.__file__)"); got != filepath.Join(folder, "__init__.py") {
		t.Errorf("alpha is %s", got)
	}
	if left, err := pyenv.Uncompiled(one); err != nil || len(left) > 0 {
		t.Errorf("after the import, without bytecode: %v, %v", left, err)
	}
	if after, err := os.Stat(folder); err != nil || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("the import changed a directory that is stamped: %v", err)
	}
	seal, err := pyenv.ReadSeal(one)
	check(t, err)
	if damage, err := pyenv.CheckFast(one, seal); err != nil || len(damage) > 0 {
		t.Errorf("fast: %v, %v", damage, err)
	}
	if _, damage, err := pyenv.Verify(t.Context(), one, seal, nil, true, nil); err != nil || len(damage) > 0 {
		t.Errorf("deep: %v, %v", damage, err)
	}
	if p := w.plan(wantEnvironment(w, python, "one", []string{"alpha=1"})); len(p.Items) > 0 && p.Items[0].Change.Action != resources.None {
		t.Errorf("the next plan is not empty: %+v", p.Items[0].Change)
	}
}

// TestSmokeTestCannotMisuseTheCompiler asks for files that are no sources of the
// generation, and for many without reading an answer.
func TestSmokeTestCannotMisuseTheCompiler(t *testing.T) {
	python := findPython(t)
	w := newWorld(t)
	outside := w.path("outside.py")
	w.write("outside.py", "x = 1\n")
	w.mustApply(wantEnvironment(w, python, "one", []string{"alpha=1"}))
	one := w.path(layout.Generation(w.stateDir(), "local", "one"))
	b, err := newBytecodeWriter(one, nil)
	check(t, err)
	defer b.close()
	check(t, b.start(t.Context(), command.Command{Program: filepath.Join(one, "bin", "python")}, t.TempDir()))
	sources, _, err := pyenv.Sources(one)
	check(t, err)
	linked := sources[0]
	check(t, os.Remove(filepath.Join(one, linked)))
	check(t, os.Symlink(outside, filepath.Join(one, linked)))
	up, err := filepath.Rel(one, outside)
	check(t, err)
	for _, name := range []string{linked, outside, up, "lib/../" + sources[1], "pyvenv.cfg", "", "."} {
		if written, err := b.write(name); written || err != nil {
			t.Errorf("%q: %v, %v", name, written, err)
		}
	}
	if written, err := b.write(sources[1]); !written || err != nil {
		t.Errorf("%q: %v, %v", sources[1], written, err)
	}
	if _, err := os.Stat(w.path("__pycache__")); err == nil {
		t.Error("a file outside was compiled")
	}

	lib := filepath.Dir(filepath.Dir(filepath.Join(one, linked)))
	check(t, os.WriteFile(filepath.Join(lib, "flood.py"), []byte(`import __main__
__main__.answer.write('\x1ereconcile-bytecode "x"\n' * 200000)
`), 0o644))
	start := time.Now()
	parts, err := runSmokeTest(t.Context(), command.Command{Program: filepath.Join(one, "bin", "python")}, resources.SmokeTest{Imports: []string{"flood"}}, t.TempDir(), nil, b)
	if err != nil || parts[0].Outcome != SmokeTestPassed || time.Since(start) > time.Minute {
		t.Errorf("%+v, %v after %s", parts, err, time.Since(start))
	}
}

// TestKilledCompilerLeavesNoPartOfBytecode kills compilers at different times.
func TestKilledCompilerLeavesNoPartOfBytecode(t *testing.T) {
	python := findPython(t)
	dir := t.TempDir()
	source, target := filepath.Join(dir, "big.py"), filepath.Join(dir, "__pycache__", "big.pyc")
	check(t, os.WriteFile(source, []byte(strings.Repeat("def f(x):\n    return [x, 1]\n", 3_000)), 0o644))
	compileOnce := func(limit time.Duration) bool {
		c, err := startCompiler(t.Context(), command.Command{Program: python}, t.TempDir())
		check(t, err)
		defer c.close()
		if limit > 0 {
			time.AfterFunc(limit, c.kill)
		}
		written, err := c.compile(source, target, "big.py")
		check(t, err)
		return written
	}
	start := time.Now()
	if !compileOnce(0) {
		t.Fatal("not compiled")
	}
	whole, err := os.ReadFile(target)
	check(t, err)
	took, killed := time.Since(start), 0
	for i := range 12 {
		check(t, os.Remove(target))
		written := compileOnce(max(1, took*time.Duration(i)/10))
		got, err := os.ReadFile(target)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			killed++
			check(t, os.WriteFile(target, nil, 0o644))
			if written {
				t.Error("no bytecode was written")
			}
		case err != nil || !bytes.Equal(got, whole):
			t.Errorf("%d of %d bytes, %v", len(got), len(whole), err)
		}
	}
	if killed == 0 {
		t.Error("no compiler was killed before it had written bytecode")
	}
}

// TestBytecodeOfWheelsIsShared writes bytecode of an unpacked wheel, which a second
// environment gets when it is assembled.
func TestBytecodeOfWheelsIsShared(t *testing.T) {
	python := findPython(t)
	root := t.TempDir()
	entry := unpackWheel(t, filepath.Join(root, "dist"), map[string]string{"shared/__init__.py": "x = 1\n", "shared/bad.py": "x =\n"})
	for i, name := range []string{"one", "two"} {
		gen := filepath.Join(root, name)
		check(t, exec.Command(python, "-I", "-m", "venv", "--without-pip", gen).Run())
		_, minor, err := pyenv.SitePackages(gen)
		check(t, err)
		r, err := wheels.Assemble(t.Context(), gen, filepath.Join(gen, "bin", "python"), minor, []*wheels.Entry{entry}, 1, nil)
		check(t, err)
		if r.Bytecode != i {
			t.Errorf("%s got %d files of bytecode", name, r.Bytecode)
		}
		b, err := newBytecodeWriter(gen, []*wheels.Entry{entry})
		check(t, err)
		defer b.close()
		private := t.TempDir()
		check(t, b.start(t.Context(), command.Command{Program: filepath.Join(gen, "bin", "python")}, private))
		parts, err := runSmokeTest(t.Context(), command.Command{Program: filepath.Join(gen, "bin", "python")}, resources.SmokeTest{Imports: []string{"shared"}}, private, nil, b)
		if err != nil || parts[0].Outcome != SmokeTestPassed {
			t.Fatalf("%+v, %v", parts, err)
		}
		left, err := pyenv.Uncompiled(gen)
		if err != nil || len(left) != 1 || path.Base(left[0]) != "bad.py" {
			t.Errorf("%s: without bytecode: %v, %v", name, left, err)
		}
		if written, err := b.write(left[0]); written || err != nil {
			t.Errorf("invalid source: %v, %v", written, err)
		}
	}
}
