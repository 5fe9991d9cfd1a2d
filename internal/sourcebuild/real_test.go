package sourcebuild

import (
	"crypto/sha256"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/simpleindex"
	"github.com/reconcile-ml/reconcile/internal/wheels"
)

// download downloads distributions by pip from the index of this machine, or skips the test.
func download(t *testing.T, python string, args ...string) []string {
	t.Helper()
	if testing.Short() {
		t.Skip("uses a package index")
	}
	dir := t.TempDir()
	args = append([]string{"-m", "pip", "download", "-q", "--no-input", "--disable-pip-version-check", "--timeout", "10", "--retries", "0", "-d", dir}, args...)
	if out, err := exec.Command(python, args...).CombinedOutput(); err != nil {
		t.Skipf("pip cannot download from an index: %v\n%s", err, out)
	}
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	check(t, err)
	return names
}

// requirements returns unpacked wheels of the index.
func requirements(t *testing.T, python string, names ...string) []*wheels.Entry {
	t.Helper()
	var entries []*wheels.Entry
	for _, archive := range download(t, python, append([]string{"--only-binary", ":all:"}, names...)...) {
		content, err := os.ReadFile(archive)
		check(t, err)
		name, err := lock.ParseWheel(filepath.Base(archive))
		check(t, err)
		sum := sha256.Sum256(content)
		e, err := wheels.Unpack(t.Context(), archive, lock.Wheel{File: filepath.Base(archive), SHA256: sum}, name.Name, name.Version, filepath.Join(t.TempDir(), "dist"))
		check(t, err)
		entries = append(entries, e)
	}
	return entries
}

// TestRealSources builds packages that the public index has as source only, by setuptools
// without a pyproject.toml.
func TestRealSources(t *testing.T) {
	python, _ := findPython(t)
	entries := requirements(t, python, "setuptools<80", "wheel")
	for _, pin := range []string{"langdetect==1.0.9", "pathtools==0.1.2"} {
		t.Run(pin, func(t *testing.T) {
			archive := download(t, python, "--no-deps", "--no-binary", ":all:", pin)[0]
			e := environment(t, entries...)
			e.Name, e.Version, _ = strings.Cut(pin, "==")
			dir := filepath.Join(t.TempDir(), "source")
			check(t, Unpack(t.Context(), archive, filepath.Base(archive), dir))
			p, err := Open(dir)
			check(t, err)
			m, err := e.Metadata(t.Context(), p, false)
			check(t, err)
			if e.Name == "langdetect" && !slices.Contains(m.Requires, "six") {
				t.Errorf("%+v", m)
			}
			wheel, err := e.Wheel(t.Context(), p, false)
			check(t, err)
			content, err := os.ReadFile(wheel)
			check(t, err)
			_, err = wheels.Unpack(t.Context(), wheel, lock.Wheel{File: filepath.Base(wheel), SHA256: sha256.Sum256(content)}, e.Name, e.Version, filepath.Join(t.TempDir(), "key"))
			check(t, err)
		})
	}
}

// TestExtensionModule compiles a module in C, from a source without pyproject.toml.
func TestExtensionModule(t *testing.T) {
	if _, err := os.Stat("/usr/bin/cc"); err != nil {
		t.Skip("no C compiler: ", err)
	}
	python, _ := findPython(t)
	entries := requirements(t, python, "setuptools", "wheel")
	e := environment(t, entries...)
	p, err := Open(tree(t, map[string]string{
		"setup.py": "from setuptools import setup, Extension\nsetup(name='demo', version='1.0', ext_modules=[Extension('demo', ['demo.c'])])\n",
		"demo.c":   "#include <Python.h>\nstatic struct PyModuleDef m = {PyModuleDef_HEAD_INIT, \"demo\"};\nPyMODINIT_FUNC PyInit_demo(void) { return PyModule_Create(&m); }\n",
	}))
	check(t, err)
	wheel, err := e.Wheel(t.Context(), p, false)
	check(t, err)
	if strings.HasSuffix(wheel, "-any.whl") {
		t.Errorf("%s has no module for this platform", wheel)
	}
}

