package apply

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
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
	b, err := newBytecodeWriter(one, nil, &bytecodeList{})
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
		b, err := newBytecodeWriter(gen, []*wheels.Entry{entry}, &bytecodeList{})
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

// TestSmokeTestCompilesWhatItCannotRead answers every request for bytecode with yes, although
// the file is missing, or is not bytecode.
func TestSmokeTestCompilesWhatItCannotRead(t *testing.T) {
	python := findPython(t)
	for name, code := range map[string]string{"missing": "", "short": "abc", "garbage": strings.Repeat("g", 64), "cut": strings.Repeat("\x00", 16) + "\xe3\x01"} {
		gen := filepath.Join(t.TempDir(), "gen")
		check(t, exec.Command(python, "-I", "-m", "venv", "--without-pip", gen).Run())
		site, minor, err := pyenv.SitePackages(gen)
		check(t, err)
		source := filepath.Join(gen, site, "sample.py")
		check(t, os.WriteFile(source, []byte("x = 1\n"), 0o644))
		b, err := newBytecodeWriter(gen, nil, &bytecodeList{})
		check(t, err)
		target := pyenv.BytecodePath(source, minor)
		stdin, answers, err := os.Pipe()
		check(t, err)
		asked := false
		c := command.Command{Program: filepath.Join(gen, "bin", "python"), Stdin: stdin, Dir: t.TempDir(), Args: []string{
			"-I", "-B", "-c", smokeTestScript, `{"Imports": ["sample"], "GPU": false, "MPS": false, "Bytecode": true}`,
		}}
		c.Line = func(stream, line string) {
			if strings.HasPrefix(line, bytecodeMark) {
				asked = true
				if code != "" {
					_ = os.MkdirAll(filepath.Dir(target), 0o755)
					_ = os.WriteFile(target, []byte(code), 0o644)
				}
				_, _ = answers.WriteString("y")
			}
		}
		result, err := command.Run(t.Context(), c)
		check(t, errors.Join(err, stdin.Close(), answers.Close()))
		if part := smokeTestLines(result.Stdout)["imports"]; !asked || part.Outcome != SmokeTestPassed {
			t.Errorf("%s: asked %t, %+v", name, asked, part)
		}
		b.close()
	}
}

// TestBytecodeOfTwoProjectsAtOnce builds two generations at once from a store without bytecode,
// ten times. Both import every module, and the store has intact bytecode of each.
func TestBytecodeOfTwoProjectsAtOnce(t *testing.T) {
	python := findPython(t)
	root := t.TempDir()
	const modules = 60
	files, all := map[string]string{}, strings.Builder{}
	for i := range modules {
		files[fmt.Sprintf("shared/m%d.py", i)] = strings.Repeat("def f(x):\n    return [x, 1]\n", 20)
		fmt.Fprintf(&all, "from . import m%d\n", i)
	}
	files["shared/__init__.py"] = all.String()
	entry := unpackWheel(t, filepath.Join(root, "dist"), files)
	var gens []string
	for _, name := range []string{"one", "two"} {
		gen := filepath.Join(root, name)
		check(t, exec.Command(python, "-I", "-m", "venv", "--without-pip", gen).Run())
		gens = append(gens, gen)
	}
	site, minor, err := pyenv.SitePackages(gens[0])
	check(t, err)
	build := func(gen string) error {
		err := os.RemoveAll(filepath.Join(gen, site))
		err = errors.Join(err, os.Mkdir(filepath.Join(gen, site), 0o755))
		program := filepath.Join(gen, "bin", "python")
		r, err2 := wheels.Assemble(t.Context(), gen, program, minor, []*wheels.Entry{entry}, 1, nil)
		if err = errors.Join(err, err2); err != nil {
			return err
		}
		list := bytecodeList{sums: r.Digests}
		b, err := newBytecodeWriter(gen, []*wheels.Entry{entry}, &list)
		if err != nil {
			return err
		}
		defer b.close()
		private, err := os.MkdirTemp(root, "private")
		if err != nil {
			return err
		}
		c := command.Command{Program: program}
		if err := b.start(t.Context(), c, private); err != nil {
			return err
		}
		parts, err := runSmokeTest(t.Context(), c, resources.SmokeTest{Imports: []string{"shared"}}, private, nil, b)
		if err != nil {
			return err
		}
		if parts[0].Outcome != SmokeTestPassed || len(list.sums) != modules+1 {
			return fmt.Errorf("%d files of bytecode, %+v", len(list.sums), parts)
		}
		text := pyenv.EncodeBytecodeList(list.sums)
		if err := os.MkdirAll(filepath.Join(gen, "reconcile"), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(layout.BytecodeList(gen), text, 0o600); err != nil {
			return err
		}
		damage, err := pyenv.VerifyBytecode(t.Context(), gen, pyenv.Seal{Bytecode: sha256.Sum256(text)}, pyenv.Hashed{})
		if len(damage) > 0 {
			err = fmt.Errorf("damaged: %v", damage)
		}
		return err
	}
	for range 10 {
		check(t, wheels.RemoveBytecode(entry.Dir))
		var builds sync.WaitGroup
		for _, gen := range gens {
			builds.Go(func() {
				if err := build(gen); err != nil {
					t.Errorf("%s: %v", filepath.Base(gen), err)
				}
			})
		}
		builds.Wait()
		if damaged, err := entry.VerifyBytecode(t.Context(), nil); err != nil || len(damaged) > 0 {
			t.Fatalf("damaged in the store: %v, %v", damaged, err)
		}
	}
	stored, err := filepath.Glob(filepath.Join(entry.Dir, "bytecode", "*", "shared", "*"))
	if err != nil || len(stored) != modules+1 {
		t.Errorf("the store has %d files, %v", len(stored), err)
	}
}

// TestBytecodeDamagedInPlace overwrites bytecode that a generation shares with the store.
func TestBytecodeDamagedInPlace(t *testing.T) {
	python := findPython(t)
	w := newWorld(t)
	w.mustApply(wantEnvironment(w, python, "one", []string{"alpha=1"}))
	one := w.path(layout.Generation(w.stateDir(), "local", "one"))
	seal, err := pyenv.ReadSeal(one)
	check(t, err)
	if damage, err := pyenv.VerifyBytecode(t.Context(), one, seal, pyenv.Hashed{}); err != nil || len(damage) > 0 {
		t.Fatalf("intact: %v, %v", damage, err)
	}
	_, minor, err := pyenv.SitePackages(one)
	check(t, err)
	code := pyenv.BytecodePath(w.lateIn(python, "one", "alpha"), minor)
	f, err := os.OpenFile(code, os.O_WRONLY|os.O_TRUNC, 0)
	check(t, err)
	_, err = f.WriteString("garbage")
	check(t, errors.Join(err, f.Close()))
	damage, err := pyenv.VerifyBytecode(t.Context(), one, seal, pyenv.Hashed{})
	if err != nil || len(damage) != 1 || damage[0].What != "changed" || filepath.Join(one, damage[0].Path) != code {
		t.Errorf("damage %v, %v", damage, err)
	}
	w.mustApply(wantEnvironment(w, python, "two", []string{"alpha=1"}))
	two := w.path(layout.Generation(w.stateDir(), "local", "two"))
	again, err := os.ReadFile(pyenv.BytecodePath(w.lateIn(python, "two", "alpha"), minor))
	if err != nil || string(again) == "garbage" {
		t.Errorf("the next generation has the damaged bytecode, %v", err)
	}
	if left, err := pyenv.Uncompiled(two); err != nil || len(left) > 0 {
		t.Errorf("without bytecode: %v, %v", left, err)
	}
}
