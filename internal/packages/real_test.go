package packages

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"

	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/pep"
)

// run runs a program without the index settings of this machine, and returns its output.
func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "PIP_") && !strings.HasPrefix(kv, "UV_") {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	cmd.Env = append(cmd.Env, "UV_CACHE_DIR="+t.TempDir(), "UV_PYTHON_DOWNLOADS=never", "PIP_DISABLE_PIP_VERSION_CHECK=1", "PIP_NO_CACHE_DIR=1")
	out, err := cmd.Output()
	if err != nil {
		stderr := ""
		if failed, ok := err.(*exec.ExitError); ok {
			stderr = string(failed.Stderr)
		}
		t.Fatalf("%s %q: %v\n%s%s", name, args, err, out, stderr)
	}
	return string(out)
}

// installable is a project with packages from a folder and a file of the project, for the Python
// of this machine.
func installable(t *testing.T, python string) *project {
	t.Helper()
	p := newProject(t)
	p.python = strings.TrimSpace(run(t, "", python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"))
	p.manifest("type: venv", "path: .venv", "packages: [\"rcalpha>=1\", \"rcfile @ ./libs/rcfile-1.0-py3-none-any.whl\"]")
	file := p.wheel(filepath.Join(p.dir, "libs"), "rcfile", "1.0", "rccore")
	platforms := map[bool]string{true: "linux-x86_64", false: "macos-arm64"}
	here := lock.MarkerEnvironment("linux-x86_64", p.python)["sys_platform"] == strings.TrimSpace(run(t, "", python, "-c", "import sys; print(sys.platform)"))
	p.wheel(p.wheels, "rccore", "2.0") // newer than the lock
	p.lock([]lock.Package{
		{Name: "rcalpha", Version: "1.0", Dependencies: []string{"rccore", "rchere", "rcthere"}, Wheels: []lock.Wheel{p.wheel(p.wheels, "rcalpha", "1.0", "rccore>=1", "rchere", "rcthere ; sys_platform != '"+lock.MarkerEnvironment(platforms[here], p.python)["sys_platform"]+"'")}},
		{Name: "rccore", Version: "1.1", Wheels: []lock.Wheel{p.wheel(p.wheels, "rccore", "1.1")}},
		{Name: "rcfile", Version: "1.0", URL: "./libs/rcfile-1.0-py3-none-any.whl", Dependencies: []string{"rccore"}, Wheels: []lock.Wheel{file}},
		{Name: "rchere", Version: "1.0", Platforms: []string{platforms[here]}, Wheels: []lock.Wheel{p.wheel(p.wheels, "rchere", "1.0")}},
		{Name: "rcthere", Version: "1.0", Platforms: []string{platforms[!here]}, Wheels: []lock.Wheel{p.wheel(p.wheels, "rcthere", "1.0")}},
	}, nil)
	return p
}

var installed = []string{"rcalpha 1.0", "rccore 1.1", "rcfile 1.0", "rchere 1.0"}

// save writes an export into the project.
func (p *project) save(format, name string) string {
	p.t.Helper()
	file := filepath.Join(p.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		p.t.Fatal(err)
	}
	x := p.export(ExportOptions{Format: format, Dir: filepath.Dir(file)})
	if err := x.Write(file, name); err != nil {
		p.t.Fatal(err)
	}
	return file
}

// compare compares the packages that a program lists with those of the lock.
func compare(t *testing.T, what, list string) {
	t.Helper()
	var doc []struct{ Name, Version string }
	if err := json.Unmarshal([]byte(list), &doc); err != nil {
		t.Fatalf("%s: %v\n%s", what, err, list)
	}
	var got []string
	for _, d := range doc {
		if name := pep.Normalize(d.Name); name != "pip" && name != "setuptools" {
			got = append(got, name+" "+d.Version)
		}
	}
	if slices.Sort(got); !slices.Equal(got, installed) {
		t.Errorf("%s installed %q, want %q", what, got, installed)
	}
}

func lookPath(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("%s is not on this machine", program)
	}
	return path
}

func TestPipInstallsAnExport(t *testing.T) {
	t.Parallel()
	p := installable(t, lookPath(t, "python3"))
	requirements := p.save("requirements", "requirements.txt")
	venv := filepath.Join(t.TempDir(), "venv")
	run(t, "", "python3", "-m", "venv", venv)
	python := filepath.Join(venv, "bin", "python")
	run(t, p.dir, python, "-m", "pip", "install", "-q", "--require-hashes", "--no-index", "--find-links", p.wheels, "-r", requirements)
	compare(t, "pip, from requirements,", run(t, "", python, "-m", "pip", "list", "--format", "json"))
}

func TestPipInstallsAPylock(t *testing.T) {
	t.Parallel()
	pip, _ := exec.LookPath("pip")
	const least = "26.1"
	if pip == "" || pep.CompareVersions(strings.Fields(run(t, "", pip, "--version"))[1], least) < 0 {
		pip = filepath.Join(venvWith(t, "pip>="+least), "pip")
	}
	p := installable(t, lookPath(t, "python3"))
	venv := filepath.Join(t.TempDir(), "venv")
	run(t, "", "python3", "-m", "venv", "--without-pip", venv)
	run(t, p.dir, pip, "--python", venv, "install", "-q", "--no-index", "-r", p.save("pylock", "out/pylock.toml"))
	compare(t, "pip, from pylock,", run(t, "", pip, "--python", venv, "list", "--format", "json"))
}

// TestLocksAreValid reads a lock and its export with the library of PEP 751.
func TestLocksAreValid(t *testing.T) {
	t.Parallel()
	python := validator(t)
	p := everySource(t)
	for _, file := range []string{filepath.Join(p.dir, "pylock.main.toml"), p.save("pylock", "out/pylock.toml")} {
		const script = `
import pathlib, sys, tomllib
from packaging.pylock import Pylock, is_valid_pylock_path
path = pathlib.Path(sys.argv[1])
lock = Pylock.from_dict(tomllib.loads(path.read_text()))
print(is_valid_pylock_path(path), len(lock.packages), len(lock.environments))`
		if got := run(t, p.dir, python, "-c", script, file); got != "True 10 2\n" {
			t.Errorf("%s: %s", file, got)
		}
	}
}

// validator returns a Python that has the library of PEP 751.
func validator(t *testing.T) string {
	t.Helper()
	python := lookPath(t, "python3")
	const check = "import tomllib, packaging.pylock"
	if exec.Command(python, "-c", check).Run() == nil {
		return python
	}
	python = filepath.Join(venvWith(t, "packaging>=26"), "python")
	if exec.Command(python, "-c", check).Run() != nil {
		t.Skip("python3 is older than 3.11")
	}
	return python
}

// venvWith returns the directory of the programs of a new environment with a package of the index
// of this machine.
func venvWith(t *testing.T, requirement string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("uses the network")
	}
	venv := filepath.Join(t.TempDir(), "venv")
	run(t, "", lookPath(t, "python3"), "-m", "venv", venv)
	bin := filepath.Join(venv, "bin")
	if out, err := exec.Command(filepath.Join(bin, "python"), "-m", "pip", "install", "-q", "--retries=0", "--timeout=10", requirement).CombinedOutput(); err != nil {
		t.Skipf("%s cannot be installed: %s", requirement, out)
	}
	return bin
}

