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

// wantEnvironment is an environment whose generation contains pins, NAME=VERSION. It is
// built by the steps of the kind venv. The wheels of pins are written first.
func wantEnvironment(w *world, python, name string, pins []string) resources.Resource {
	key := facts.EnvironmentKey("local")
	gen := layout.Generation(w.stateDir(), "local", name)
	build := buildSteps(w, python, gen, pins)
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
			c.Steps = append(c.Steps, build...)
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

func buildSteps(w *world, python, gen string, pins []string) []resources.Step {
	var wheels []resources.Wheel
	var packages []facts.Package
	var imports []string
	for _, pin := range pins {
		wheel := w.wheel(python, pin)
		wheels = append(wheels, wheel)
		packages = append(packages, facts.Package{Name: wheel.Name, Version: wheel.Version})
		imports = append(imports, wheel.Name)
	}
	return []resources.Step{
		resources.Unpack{Wheels: wheels},
		resources.Run{Program: python, Args: []string{"-I", "-m", "venv", "--without-pip", "--", w.path(gen)}, Writes: gen},
		resources.Assemble{Generation: gen, Python: minorOf(python), Wheels: wheels},
		resources.Compile{Generation: gen},
		resources.SmokeTest{Generation: gen, Imports: imports},
		resources.Seal{Generation: gen, Digest: path.Base(gen), Python: minorOf(python), Base: python, Packages: packages},
	}
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
	w.mustApply(wantEnvironment(w, python, "one", []string{"alpha=1", "beta=1"}))
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

	w.mustApply(wantEnvironment(w, python, "two", []string{"alpha=1", "beta=2", "gamma=1"}))
	two := layout.Generation(w.stateDir(), "local", "two")
	for name, want := range map[string]string{"alpha": two + " 1", "beta": two + " 2", "gamma": two + " 1"} {
		if got := w.runActive(name); got != want {
			t.Errorf("%s prints %q, want %q", name, got, want)
		}
	}
	seal, err := pyenv.ReadSeal(two)
	check(t, err)
	for _, deep := range []bool{false, true} {
		if _, damage, err := pyenv.Verify(t.Context(), two, seal, nil, deep, nil); err != nil || len(damage) > 0 {
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
	w.mustApply(wantEnvironment(w, python, "one", nil))
	if got := w.runActive("beta"); got != one+" 1" {
		t.Errorf("after a rollback beta prints %q", got)
	}
}

func TestFailedBuildKeepsTheActiveGeneration(t *testing.T) {
	python := findPython(t)
	w := newWorld(t)
	w.mustApply(wantEnvironment(w, python, "one", []string{"alpha=1"}))
	steps := func(change func([]resources.Step)) resources.Resource {
		r := wantEnvironment(w, python, "bad", []string{"alpha=1", "beta=1"})
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
	r := w.apply(t.Context(), w.plan(wantEnvironment(w, python, "one", []string{"alpha=1", "writer=1"})))
	if p := r.want(t, "venv.local", Failed, "apply.seal"); !strings.HasPrefix(p.Found, "changed writer ") || !strings.HasSuffix(p.Found, "/writer/late.py") {
		t.Errorf("found %q", p.Found)
	}
	// The file may be a hard link to the store: the next apply unpacks it again.
	w.mustApply(withSteps(wantEnvironment(w, python, "one", []string{"alpha=1", "writer=1"}), without[resources.SmokeTest]))
}