// TestEditableProjects builds editable packages with real backends. Each leaves its project as it
// was.
func TestEditableProjects(t *testing.T) {
	python, _ := findPython(t)
	for name, test := range map[string]struct {
		requires []string
		files    map[string]string
	}{
		"setuptools": {[]string{"setuptools>=77"}, map[string]string{
			"pyproject.toml":       "[build-system]\nrequires = [\"setuptools\"]\nbuild-backend = \"setuptools.build_meta\"\n[project]\nname = \"demo\"\nversion = \"1.0\"\n[tool.setuptools.packages.find]\nwhere = [\"src\"]\n",
			"src/demo/__init__.py": "x = 1\n",
		}},
		"setup.py": {[]string{"setuptools>=77", "wheel"}, map[string]string{
			"setup.py": "from setuptools import setup\nsetup(name='demo', version='1.0', packages=['demo'])\n", "demo/__init__.py": "x = 1\n",
		}},
		"hatchling": {[]string{"hatchling", "editables"}, map[string]string{
			"pyproject.toml":       "[build-system]\nrequires = [\"hatchling\"]\nbuild-backend = \"hatchling.build\"\n[project]\nname = \"demo\"\nversion = \"1.0\"\n",
			"src/demo/__init__.py": "x = 1\n",
		}},
		"flit": {[]string{"flit_core"}, map[string]string{
			"pyproject.toml":   "[build-system]\nrequires = [\"flit_core>=3.4\"]\nbuild-backend = \"flit_core.buildapi\"\n[project]\nname = \"demo\"\nversion = \"1.0\"\ndescription = \"d\"\n",
			"demo/__init__.py": "x = 1\n",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			entries := requirements(t, python, test.requires...)
			e := environment(t, entries...)
			dir := tree(t, test.files)
			p, err := Open(dir)
			check(t, err)
			_, err = e.Requires(t.Context(), p, true)
			check(t, err)
			_, err = e.Metadata(t.Context(), p, true)
			check(t, err)
			wheel, err := e.Wheel(t.Context(), p, true)
			check(t, err)
			var left []string
			check(t, filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
				if rel, _ := filepath.Rel(dir, name); err == nil && !d.IsDir() {
					left = append(left, filepath.ToSlash(rel))
				}
				return err
			}))
			for _, file := range left {
				if _, ok := test.files[file]; !ok {
					t.Errorf("the build left %s", file)
				}
			}
			content, err := os.ReadFile(wheel)
			check(t, err)
			entry, err := wheels.Unpack(t.Context(), wheel, lock.Wheel{File: filepath.Base(wheel), SHA256: sha256.Sum256(content)}, "demo", "1.0", filepath.Join(t.TempDir(), "key"))
			check(t, err)
			second := environment(t, entry)
			out, err := exec.Command(second.python, "-I", "-c", "import demo; print(demo.__file__)").CombinedOutput()
			if err != nil || !strings.HasPrefix(string(out), dir) {
				t.Errorf("%v: %s, not in %s", err, out, dir)
			}
		})
	}
}

// TestLockOfSources resolves packages that exist as source only with uv, which builds nothing, and
// an editable project.
func TestLockOfSources(t *testing.T) {
	if testing.Short() {
		t.Skip("uses a package index")
	}
	uv, err := exec.LookPath("uv")
	if err != nil {
		t.Skip("no uv: ", err)
	}
	python, minor := findPython(t)
	download(t, python, "--no-deps", "six==1.17.0") // skips without an index
	root := tree(t, map[string]string{
		"pyproject.toml":       "[build-system]\nrequires = [\"hatchling\"]\nbuild-backend = \"hatchling.build\"\n[project]\nname = \"demo\"\nversion = \"1.0\"\ndependencies = [\"tqdm\"]\n",
		"src/demo/__init__.py": "x = 1\n",
	})
	i := inspector(t, root, root)
	i.Packages, err = simpleindex.New(simpleindex.Settings{})
	check(t, err)
	var env []string
	for _, name := range []string{"SSL_CERT_FILE", "UV_DEFAULT_INDEX", "HTTPS_PROXY"} {
		if value := os.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	l, err := lock.Resolve(t.Context(), lock.Request{
		Path: "locks/pylock.local.toml", Python: minor, Platforms: []string{i.Platform}, UV: uv, Interpreter: python, Cache: t.TempDir(), Dir: t.TempDir(), Root: i.Root, IndexEnv: env,
		Packages: []lock.Requirement{{Name: "langdetect", Specifier: ">=1"}, {Name: "pathtools"}, {Name: "demo", URL: "./"}},
		Builds:   map[string]lock.BuildRule{"langdetect": {}, "pathtools": {}}, Inspect: i.Inspect,
	})
	check(t, err)
	if l, err = lock.Decode(l.Encode(), l.Path); err != nil {
		t.Fatal(err)
	}
	closure, err := l.For(i.Platform)
	check(t, err)
	got := map[string]string{}
	for _, d := range closure {
		got[d.Name] = d.Version
		if built := d.Build != nil; built != slices.Contains([]string{"langdetect", "pathtools", "demo"}, d.Name) {
			t.Errorf("%s is built: %t", d.Name, built)
			continue
		}
		if d.Build != nil && !slices.ContainsFunc(d.Build.Requires, func(r lock.Dist) bool { return r.Name == "setuptools" || r.Name == "editables" }) {
			t.Errorf("%s is built with %+v", d.Name, d.Build.Requires)
		}
	}
	if got["langdetect"] != "1.0.9" || got["pathtools"] != "0.1.2" || got["demo"] != "1.0" || got["six"] == "" || got["tqdm"] == "" {
		t.Errorf("%v", got)
	}
}
