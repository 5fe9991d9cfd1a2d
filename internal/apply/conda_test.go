package apply

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/pyenv"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// condaInstallScript is a fake conda client in Python. It creates a prefix with
// conda-meta, the package tiny in a given version, and activation scripts. Its Python is
// a symlink with a pyvenv.cfg, so that no test has to copy 30 MB.
const condaInstallScript = `
import hashlib, json, os, sys
prefix, version = sys.argv[1:]
site = "lib/python%d.%d/site-packages/" % sys.version_info[:2]
def package(name, version, build, files):
    paths = []
    for path, text in files.items():
        full = os.path.join(prefix, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        if isinstance(text, tuple):
            os.symlink(text[0], full)
            paths.append({"_path": path, "path_type": "softlink", "sha256": hashlib.sha256(b"").hexdigest(), "size_in_bytes": 0})
            continue
        text = text.replace("@@", prefix)
        with open(full, "w") as f:
            f.write(text)
        if text.startswith("#!"):
            os.chmod(full, 0o755)
        paths.append({"_path": path, "path_type": "hardlink", "sha256_in_prefix": hashlib.sha256(text.encode()).hexdigest()})
    record = {"name": name, "version": version, "build": build, "sha256": hashlib.sha256((name + version + build).encode()).hexdigest(),
        "files": list(files), "paths_data": {"paths": paths, "paths_version": 1}}
    os.makedirs(os.path.join(prefix, "conda-meta"), exist_ok=True)
    with open(os.path.join(prefix, "conda-meta", "-".join((name, version, build)) + ".json"), "w") as f:
        json.dump(record, f)
package("python", "3.10", "h0", {"bin/python": (sys.executable,), "bin/python3": ("python",),
    "pyvenv.cfg": "home = %s\n" % os.path.dirname(sys.executable)})
info = site + "tiny-%s.dist-info/" % version
package("tiny", version, "py_0", {
    site + "tiny/__init__.py": "version = %r\n" % version, site + "tiny/late.py": "version = %r\n" % version,
    info + "METADATA": "Name: tiny\nVersion: %s\n" % version, info + "RECORD": "tiny/__init__.py,sha256=of-the-builder,1\n",
    "bin/tiny": "#!/bin/sh\n'''exec' '@@/bin/python' \"$0\" \"$@\"\n' '''\nimport os, sys, tiny\nprint(sys.prefix, tiny.version, os.environ['CONDA_PREFIX'], os.environ['PYTHONNOUSERSITE'], *sys.argv[1:])\n"})
package("sets", "1.0", "0", {"etc/conda/activate.d/sets.sh": "export SETS=\"$CONDA_PREFIX\"\n", "etc/conda/deactivate.d/sets.sh": "unset SETS\n"})
with open(os.path.join(prefix, "conda-meta", "history"), "w"):
    pass
`

// wantCondaEnvironment is an environment of type conda whose generation contains tiny in
// a version, and beta from pip. Its path is that of wantEnvironment.
func wantCondaEnvironment(w *world, python, name, version string) resources.Resource {
	key := facts.EnvironmentKey("local")
	gen := layout.Generation(w.stateDir(), "local", name)
	build := condaSteps(w, python, gen, version, "beta=1")
	return newResource("conda", "local", &spec{owns: key, diff: func(v facts.View) resources.Change {
		actual := facts.Get[facts.Environment](v, key)
		if actual.Current == name {
			return resources.Change{}
		}
		c := resources.Change{Action: resources.Create, Predicts: []facts.Fact{facts.Environment{Name: "local", Path: ".venv", Current: name}}}
		if actual.Current != "" {
			c.Action = resources.Replace
		}
		sealed := false
		for _, g := range actual.Generations {
			sealed = sealed || g.Name == name
		}
		for _, g := range actual.Unsealed {
			if g == name {
				c.Steps = append(c.Steps, resources.Remove{Path: gen})
			}
		}
		if !sealed {
			c.Steps = append(c.Steps, build...)
		}
		if actual.Current == "" {
			c.Steps = append(c.Steps, resources.MakeDir{Path: ".venv", Mode: 0o755})
			for _, l := range layout.EntryLinks("conda") {
				c.Steps = append(c.Steps, resources.Link{Path: path.Join(".venv", l.Name), Target: l.Target})
			}
		}
		c.Steps = append(c.Steps, resources.Switch{Environment: "local", Link: ".venv/generation", Target: gen})
		return c
	}})
}

