package apply

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// A testSource is a source distribution of the package demo with its own build backend, which
// appends a letter to the file at the path in its file "count" for each build, if the sandbox
// permits that.
var testSource = map[string]string{
	"pyproject.toml": "[build-system]\nrequires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n[project]\nname = \"demo\"\nversion = \"1.0\"\n",
	"backend.py": `
import base64, hashlib, os, zipfile

def wheel(out, module, text):
    name, version = "demo", "1.0"
    info = "demo-1.0.dist-info"
    texts = {module: text, info + "/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        info + "/METADATA": "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n"}
    record = "".join("%s,sha256=%s,%d\n" % (p, base64.urlsafe_b64encode(hashlib.sha256(t.encode()).digest()).decode().rstrip("="), len(t)) for p, t in texts.items())
    texts[info + "/RECORD"] = record + info + "/RECORD,,\n"
    with zipfile.ZipFile(os.path.join(out, "demo-1.0-py3-none-any.whl"), "w") as z:
        for p, t in texts.items():
            z.writestr(p, t)
    return "demo-1.0-py3-none-any.whl"

def build_wheel(out, settings=None, metadata=None):
    print("building demo")
    return wheel(out, "demo.py", "x = 1\n")

def build_editable(out, settings=None, metadata=None):
    return wheel(out, "demo.pth", os.path.join(os.getcwd(), "src") + "\n")
`,
}

// sdist writes a source distribution into the folder of wheels.
func (w *world) sdist(files map[string]string) resources.BuildSource {
	w.t.Helper()
	var b bytes.Buffer
	g := gzip.NewWriter(&b)
	tw := tar.NewWriter(g)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		text := files[name]
		check(w.t, tw.WriteHeader(&tar.Header{Name: "demo-1.0/" + name, Mode: 0o644, Size: int64(len(text)), Typeflag: tar.TypeReg}))
		_, err := tw.Write([]byte(text))
		check(w.t, err)
	}
	check(w.t, errors.Join(tw.Close(), g.Close()))
	check(w.t, os.MkdirAll(w.wheelFolder(), 0o755))
	check(w.t, os.WriteFile(filepath.Join(w.wheelFolder(), "demo-1.0.tar.gz"), b.Bytes(), 0o644))
	return resources.BuildSource{File: "demo-1.0.tar.gz", Size: int64(b.Len()), SHA256: sha256.Sum256(b.Bytes())}
}

func changed(files map[string]string, name, old, text string) map[string]string {
	files = maps.Clone(files)
	files[name] = strings.Replace(files[name], old, text, 1)
	return files
}

// wantBuilt is an environment with the package demo, which is built from a source.
func wantBuilt(w *world, python string, source resources.BuildSource) resources.Resource {
	key := facts.EnvironmentKey("local")
	gen := layout.Generation(w.stateDir(), "local", "one")
	demo := resources.Wheel{Name: "demo", Version: "1.0", SHA256: sha256.Sum256([]byte(source.String() + source.SHA256.String()))}
	minor := minorOf(python)
	return newResource("venv", "local", &spec{owns: key, diff: func(v facts.View) resources.Change {
		if facts.Get[facts.Environment](v, key).Current == "one" {
			return resources.Change{}
		}
		steps := []resources.Step{
			resources.Run{Program: python, Args: []string{"-I", "-m", "venv", "--without-pip", "--", w.path(gen)}, Writes: gen},
			resources.Build{Name: "demo", Version: "1.0", Key: demo.SHA256, Source: source, Generation: gen, Python: minor},
			resources.Assemble{Generation: gen, Python: minor, Wheels: []resources.Wheel{demo}},
			resources.SmokeTest{Generation: gen, Imports: []string{"demo"}},
			resources.Seal{Generation: gen, Digest: "one", Python: minor, Base: python, Packages: []facts.Package{{Name: "demo", Version: "1.0", Origin: "source", Build: demo.SHA256}}},
			resources.MakeDir{Path: ".venv", Mode: 0o755},
			resources.Link{Path: ".venv/bin", Target: "generation/reconcile/bin"},
			resources.Link{Path: ".venv/lib", Target: "generation/lib"},
			resources.Link{Path: ".venv/pyvenv.cfg", Target: "generation/pyvenv.cfg"},
			resources.Switch{Environment: "local", Link: ".venv/generation", Target: gen},
		}
		return resources.Change{Action: resources.Create, Steps: steps, Predicts: []facts.Fact{facts.Environment{Name: "local", Path: ".venv", Current: "one"}}}
	}})
}

