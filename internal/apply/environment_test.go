package apply

import (
	"os/exec"
	"path"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/pyenv"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// installScript is a fake installer in Python: for each NAME=VERSION it writes a
// distribution with a package, a script and a RECORD.
const installScript = `
import base64, hashlib, os, sys
gen = sys.argv[1]
lib = os.path.join(gen, "lib", "python%d.%d" % sys.version_info[:2], "site-packages")
for pin in sys.argv[2:]:
    name, version = pin.split("=")
    info = "%s-%s.dist-info" % (name, version)
    files = {
        name + "/__init__.py": "version = %r\n" % version,
        name + "/late.py": "version = %r\n" % version,
        info + "/METADATA": "Metadata-Version: 2.1\nName: %s\nVersion: %s\n\n" % (name, version),
        info + "/INSTALLER": "test\n",
        info + "/entry_points.txt": "[console_scripts]\n%s = %s:main\n" % (name, name),
        "../../../bin/" + name: "#!%s/bin/python\nimport sys, %s as m\nprint(sys.prefix, m.version)\n" % (gen, name),
    }
    if name == "writer":  # changes itself during the import, to the same size
        files[name + "/__init__.py"] += "import os, time\ntime.sleep(0.5)\nwith open(os.path.dirname(__file__) + '/late.py', 'r+') as f:\n    f.write('V')\n"
    if name == "hostile":  # code that site runs at the start of Python, and by import
        code = "open(%r, 'a').write(%%r)" % (gen + ".ran")
        files["sitecustomize.py"] = code % "sitecustomize "
        files["hostile.pth"] = "import os; " + code % "pth "
        files[name + "/__init__.py"] += code % "import "
    record = ""
    for path, text in files.items():
        full = os.path.join(lib, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w") as f:
            f.write(text)
        if "bin/" in path:
            os.chmod(full, 0o755)
        if name == "broken" and path.endswith("late.py"):
            text = "Version = 1"  # another one is recorded
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += "%s,sha256=%s,%d\n" % (path, digest, len(text.encode()))
    # Some wheels contain bytecode, which is older than its source after unpacking.
    cache = "%s/__pycache__/__init__.cpython-%d%d.pyc" % ((name,) + sys.version_info[:2])
    os.makedirs(os.path.join(lib, name, "__pycache__"), exist_ok=True)
    with open(os.path.join(lib, cache), "wb") as f:
        f.write(b"stale")
    record += "%s,sha256=%s,5\n" % (cache, base64.urlsafe_b64encode(hashlib.sha256(b"stale").digest()).rstrip(b"=").decode())
    with open(os.path.join(lib, info, "RECORD"), "w") as f:
        f.write(record + info + "/RECORD,,\n")
`

// wantEnvironment is an environment whose generation contains pins, NAME=VERSION. It is
// built by the steps of the kind venv; reused pins are from the active generation.
func wantEnvironment(w *world, python, name string, pins, reused []string) resources.Resource {
	key := facts.EnvironmentKey("local")
	gen := layout.Generation(w.stateDir(), "local", name)
	return newResource("venv", "local", &spec{owns: key, diff: func(v facts.View) resources.Change {
		actual := facts.Get[facts.Environment](v, key)
		if actual.Current == name {
			return resources.Change{}
		}
		c := resources.Change{Action: resources.Create, Predicts: []facts.Fact{facts.Environment{Name: "local", Path: ".venv", Current: name}}}
		if actual.Current != "" {
			c.Action = resources.Replace
		}
		sealed, unsealed := false, false
		for _, g := range actual.Generations {
			sealed = sealed || g.Name == name
		}
		for _, g := range actual.Unsealed {
			unsealed = unsealed || g == name
		}
		if !sealed {
			if unsealed {
				c.Steps = append(c.Steps, resources.Remove{Path: gen})
			}
			c.Steps = append(c.Steps, buildSteps(w, python, gen, actual.Current, pins, reused)...)
		}
		if actual.Current == "" {
			c.Steps = append(c.Steps,
				resources.MakeDir{Path: ".venv", Mode: 0o755},
				resources.Link{Path: ".venv/bin", Target: "generation/reconcile/bin"},
				resources.Link{Path: ".venv/lib", Target: "generation/lib"},
				resources.Link{Path: ".venv/pyvenv.cfg", Target: "generation/pyvenv.cfg"},
			)
		}
		c.Steps = append(c.Steps, resources.Switch{Environment: "local", Link: ".venv/generation", Target: gen})
		return c
	}})
}

func buildSteps(w *world, python, gen, current string, pins, reused []string) []resources.Step {
	full := w.path(gen)
	steps := []resources.Step{resources.Run{Program: python, Args: []string{"-I", "-m", "venv", "--without-pip", full}, Writes: gen}}
	words := []string{"-I", "-c", installScript, full}
	var packages []facts.Package
	var imports []string
	for _, pin := range pins {
		name, version, _ := strings.Cut(pin, "=")
		packages = append(packages, facts.Package{Name: name, Version: version})
		imports = append(imports, name)
		words = append(words, pin)
	}
	return append(
		steps,
		resources.WriteFile{Path: w.stateDir() + "/requirements.txt", Mode: 0o600, Content: strings.Join(pins, "\n")},
		resources.Run{Program: python, Args: words, Writes: gen},
		resources.Compile{Generation: gen},
		resources.SmokeTest{Generation: gen, Imports: imports},
		resources.Seal{Generation: gen, Digest: path.Base(gen), Python: "3.10", Base: python, Packages: packages},
	)
}

// runActive runs a program of the active generation and returns its output.
func (w *world) runActive(words ...string) string {
	w.t.Helper()
	out, err := exec.Command(w.path(".venv/bin/"+words[0]), words[1:]...).CombinedOutput()
	if err != nil {
		w.t.Fatalf("%v: %v\n%s", words, err, out)
	}
	return strings.TrimSpace(string(out))
}

func TestEnvironmentFromFirstToNextGeneration(t *testing.T) {
	python := findPython(t)
	w := newWorld(t)
	w.mustApply(wantEnvironment(w, python, "one", []string{"alpha=1", "beta=1"}, nil))
	one := layout.Generation(w.stateDir(), "local", "one")
	if got := w.runActive("alpha"); got != one+" 1" {
		t.Errorf("alpha prints %q", got)
	}
	if got := w.runActive("python", "-c", "import sys; print(sys.prefix)"); got != one {
		t.Errorf("python is in %q", got)
	}
	for shell, words := range map[string]string{
		"sh": ". .venv/bin/activate; alpha; deactivate", "fish": "source .venv/bin/activate.fish; alpha", "csh": "set prompt='% '; source .venv/bin/activate.csh; alpha", // as in an interactive shell
	} {
		if _, err := exec.LookPath(shell); err != nil {
			continue
		}
		c := exec.Command(shell, "-c", words)
		c.Dir = w.root
		if out, err := c.CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != one+" 1" {
			t.Errorf("%s: %v: %s", shell, err, out)
		}
	}

	w.mustApply(wantEnvironment(w, python, "two", []string{"alpha=1", "beta=2", "gamma=1"}, []string{"alpha"}))
	two := layout.Generation(w.stateDir(), "local", "two")
	for name, want := range map[string]string{"alpha": two + " 1", "beta": two + " 2", "gamma": two + " 1"} {
		if got := w.runActive(name); got != want {
			t.Errorf("%s prints %q, want %q", name, got, want)
		}
	}
	seal, err := pyenv.ReadSeal(two)
	check(t, err)
	for _, deep := range []bool{false, true} {
		if damage, err := pyenv.Verify(t.Context(), two, seal, deep, nil); err != nil || len(damage) > 0 {
			t.Errorf("deep %v: %v, %v", deep, damage, err)
		}
	}
	if damage, err := pyenv.CheckFast(two, seal); err != nil || len(damage) > 0 {
		t.Errorf("fast: %v, %v", damage, err)
	}
	if left, err := pyenv.Uncompiled(two); err != nil || len(left) > 0 {
		t.Errorf("without bytecode: %v, %v", left, err)
	}
	if sw := w.state().Switches("local"); len(sw) != 2 || sw[1].From != "one" || sw[1].To != "two" {
		t.Errorf("switches are %+v", sw)
	}
	// A rollback is one switch.
	w.mustApply(wantEnvironment(w, python, "one", nil, nil))
	if got := w.runActive("beta"); got != one+" 1" {
		t.Errorf("after a rollback beta prints %q", got)
	}
}

func TestFailedBuildKeepsTheActiveGeneration(t *testing.T) {
	python := findPython(t)
	w := newWorld(t)
	w.mustApply(wantEnvironment(w, python, "one", []string{"alpha=1"}, nil))
	steps := func(change func([]resources.Step)) resources.Resource {
		r := wantEnvironment(w, python, "bad", []string{"alpha=1", "beta=1"}, []string{"alpha"})
		diff := r.Spec.(*spec).diff
		r.Spec.(*spec).diff = func(v facts.View) resources.Change {
			c := diff(v)
			change(c.Steps)
			return c
		}
		return r
	}
	each := func(do func(resources.Step) resources.Step) func([]resources.Step) {
		return func(list []resources.Step) {
			for i := range list {
				list[i] = do(list[i])
			}
		}
	}
	for name, tt := range map[string]struct {
		code, found string
		change      func(resources.Step) resources.Step
	}{
		"import": {"apply.prove", "No module named 'omega'", func(s resources.Step) resources.Step {
			if p, ok := s.(resources.SmokeTest); ok {
				p.Imports = []string{"alpha", "omega"}
				return p
			}
			return s
		}},
		"exit": {"apply.prove", "", func(s resources.Step) resources.Step {
			if p, ok := s.(resources.SmokeTest); ok {
				p.Imports = []string{"antigravity.no", "this"}
				return p
			}
			return s
		}},
		"missing package": {"apply.seal", "missing", func(s resources.Step) resources.Step {
			if p, ok := s.(resources.Seal); ok {
				p.Packages = append(p.Packages, facts.Package{Name: "delta", Version: "1"})
				return p
			}
			return s
		}},
		"extra package": {"apply.seal", "foreign", func(s resources.Step) resources.Step {
			if p, ok := s.(resources.Seal); ok {
				p.Packages = p.Packages[:1]
				return p
			}
			return s
		}},
		"unsealed": {"apply.unsealed", "has no seal", func(s resources.Step) resources.Step {
			if _, ok := s.(resources.Seal); ok {
				return resources.Remove{Path: "nothing"}
			}
			return s
		}},
		"elsewhere": {"apply.error", "", func(s resources.Step) resources.Step {
			if p, ok := s.(resources.Switch); ok {
				p.Target = "../" + p.Target
				return p
			}
			return s
		}},
	} {
		r := w.apply(t.Context(), w.plan(steps(each(tt.change))))
		p := r.want(t, "venv.local", Failed, tt.code)
		if !strings.Contains(p.Found, tt.found) {
			t.Errorf("%s: found %q, want %q", name, p.Found, tt.found)
		}
		if got := w.runActive("alpha"); !strings.HasSuffix(got, "/one 1") {
			t.Errorf("%s: the active generation prints %q", name, got)
		}
		w.checkClean()
		// A generation that was sealed before the failure is intact; remove it.
		w.apply(t.Context(), w.plan(wantMade("removed", resources.Remove{Path: layout.Generation(w.stateDir(), "local", "bad")})))
	}
}

// TestSmokeTestThatWritesIsFound changes a file during the imports, while files are hashed
// for the seal.
func TestSmokeTestThatWritesIsFound(t *testing.T) {
	python := findPython(t)
	w := newWorld(t)
	r := w.apply(t.Context(), w.plan(wantEnvironment(w, python, "one", []string{"alpha=1", "writer=1"}, nil)))
	if p := r.want(t, "venv.local", Failed, "apply.seal"); !strings.HasPrefix(p.Found, "changed writer ") || !strings.HasSuffix(p.Found, "/writer/late.py") {
		t.Errorf("found %q", p.Found)
	}
}