// condaSteps returns the steps of the kind conda that build a generation.
func condaSteps(w *world, python, gen, version, pin string) []resources.Step {
	full := w.path(gen)
	var conda []facts.CondaPackage
	for _, p := range [][3]string{{"python", "3.10", "h0"}, {"sets", "1.0", "0"}, {"tiny", version, "py_0"}} {
		conda = append(conda, facts.CondaPackage{Name: p[0], Version: p[1], Build: p[2], SHA256: sha256.Sum256([]byte(p[0] + p[1] + p[2]))})
	}
	wheel := w.wheel(python, pin)
	wheels := []resources.Wheel{wheel}
	return []resources.Step{
		resources.FetchWheel{Wheel: w.wheel(python, "engine=1"), Path: path.Join(w.store(), "tools", "engine-1.whl")},
		resources.Unpack{Wheels: wheels},
		resources.WriteFile{Path: gen + "/reconcile/conda.json", Mode: 0o644, Content: "{}\n"},
		resources.Run{Program: python, Args: []string{"-I", "-B", "-c", condaInstallScript, full, version}, Writes: gen},
		resources.Assemble{Generation: gen, Python: minorOf(python), Wheels: wheels},
		resources.Compile{Generation: gen},
		resources.SmokeTest{Generation: gen, Imports: []string{"tiny", wheel.Name}},
		resources.Seal{
			Generation: gen, Digest: path.Base(gen), Python: "3.10", Conda: conda,
			Packages:  []facts.Package{{Name: wheel.Name, Version: wheel.Version}},
			Variables: []resources.Variable{{Name: "HF_HUB_CACHE", Path: "models"}},
		},
	}
}

func TestCondaFromFirstToNextGeneration(t *testing.T) {
	python := findPython(t)
	w := newWorld(t)
	w.mustApply(wantCondaEnvironment(w, python, "one", "1.0"))
	one := layout.Generation(w.stateDir(), "local", "one")
	if got := w.runActive("tiny", "a b", "$HOME", `"`); got != one+" 1.0 "+one+` 1 a b $HOME "` {
		t.Errorf("tiny prints %q", got)
	}
	if got := w.runActive("beta"); got != one+" 1" {
		t.Errorf("beta prints %q", got)
	}
	w.mustApply(wantCondaEnvironment(w, python, "two", "2.0"))
	two := layout.Generation(w.stateDir(), "local", "two")
	if got := w.runActive("tiny"); got != two+" 2.0 "+two+" 1" {
		t.Errorf("tiny prints %q", got)
	}
	for _, gen := range []string{one, two} {
		seal, err := pyenv.ReadSeal(gen)
		check(t, err)
		if len(seal.Conda) != 3 || len(seal.CondaDists) != 1 || len(seal.Packages) != 1 {
			t.Errorf("the seal contains %v, %v, %v", seal.Conda, seal.CondaDists, seal.Packages)
		}
		if _, damage, err := pyenv.Verify(t.Context(), gen, seal, nil, true, nil); err != nil || len(damage) > 0 {
			t.Errorf("deep: %v, %v", damage, err)
		}
		if damage, err := pyenv.CheckFast(gen, seal); err != nil || len(damage) > 0 {
			t.Errorf("fast: %v, %v", damage, err)
		}
		if left, err := pyenv.Uncompiled(gen); err != nil || len(left) > 0 {
			t.Errorf("without bytecode: %v, %v", left, err)
		}
	}
}