// builds returns the number of builds that ran, by their logs.
func (w *world) builds() (n int) {
	logs, err := filepath.Glob(filepath.Join(layout.Cache(w.store(), "builds"), "*.log"))
	check(w.t, err)
	for _, name := range logs {
		text, err := os.ReadFile(name)
		check(w.t, err)
		n += strings.Count(string(text), "build_wheel of demo 1.0")
	}
	return n
}

// TestSourceIsBuiltOnceForAStore builds the environment of one project twice at the same time
// as that of another one.
func TestSourceIsBuiltOnceForAStore(t *testing.T) {
	python := findPython(t)
	first, second := newWorld(t), newWorld(t)
	second.shared = first.store()
	check(t, os.MkdirAll(second.stateDir(), 0o700))
	var projects sync.WaitGroup
	for _, w := range []*world{first, second} {
		env := wantBuilt(w, python, w.sdist(testSource))
		projects.Go(func() { w.mustApply(env) })
	}
	projects.Wait()
	if n := first.builds(); n != 1 {
		t.Errorf("%d builds", n)
	}
	for _, w := range []*world{first, second} {
		if out, err := exec.Command(w.path(".venv/bin/python"), "-c", "import demo; print(demo.x)").CombinedOutput(); err != nil || string(out) != "1\n" {
			t.Errorf("%v: %s", err, out)
		}
	}
}

func TestBuildFailsWithoutAResult(t *testing.T) {
	python := findPython(t)
	for name, test := range map[string]struct {
		files       map[string]string
		code, found string
	}{
		"error":           {changed(testSource, "backend.py", `print("building demo")`, `raise ValueError("no compiler")`), "build.failed", "no compiler"},
		"another package": {changed(testSource, "backend.py", "Name: demo", "Name: other"), "build.metadata", "other 1.0"},
		"another version": {changed(testSource, "backend.py", "Version: 1.0\\n\"}", "Version: 2.0\\n\"}"), "build.metadata", "demo 2.0"},
		"wrong RECORD":    {changed(testSource, "backend.py", "len(t)) for", "len(t) + 1) for"), "build.metadata", "demo.py"},
		"no project":      {map[string]string{"README": ""}, "build.failed", "neither a pyproject.toml nor a setup.py"},
		"path outside":    {map[string]string{"../../x": ""}, "build.failed", "outside"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			p := w.apply(t.Context(), w.plan(wantBuilt(w, python, w.sdist(test.files)))).want(t, "venv.local", Failed, test.code)
			if !strings.Contains(p.Found, test.found) {
				t.Errorf("found %q", p.Found)
			}
			if _, err := os.Lstat(w.path(".venv")); err == nil {
				t.Error("an environment was activated")
			}
			w.mustApply(wantBuilt(w, python, w.sdist(testSource)))
		})
	}
}

func TestBuildFromAChangedArchive(t *testing.T) {
	python := findPython(t)
	w := newWorld(t)
	env := wantBuilt(w, python, w.sdist(testSource))
	w.sdist(changed(testSource, "backend.py", "building demo", "building other"))
	w.apply(t.Context(), w.plan(env)).want(t, "venv.local", Failed, "apply.hash")
	if n := w.builds(); n != 0 {
		t.Errorf("%d builds", n)
	}
}

