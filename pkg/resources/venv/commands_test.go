package venv_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/command"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/generation"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/pkg/resources"
	"github.com/reconcile-ml/reconcile/pkg/resources/venv"
)

// TestCommands runs the commands of a plan with a real Python and, if there is one, a real
// uv: they must accept every option, install the requirements, and refuse another digest.
// Wheels come from a folder.
func TestCommands(t *testing.T) {
	base, minor := findPython(t)
	uv := lookPath("uv")
	module := base
	module.Pip = "module"
	for _, c := range []struct {
		name string
		base facts.Interpreter
		uv   facts.Tool
		need bool
		why  string
	}{
		{"uv", base, facts.Tool{Name: "uv", Path: uv, Source: "path"}, uv != "", "no uv on PATH"},
		{"pip wheel", base, facts.Tool{Name: "uv"}, base.Pip != "", "no bundled pip beside " + base.Path},
		{"pip module", module, facts.Tool{Name: "uv"}, isDir(filepath.Join(base.Prefix, "lib", "python"+minor, "site-packages", "pip")), "no pip module in " + base.Prefix},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !c.need {
				t.Skip(c.why)
			}
			root, wheels := t.TempDir(), t.TempDir()
			good := makeWheel(t, wheels, "tinygood", "1.0")
			spec := newSpec("local", minor, "my env (x)", good)
			if out, err := execute(t, root, wheels, spec, c.base, c.uv); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			site, _ := filepath.Glob(filepath.Join(root, "projects/m/envs/local/*/lib/python"+minor+"/site-packages/tinygood/__init__.py"))
			if len(site) != 1 {
				t.Errorf("tinygood was not installed once: %v", site)
			}
			program, _ := filepath.Glob(filepath.Join(root, "projects/m/envs/local/*/bin/tinygood"))
			if len(program) != 1 {
				t.Errorf("its console script was not installed once: %v", program)
			}

			bad := good
			bad.Wheels = []lock.Wheel{{File: good.Wheels[0].File, SHA256: facts.SHA256{1}}}
			spec = newSpec("bad", minor, "-p", bad)
			if out, err := execute(t, root, wheels, spec, c.base, c.uv); err == nil {
				t.Errorf("a wheel of another digest was installed\n%s", out)
			}
		})
	}
}

func newSpec(name, minor, prompt string, dist lock.Dist) *venv.Spec {
	return &venv.Spec{
		Env: generation.Env{Name: name, Path: ".venv", Python: minor}, Prompt: prompt, Installer: "auto",
		Content: generation.Content{Closure: []lock.Dist{dist}},
	}
}

// execute writes the files and runs the programs of the plan for an empty machine.
func execute(t *testing.T, root, wheels string, spec *venv.Spec, base facts.Interpreter, uv facts.Tool) (string, error) {
	t.Helper()
	known := facts.Of(
		facts.Project{Root: root, Store: root, State: root + "/projects/m"},
		facts.Host{OS: runtime.GOOS, Arch: "x86_64", Platform: "linux-x86_64"},
		facts.Pythons{Minor: spec.Python, Found: []facts.Interpreter{base}}, uv,
		facts.Environment{Name: spec.Name, Path: spec.Path},
		facts.Path{Path: ".venv/.gitignore", Type: facts.Absent},
	)
	change := spec.Diff(facts.NewView(known, spec.Reads()))
	if change.Action != resources.Create {
		t.Fatalf("action %q: %v", change.Action, change.Problem)
	}
	var out strings.Builder
	for _, step := range change.Steps {
		switch s := step.(type) {
		case resources.WriteFile:
			file := s.Path
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(s.Content), 0o600); err != nil {
				t.Fatal(err)
			}
		case resources.Run:
			env := append([]string{"UV_OFFLINE=1", "UV_FIND_LINKS=" + wheels, "PIP_NO_INDEX=1", "PIP_FIND_LINKS=" + wheels}, s.Env...)
			if len(s.Offline) > 0 {
				// The cache is empty, so this may fail.
				r, err := command.Run(t.Context(), command.Command{Program: s.Program, Args: s.Offline, Env: env[1:], Dir: root})
				fmt.Fprintf(&out, "%s %s\n%s%s", s.Program, resources.ShellJoin(s.Offline...), r.Stdout, r.Stderr)
				if err == nil {
					continue
				}
			}
			r, err := command.Run(t.Context(), command.Command{Program: s.Program, Args: s.Args, Env: env, Dir: root})
			fmt.Fprintf(&out, "%s %s\n%s%s", s.Program, resources.ShellJoin(s.Args...), r.Stdout, r.Stderr)
			if err != nil {
				return out.String(), err
			}
		}
	}
	return out.String(), nil
}

// makeWheel writes a small wheel with a console script.
func makeWheel(t *testing.T, dir, name, version string) lock.Dist {
	t.Helper()
	info := name + "-" + version + ".dist-info/"
	files := []struct{ name, text string }{
		{name + "/__init__.py", "def main():\n    print('here')\n"},
		{info + "METADATA", "Metadata-Version: 2.1\nName: " + name + "\nVersion: " + version + "\n"},
		{info + "WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"},
		{info + "entry_points.txt", "[console_scripts]\n" + name + " = " + name + ":main\n"},
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	record := ""
	add := func(name, text string) {
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write([]byte(text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range files {
		add(f.name, f.text)
		sum := sha256.Sum256([]byte(f.text))
		record += fmt.Sprintf("%s,sha256=%s,%d\n", f.name, base64.RawURLEncoding.EncodeToString(sum[:]), len(f.text))
	}
	add(info+"RECORD", record+info+"RECORD,,\n")
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	file := name + "-" + version + "-py3-none-any.whl"
	if err := os.WriteFile(filepath.Join(dir, file), b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return lock.Dist{Name: name, Version: version, Wheels: []lock.Wheel{{File: file, Size: int64(b.Len()), SHA256: sha256.Sum256(b.Bytes())}}}
}

// findPython returns a Python of this machine that can create environments, and its minor
// version.
func findPython(t *testing.T) (facts.Interpreter, string) {
	t.Helper()
	home, _ := os.UserHomeDir()
	for _, minor := range []string{"3.10", "3.11", "3.12", "3.13"} {
		found, _ := filepath.Glob(filepath.Join(home, ".pyenv/versions", minor+".*", "bin", "python"+minor))
		for _, path := range append(found, "/usr/local/bin/python"+minor, "/usr/bin/python"+minor) {
			prefix := filepath.Dir(filepath.Dir(path))
			if _, err := os.Stat(path); err != nil || !isDir(filepath.Join(prefix, "lib", "python"+minor, "venv")) {
				continue
			}
			i := facts.Interpreter{Path: path, Prefix: prefix, Version: minor + ".0", Arch: "x86_64", Source: "path"}
			if pip, _ := filepath.Glob(filepath.Join(prefix, "lib", "python"+minor, "ensurepip/_bundled/pip-*.whl")); len(pip) > 0 {
				i.Pip = pip[0]
			}
			return i, minor
		}
	}
	t.Skip("no Python 3.10 to 3.13 with the module venv")
	return facts.Interpreter{}, ""
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// lookPath returns the first program of a name on PATH.
func lookPath(name string) string {
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && !info.IsDir() && info.Mode()&0o111 != 0 {
			return path
		}
	}
	return ""
}