// TestCondaDiffersFromTheLock installs other packages than those of the seal.
func TestCondaDiffersFromTheLock(t *testing.T) {
	python := findPython(t)
	for name, tt := range map[string]struct {
		code   string
		found  string
		change func(*resources.Seal)
	}{
		"missing": {"apply.seal", "missing  conda-meta/more-1-0.json", func(s *resources.Seal) {
			s.Conda = append(s.Conda, facts.CondaPackage{Name: "more", Version: "1", Build: "0"})
		}},
		"foreign":     {"apply.seal", "foreign  conda-meta/sets-1.0-0.json", func(s *resources.Seal) { s.Conda = append(s.Conda[:1:1], s.Conda[2:]...) }},
		"other bytes": {"apply.seal", "package  conda-meta/tiny-1.0-py_0.json", func(s *resources.Seal) { s.Conda[2].SHA256[0] ^= 1 }},
		"other build": {"apply.seal", "package  conda-meta/tiny-1.0-py_0.json", func(s *resources.Seal) { s.Conda[2].Build = "py_1" }},
		"pip has it":  {"apply.twice", "tiny: from the conda package tiny", func(s *resources.Seal) { s.Packages = append(s.Packages, facts.Package{Name: "tiny", Version: "3.0"}) }},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			r := wantCondaEnvironment(w, python, "one", "1.0")
			diff := r.Spec.(*spec).diff
			r.Spec.(*spec).diff = func(v facts.View) resources.Change {
				c := diff(v)
				for i := range c.Steps {
					if s, ok := c.Steps[i].(resources.Seal); ok {
						s.Conda = slices.Clone(s.Conda)
						tt.change(&s)
						c.Steps[i] = s
					}
				}
				return c
			}
			p := w.apply(t.Context(), w.plan(r)).want(t, "conda.local", Failed, tt.code)
			if !strings.Contains(p.Found, tt.found) {
				t.Errorf("found %q, want %q", p.Found, tt.found)
			}
			if _, err := os.Lstat(w.path(".venv")); err == nil {
				t.Error("a generation is active")
			}
		})
	}
}

// rootNames are names of project folders that a shell would expand or split.
var rootNames = []string{"plain", "with blank", "ünï 漢", "a[bc]d", "st*r {x,y} #1 %d =e ?", "-dash"}

// newCondaWorld returns a project with a special name and a conda environment.
func newCondaWorld(t *testing.T, python, root string) (w *world, one string) {
	t.Helper()
	w = newWorld(t)
	w.root = w.path(root)
	check(t, os.Mkdir(w.root, 0o755))
	w.mustApply(wantCondaEnvironment(w, python, "one", "1.0"))
	return w, layout.Generation(w.stateDir(), "local", "one")
}

// shell runs a script in the project with a minimal environment, and returns its output.
// It skips the test if the shell is not installed.
func (w *world) shell(t *testing.T, words []string, script string, environ ...string) string {
	t.Helper()
	program, err := exec.LookPath(words[0])
	if err != nil {
		t.Skip("no " + words[0] + " on this machine")
	}
	file := filepath.Join(t.TempDir(), "script")
	check(t, os.WriteFile(file, []byte(script), 0o600))
	c := exec.Command(program, append(words[1:len(words):len(words)], file)...)
	c.Dir = w.root
	c.Env = append([]string{"PATH=/usr/bin:/bin", "HOME=" + w.root, "LANG=C.UTF-8", "ENV_PATH=" + w.path(".venv")}, environ...)
	out, err := c.CombinedOutput()
	if err != nil {
		t.Errorf("%v: %v\n%s", words, err, out)
	}
	return string(out)
}

// posixShells are the shells that use the scripts for sh.
var posixShells = map[string][]string{"sh": {"sh", "-eu"}, "bash": {"bash", "-eu"}, "zsh": {"zsh", "-feu"}, "bash as sh": {"bash", "--posix", "-eu"}}

// shellStates are variables before the activation.
var shellStates = map[string]struct {
	environ []string
	first   string
}{
	"nothing":     {nil, "unset PS1"},
	"a prompt":    {nil, "PS1='$ '"},
	"an old one":  {[]string{"CONDA_PREFIX=/opt/other", "PYTHONNOUSERSITE=yes", "HF_HUB_CACHE=/data/hf hub"}, "PS1='(other) $ '"},
	"empty words": {[]string{"CONDA_PREFIX=", "PYTHONNOUSERSITE=", "HF_HUB_CACHE="}, "PS1="},
}

// printVariables prints the exported variables of a shell and its prompt.
const printVariables = `{ env | grep -v -e '^_=' -e '^SHLVL=' -e '^OLDPWD=' | LC_ALL=C sort; echo "prompt ${PS1-unset}"; }`