// TestLockNamesTheExport checks the way out of the error of a tool that does not find the files of
// a lock, since it has no URLs.
func TestLockNamesTheExport(t *testing.T) {
	t.Parallel()
	uv := lookPath(t, "uv")
	p := installable(t, lookPath(t, "python3"))
	venv := filepath.Join(t.TempDir(), "venv")
	run(t, "", uv, "venv", "-q", "--python", lookPath(t, "python3"), venv)
	lock := filepath.Join(p.dir, "pylock.main.toml")
	if exec.Command(uv, "pip", "sync", "-q", "--offline", "--python", venv, lock).Run() == nil {
		t.Fatal("uv installs a lock without URLs")
	}
	text, err := os.ReadFile(lock)
	if err != nil {
		t.Fatal(err)
	}
	if _, after, ok := strings.Cut(string(text), "`reconcile export"); !ok || !strings.HasPrefix(after, " --format pylock -o pylock.toml`\n") {
		t.Errorf("the lock does not name the export:\n%s", text)
	}
}

func TestUVInstallsAnExport(t *testing.T) {
	t.Parallel()
	uv := lookPath(t, "uv")
	p := installable(t, lookPath(t, "python3"))
	for _, format := range []string{"requirements", "pylock"} {
		venv := filepath.Join(t.TempDir(), "venv")
		run(t, "", uv, "venv", "-q", "--python", lookPath(t, "python3"), venv)
		args := []string{"pip", "sync", "-q", "--offline", "--no-index", "--python", venv}
		file := p.save(format, "out/pylock.toml")
		if format == "requirements" {
			file = p.save(format, "requirements.txt")
			args = append(args, "--require-hashes", "--find-links", p.wheels)
		}
		run(t, p.dir, uv, append(args, file)...)
		compare(t, "uv, from "+format+",", run(t, "", uv, "pip", "list", "-q", "--python", venv, "--format", "json"))
	}
}

func TestUVLocksAnExport(t *testing.T) {
	t.Parallel()
	uv := lookPath(t, "uv")
	p := installable(t, lookPath(t, "python3"))
	file := p.save("uv", "out/pyproject.toml")
	run(t, filepath.Dir(file), uv, "lock", "-q", "--offline", "--no-index", "--find-links", p.wheels, "--python", lookPath(t, "python3"))
	text, err := os.ReadFile(filepath.Join(filepath.Dir(file), "uv.lock"))
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Package []struct{ Name, Version string }
	}
	if err := toml.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, q := range doc.Package {
		if q.Name != "demo-main" {
			got = append(got, q.Name+" "+q.Version)
		}
	}
	if want := append(slices.Clone(installed), "rcthere 1.0"); !slices.Equal(got, want) {
		t.Errorf("uv locks %q, want %q", got, want)
	}
}
