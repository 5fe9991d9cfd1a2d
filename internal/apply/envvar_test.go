package apply

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// values are paths that a shell does not read as one word unless quoted.
var values = []string{
	"/srv/lora/models", "/a b/'q' \"d\"/$(touch x)/`id`/${HOME}/!!/!x", "/a\\b/\\'/\\\\/x;y|z&w<u>v/#1/*?[a]{b,c}/end\\",
	"/m:~root/=~/ünï/漢\u00a0/%s%d\nb",
}

// hubCache prints the variable of a program as a Python literal.
const hubCache = `import os; print(ascii(os.environ.get("HF_HUB_CACHE")))`

// venvEntry is an environment of type venv with entry points.
type venvEntry struct {
	t   *testing.T
	gen string
}

func newVenvEntry(t *testing.T, command ...string) venvEntry {
	t.Helper()
	e := venvEntry{t, filepath.Join(t.TempDir(), "gen")}
	if out, err := exec.Command(command[0], append(command[1:], e.gen)...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	check(t, os.MkdirAll(filepath.Join(e.gen, "reconcile/bin"), 0o755))
	return e
}

// write writes the entry points with a value of HF_HUB_CACHE.
func (e venvEntry) write(value string) {
	e.t.Helper()
	entry := entryPoints{bin: filepath.Join(e.gen, "bin"), settings: []envVar{{"HF_HUB_CACHE", value}}}
	texts := entry.activators()
	texts["python"] = entry.program("python")
	for name, text := range texts {
		check(e.t, os.WriteFile(filepath.Join(e.gen, "reconcile/bin", name), []byte(text), 0o755))
	}
}

// run runs a shell script in which IN is the folder of the launchers.
func (e venvEntry) run(t *testing.T, words []string, script string, environ ...string) string {
	t.Helper()
	w := &world{t: t, root: t.TempDir()}
	return w.shell(t, words, script, append([]string{"IN=" + filepath.Join(e.gen, "reconcile/bin"), "HUB=" + hubCache}, environ...)...)
}

// venvCommands are commands that create environments of type venv.
func venvCommands(t *testing.T) map[string][]string {
	python := findPython(t)
	all := map[string][]string{"venv": {python, "-I", "-m", "venv", "--without-pip"}}
	if uv, err := exec.LookPath("uv"); err == nil {
		all["uv"] = []string{uv, "venv", "--no-config", "--quiet", "--python", python, "--"}
	}
	return all
}

// ascii returns the Python literal of a string.
func ascii(t *testing.T, value string) string {
	t.Helper()
	c := exec.Command(findPython(t), "-I", "-c", hubCache)
	c.Env = []string{"HF_HUB_CACHE=" + value, "LANG=C.UTF-8"}
	out, err := c.Output()
	check(t, err)
	return string(out)
}

// oldValues are values of HF_HUB_CACHE before the activation.
var oldValues = [][]string{nil, {"HF_HUB_CACHE=/data/hf 'hub'=x"}, {"HF_HUB_CACHE="}}

// TestVariablesInEveryShell activates twice and deactivates: the variable has its value
// while active, and all variables are as before afterwards.
func TestVariablesInEveryShell(t *testing.T) {
	const show = `env | grep -a -v -e '^_=' -e '^SHLVL=' -e '^OLDPWD=' -e '^GROUP=' | env LC_ALL=C sort`
	posixScript := `PS1='$ '; export PS1
start=$(` + show + `)
. "$IN/activate"
python -c "$HUB"
. "$IN/activate"
python -c "$HUB"
deactivate
end=$(` + show + `)
if [ "$start" != "$end" ]; then printf 'before:\n%s\nafter:\n%s\n' "$start" "$end"; fi
if command -v deactivate; then echo "deactivate still exists"; fi
set | grep -a -i '^_reconcile' || true
`
	shells := map[string]struct {
		words  []string
		script string
	}{
		"fish": {[]string{"fish", "--no-config"}, `set start (` + show + ` | string collect)
source $IN/activate.fish
python -c $HUB
source $IN/activate.fish
python -c $HUB
deactivate
set end (` + show + ` | string collect)
test "$start" = "$end"; or printf 'before:\n%s\nafter:\n%s\n' $start $end
functions -q deactivate; and echo deactivate still exists
set --names | grep -i reconcile
functions --names --all | grep -i reconcile
true
`},
		"csh": {[]string{"tcsh", "-f"}, `set prompt='$ '
` + show + ` > start
source $IN:q/activate.csh
python -c $HUB:q
source $IN:q/activate.csh
python -c $HUB:q
deactivate
` + show + ` > end
diff start end
set | grep -a -i reconcile
alias deactivate
true
`},
	}
	for name, words := range map[string][]string{"dash": {"dash", "-e"}, "sh": {"sh", "-e"}, "bash": {"bash", "-e"}, "zsh": {"zsh", "-fe"}, "bash as sh": {"bash", "--posix", "-e"}} {
		shells[name] = struct {
			words  []string
			script string
		}{words, posixScript}
	}
	for tool, command := range venvCommands(t) {
		e := newVenvEntry(t, command...)
		for i, value := range values {
			if tool == "uv" && i > 1 {
				break // quoting is the same
			}
			e.write(value)
			want := ascii(t, value)
			for shell, s := range shells {
				environ := oldValues[i%len(oldValues)]
				t.Run(fmt.Sprint(tool, "/", shell, "/", value, environ), func(t *testing.T) {
					if got := e.run(t, s.words, s.script, environ...); got != want+want {
						t.Errorf("got\n%swant\n%s", got, want+want)
					}
				})
			}
		}
	}
}

// TestLaunchersSetVariables starts a launcher without activation.
func TestLaunchersSetVariables(t *testing.T) {
	e := newVenvEntry(t, venvCommands(t)["venv"]...)
	for _, value := range values {
		e.write(value)
		c := exec.Command(filepath.Join(e.gen, "reconcile/bin/python"), "-c", hubCache)
		c.Env = []string{"HF_HUB_CACHE=/data/hf", "LANG=C.UTF-8"}
		if out, err := c.CombinedOutput(); err != nil || string(out) != ascii(t, value) {
			t.Errorf("%q: %v, %s", value, err, out)
		}
	}
}

// TestVariablesOfNestedEnvironments activates the environment of one project within that
// of another, and both within a foreign environment.
func TestVariablesOfNestedEnvironments(t *testing.T) {
	python := findPython(t)
	one, two := newVenvEntry(t, venvCommands(t)["venv"]...), newVenvEntry(t, venvCommands(t)["venv"]...)
	one.write("/one/models")
	two.write("/two/models")
	other := filepath.Join(t.TempDir(), "other")
	if out, err := exec.Command(python, "-I", "-m", "venv", "--without-pip", other).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	environ := []string{"HF_HUB_CACHE=/data/hf", "TWO=" + filepath.Join(two.gen, "reconcile/bin"), "OTHER=" + other + "/bin"}
	posixScript := `. "$IN/activate"; . "$TWO/activate"; echo "$HF_HUB_CACHE"
deactivate; echo "$HF_HUB_CACHE" "$PATH"
. "$IN/activate"; sh -c '. "$TWO/activate"; echo "$HF_HUB_CACHE"; deactivate; echo "$HF_HUB_CACHE"'
. "$OTHER/activate"; . "$IN/activate"; echo "$HF_HUB_CACHE"; deactivate; echo "$HF_HUB_CACHE" "$PATH"
`
	const want = "/two/models\n/data/hf /usr/bin:/bin\n/two/models\n/one/models\n/one/models\n/data/hf /usr/bin:/bin\n"
	for name, words := range map[string][]string{"dash": {"dash", "-e"}, "bash": {"bash", "-e"}, "zsh": {"zsh", "-fe"}} {
		t.Run(name, func(t *testing.T) {
			if got := one.run(t, words, posixScript, environ...); got != want {
				t.Errorf("got\n%swant\n%s", got, want)
			}
		})
	}
	t.Run("fish", func(t *testing.T) {
		got := one.run(t, []string{"fish", "--no-config"}, `source $IN/activate.fish; source $TWO/activate.fish; echo $HF_HUB_CACHE
deactivate; echo $HF_HUB_CACHE (string join : $PATH)
source $IN/activate.fish; sh -c '. "$TWO/activate"; echo "$HF_HUB_CACHE"; deactivate; echo "$HF_HUB_CACHE"'
source $OTHER/activate.fish; source $IN/activate.fish; echo $HF_HUB_CACHE; deactivate; echo $HF_HUB_CACHE (string join : $PATH)
`, environ...)
		if got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
	})
}

// TestDeactivateADeletedGeneration deletes the generation before deactivating: PATH and
// the variable are as before.
func TestDeactivateADeletedGeneration(t *testing.T) {
	e := newVenvEntry(t, venvCommands(t)["venv"]...)
	e.write("/one/models")
	for name, words := range map[string][]string{"dash": {"dash", "-e"}, "bash": {"bash", "-e"}, "zsh": {"zsh", "-fe"}} {
		t.Run(name, func(t *testing.T) {
			got := e.run(t, words, `PS1='$ '; . "$IN/activate"; mv "$IN/../../bin" "$IN/../../gone"; deactivate; mv "$IN/../../gone" "$IN/../../bin"
printf '%s|%s|%s|%s\n' "$PATH" "$PS1" "${VIRTUAL_ENV-none}" "${HF_HUB_CACHE-none}"; set | grep -a -i '^_reconcile' || true
`)
			if want := "/usr/bin:/bin|$ |none|none\n"; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// TestEntryPointsWithoutVariables checks the scripts of environments without variables,
// which must stay as in earlier releases.
func TestEntryPointsWithoutVariables(t *testing.T) {
	e := newVenvEntry(t, venvCommands(t)["venv"]...)
	entry := entryPoints{bin: filepath.Join(e.gen, "bin")}
	texts := entry.activators()
	want := map[string]string{
		"activate": ". " + e.gen + "/bin/activate\n", "activate.fish": "source '" + e.gen + "/bin/activate.fish'\n", "activate.csh": "source '" + e.gen + "/bin/activate.csh'\n",
	}
	for name, text := range want {
		if texts[name] != text {
			t.Errorf("%s is %q, want %q", name, texts[name], text)
		}
	}
	if got := entry.program("x"); len(texts) != len(want) || strings.Contains(got, "export") {
		t.Errorf("%v, %q", texts, got)
	}
}