// TestActivate activates twice and deactivates: then all variables are as before.
func TestActivate(t *testing.T) {
	python := findPython(t)
	for _, root := range rootNames {
		w, one := newCondaWorld(t, python, root)
		for shell, words := range posixShells {
			for was, b := range shellStates {
				t.Run(root+"/"+shell+"/"+was, func(t *testing.T) {
					got := w.shell(t, words, b.first+`
start=$(`+printVariables+`)
. .venv/bin/activate
. .venv/bin/activate
tiny "a b"
command -v python
printf '%s\n' "$SETS" "$PATH" "$PS1" "$HF_HUB_CACHE"
deactivate
end=$(`+printVariables+`)
if [ "$start" != "$end" ]; then printf 'before:\n%s\nafter:\n%s\n' "$start" "$end"; fi
set | grep -a -i '^_reconcile' || true
`, b.environ...)
					prompt := map[string]string{"nothing": "", "a prompt": "$ ", "an old one": "(other) $ ", "empty words": ""}[was]
					want := one + " 1.0 " + one + " 1 a b\n" + one + "/bin/python\n" + one + "\n" + one + "/bin:/usr/bin:/bin\n(local) " + prompt + "\n" + w.path("models") + "\n"
					if got != want {
						t.Errorf("got\n%swant\n%s", got, want)
					}
				})
			}
		}
	}
}

// TestCondaBind activates the environment path and deactivates as conda clients do.
func TestCondaBind(t *testing.T) {
	python := findPython(t)
	for _, root := range rootNames {
		w, one := newCondaWorld(t, python, root)
		for shell, words := range posixShells {
			for was, b := range shellStates {
				t.Run(root+"/"+shell+"/"+was, func(t *testing.T) {
					got := w.shell(t, words, b.first+`
mkdir -p .venv-x/bin .venv/binx
PATH="$ENV_PATH/binx:$ENV_PATH/bin/x:$PATH"
start=$(`+printVariables+`)
was=${CONDA_PREFIX-unset}
CONDA_PREFIX=$ENV_PATH
PATH="$ENV_PATH/bin:$PATH"
export CONDA_PREFIX PATH
for script in "$ENV_PATH"/etc/conda/activate.d/*.sh; do . "$script"; done
tiny
printf '%s\n' "$CONDA_PREFIX" "$SETS" "$HF_HUB_CACHE" "$PATH"
for script in "$CONDA_PREFIX"/etc/conda/deactivate.d/*.sh; do . "$script"; done
PATH=${PATH#"$CONDA_PREFIX/bin:"}
if [ "$was" = unset ]; then unset CONDA_PREFIX; else CONDA_PREFIX=$was; fi
end=$(`+printVariables+`)
if [ "$start" != "$end" ]; then printf 'before:\n%s\nafter:\n%s\n' "$start" "$end"; fi
set | grep -a -i '^_reconcile' || true
`, b.environ...)
					env := w.path(".venv")
					want := one + " 1.0 " + one + " 1\n" + one + "\n" + one + "\n" + w.path("models") + "\n" + one + "/bin:" + env + "/binx:" + env + "/bin/x:/usr/bin:/bin\n"
					if got != want {
						t.Errorf("got\n%swant\n%s", got, want)
					}
				})
			}
		}
	}
}

// TestCondaBindPath has the environment path in PATH after others with the same prefix,
// as after a second activation.
func TestCondaBindPath(t *testing.T) {
	dir := t.TempDir()
	for i, tt := range []struct{ path, want string }{
		{"/v/bin:/usr/bin", "/g/bin:/usr/bin"},
		{"/v/bin", "/g/bin"},
		{"/usr/bin:/v/bin", "/usr/bin:/g/bin"},
		{"/v/binx:/v/bin:/usr/bin", "/v/binx:/g/bin:/usr/bin"},
		{"/v/bin/x:/a/v/bin:/v/bin:/usr/bin", "/v/bin/x:/a/v/bin:/g/bin:/usr/bin"},
		{":/v/bin:", ":/g/bin:"},
		{"/v/binx:/usr/bin", "/v/binx:/usr/bin"},
		{"", ""},
	} {
		script := filepath.Join(dir, fmt.Sprint(i, ".sh"))
		check(t, os.WriteFile(script, []byte(condaBind(entryPoints{prefix: "/g"})), 0o600))
		c := exec.Command("/bin/sh", "-euc", `. "$0"; printf '%s %s' "$CONDA_PREFIX" "$PATH"`, script)
		c.Env = []string{"PATH=" + tt.path, "CONDA_PREFIX=/v"}
		if out, err := c.CombinedOutput(); err != nil || string(out) != "/g "+tt.want {
			t.Errorf("%q became %q, %v, want %q", tt.path, out, err, tt.want)
		}
	}
}