func TestBuildOfACommit(t *testing.T) {
	python := findPython(t)
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("no git: ", err)
	}
	w := newWorld(t)
	repository := filepath.Join(w.root, "repository")
	for name, text := range testSource {
		w.write("repository/sub/"+name, text)
	}
	var commit string
	for _, args := range [][]string{{"init", "-q"}, {"add", "-A"}, {"-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false", "commit", "-q", "-m", "x"}, {"rev-parse", "HEAD"}} {
		c := exec.Command("git", args...)
		c.Dir = repository
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("git %q: %v\n%s", args, err, out)
		}
		commit = strings.TrimSpace(string(out))
	}
	w.mustApply(wantBuilt(w, python, resources.BuildSource{Git: "file://" + repository, Commit: commit, Subdirectory: "sub"}))
	other := newWorld(t)
	p := other.apply(t.Context(), other.plan(wantBuilt(other, python, resources.BuildSource{Git: "file://" + repository, Commit: strings.Repeat("0", 40)}))).want(t, "venv.local", Failed, "build.git")
	if !strings.Contains(p.Found, repository) {
		t.Errorf("found %q", p.Found)
	}
}

func TestEditableBuildUsesTheFilesOfTheProject(t *testing.T) {
	python := findPython(t)
	w := newWorld(t)
	for name, text := range testSource {
		w.write("libs/demo/"+name, text)
	}
	w.write("libs/demo/src/demo.py", "x = 1\n")
	w.mustApply(wantBuilt(w, python, resources.BuildSource{Directory: "libs/demo"}))
	w.write("libs/demo/src/demo.py", "x = 2\n")
	if out, err := exec.Command(w.path(".venv/bin/python"), "-c", "import demo; print(demo.x)").CombinedOutput(); err != nil || string(out) != "2\n" {
		t.Errorf("%v: %s", err, out)
	}
	outside := newWorld(t)
	check(t, os.Symlink(w.path("libs"), outside.path("libs")))
	outside.apply(t.Context(), outside.plan(wantBuilt(outside, python, resources.BuildSource{Directory: "libs/demo"}))).want(t, "venv.local", Failed, "")
}

// TestWheelOfTheProject installs a wheel at a path of the project.
func TestWheelOfTheProject(t *testing.T) {
	python := findPython(t)
	w := newWorld(t)
	at := func(file string) resources.Resource {
		return withSteps(wantEnvironment(w, python, "one", []string{"alpha=1"}), func(steps []resources.Step) []resources.Step {
			for i, s := range steps {
				if u, ok := s.(resources.Unpack); ok {
					u.Wheels[0].URL = "./" + file
					steps[i] = u
				}
			}
			return steps
		})
	}
	env := at("wheels/alpha-1-py3-none-any.whl")
	w.apply(t.Context(), w.plan(env)).want(t, "venv.local", Failed, "index.absent")
	w.write("wheels/alpha-1-py3-none-any.whl", "changed")
	w.apply(t.Context(), w.plan(env)).want(t, "venv.local", Failed, "apply.hash")
	w.write("wheels/alpha-1-py3-none-any.whl", w.read(filepath.Join(w.wheelFolder(), "alpha-1-py3-none-any.whl")))
	w.removeWheels()
	w.mustApply(env)
}

// TestBuildImportsItsRequirementsAndPackagesOfTheEnvironment builds a package whose backend imports
// a requirement of the build, which is fetched, and an unpacked package of the environment.
func TestBuildImportsItsRequirementsAndPackagesOfTheEnvironment(t *testing.T) {
	python := findPython(t)
	w := newWorld(t)
	required, with := w.wheel(python, "alpha=1"), w.wheel(python, "beta=1")
	older := w.wheel(python, "beta=2") // replaced by the package of the environment
	source := w.sdist(changed(testSource, "backend.py", `print("building demo")`, `import alpha, beta; assert (alpha.version, beta.version) == ("1", "1")`))
	w.mustApply(withSteps(wantBuilt(w, python, source), func(steps []resources.Step) []resources.Step {
		for i, s := range steps {
			if b, ok := s.(resources.Build); ok {
				b.Requires, b.With = []resources.Wheel{required, older}, []resources.Wheel{with}
				return slices.Insert(slices.Replace(steps, i, i+1, resources.Step(b)), i, resources.Step(resources.Unpack{Wheels: []resources.Wheel{with}}))
			}
		}
		return steps
	}))
}