// TestFish is TestCondaBind in fish.
func TestFish(t *testing.T) {
	python := findPython(t)
	if _, err := exec.LookPath("fish"); err != nil {
		t.Skip("no fish on this machine")
	}
	for _, root := range rootNames {
		w, one := newCondaWorld(t, python, root)
		for was, environ := range map[string][]string{"nothing": nil, "an old one": {"CONDA_PREFIX=/opt/other", "PYTHONNOUSERSITE=yes", "HF_HUB_CACHE=/data/hf hub"}, "empty": {"HF_HUB_CACHE="}} {
			t.Run(root+"/"+was, func(t *testing.T) {
				got := w.shell(t, []string{"fish", "--no-config"}, `
set -gx PATH $ENV_PATH/binx $PATH
set start (env | grep -v -e '^_=' -e '^SHLVL=' | sort | string collect)
set -q CONDA_PREFIX; and set was $CONDA_PREFIX
set -gx CONDA_PREFIX $ENV_PATH
set -gx PATH $ENV_PATH/bin $PATH
source $ENV_PATH/etc/conda/activate.d/00-reconcile.fish
tiny
printf '%s\n' $CONDA_PREFIX $HF_HUB_CACHE
string join : $PATH
source $CONDA_PREFIX/etc/conda/deactivate.d/00-reconcile.fish
set -e PATH[1]
if set -q was; set -gx CONDA_PREFIX $was; else; set -e CONDA_PREFIX; end
set end (env | grep -v -e '^_=' -e '^SHLVL=' | sort | string collect)
test "$start" = "$end"; or printf 'before:\n%s\nafter:\n%s\n' $start $end
set --names | grep -i reconcile; or true
`, environ...)
				want := one + " 1.0 " + one + " 1\n" + one + "\n" + w.path("models") + "\n" + one + "/bin:" + w.path(".venv") + "/binx:/usr/bin:/bin\n"
				if got != want {
					t.Errorf("got\n%swant\n%s", got, want)
				}
			})
		}
	}
}

// TestLaunchersWithoutPATH starts a launcher without PATH, as a cron job or a container
// may: the current directory must not be in the new one.
func TestLaunchersWithoutPATH(t *testing.T) {
	e := entryPoints{bin: "/g/bin", prefix: "/g"}
	text := strings.Replace(e.program("x"), "exec /g/bin/x", `printf '%s' "$PATH"; true`, 1)
	for _, tt := range []struct {
		environ []string
		want    string
	}{{[]string{}, "/g/bin"}, {[]string{"PATH="}, "/g/bin"}, {[]string{"PATH=/a:/b"}, "/g/bin:/a:/b"}} {
		c := exec.Command("/bin/sh", "-c", "unset PATH; "+text)
		if len(tt.environ) > 0 {
			c = exec.Command("/bin/sh", "-c", text)
		}
		c.Env = tt.environ
		if out, err := c.CombinedOutput(); err != nil || string(out) != tt.want {
			t.Errorf("with %v PATH is %q, %v", tt.environ, out, err)
		}
	}
}

// TestActivateFromAVenv activates within an environment of type venv, which is
// deactivated: a shell has one deactivate.
func TestActivateFromAVenv(t *testing.T) {
	python := findPython(t)
	w, one := newCondaWorld(t, python, "plain")
	if out, err := exec.Command(python, "-I", "-m", "venv", "--without-pip", w.path("other")).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for shell, words := range posixShells {
		t.Run(shell, func(t *testing.T) {
			words := append([]string{}, words...)
			words[len(words)-1] = strings.Replace(words[len(words)-1], "u", "", 1) // older versions of venv read unset variables
			got := w.shell(t, words, `PS1='$ '
. other/bin/activate
. .venv/bin/activate
command -v python
echo "${VIRTUAL_ENV-none}"
deactivate
printf '%s|%s|%s\n' "$PATH" "$PS1" "${VIRTUAL_ENV-none}"
`)
			want := one + "/bin/python\nnone\n/usr/bin:/bin|$ |none\n"
			if got != want {
				t.Errorf("got\n%swant\n%s", got, want)
			}
		})
	}
}
