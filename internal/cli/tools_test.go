package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// toolsManifest has tools that look for the environment they run in.
const toolsManifest = `version: 1
project: tools
environments:
  local:
    match: {gpu: none}
    type: venv
    python: "3.10"
    path: .venv
    lock: locks/pylock.local.toml
    platforms: [PLATFORM]
    packages:
      - {name: pytest, version: 8.3.4}
      - {name: mypy, version: 1.14.1}
      - {name: debugpy, version: 1.8.11}
      - {name: ipykernel, version: 6.29.5}
      - {name: pre-commit, version: 4.0.1}
      - {name: pip, version: "25.0"}
`

// TestTools uses real tools in one environment, and then in the generation that replaces it.
func TestTools(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	s := newSite(t, "the index of this machine")
	// Without PIP_CONFIG_FILE, which would hide the file pip.conf of the generation.
	s.env = slices.DeleteFunc(s.env, func(kv string) bool {
		return strings.HasPrefix(kv, "RECONCILE_INDEX_URL=") || strings.HasPrefix(kv, "PIP_CONFIG_FILE=")
	})
	for _, kv := range os.Environ() {
		if strings.HasPrefix(kv, "RECONCILE_INDEX") || strings.HasPrefix(kv, "PIP_") {
			s.env = append(s.env, kv)
		}
	}
	s.env = append(s.env, "JUPYTER_DATA_DIR="+filepath.Join(filepath.Dir(s.root), "jupyter"), "GIT_CONFIG_GLOBAL=/dev/null")
	for _, file := range must(filepath.Glob("testdata/tools/*.py")) {
		s.write(filepath.Base(file), string(must(os.ReadFile(file))))
	}
	s.write("manifest.yaml", strings.ReplaceAll(toolsManifest, "PLATFORM", platform()))
	s.want(0, "lock")
	s.want(0, "apply", "-y")

	for name, run := range map[string]func(*toolsSite){
		"pip": (*toolsSite).pip, "uv": (*toolsSite).uv, "pytest": (*toolsSite).pytest, "mypy": (*toolsSite).mypy, "debugpy": (*toolsSite).debugpy,
	} {
		t.Run(name, func(t *testing.T) { run(&toolsSite{s.in(t)}) })
	}
	t.Run("next generation", func(t *testing.T) { (&toolsSite{s.in(t)}).nextGeneration() })
}

// in returns the site for a subtest.
func (s *site) in(t *testing.T) *site {
	other := *s
	other.t = t
	return &other
}

// A toolsSite is a site with the environment of toolsManifest.
type toolsSite struct{ *site }

// generation returns the path of the active generation.
func (s *toolsSite) generation() string {
	s.t.Helper()
	return must(os.Readlink(s.path(".venv/generation")))
}

// tool runs a program and checks that its output has a text.
func (s *toolsSite) tool(code int, text string, words ...string) {
	s.t.Helper()
	if e := s.runCommand(words...); e.code != code || !e.contains(text) {
		s.t.Errorf("%s: want exit code %d and %q\n%s", strings.Join(words, " "), code, text, e)
	}
}

func (s *toolsSite) pip() {
	s.tool(0, "ipykernel", ".venv/bin/pip", "list")
	s.tool(0, "pytest==8.3.4", ".venv/bin/python", "-m", "pip", "freeze")
	s.tool(0, "No broken requirements", ".venv/bin/python", "-m", "pip", "check")
	s.tool(3, "reconcile add", ".venv/bin/pip", "install", "six")
	s.tool(3, "reconcile add", s.generation()+"/bin/python", "-m", "pip", "install", "--upgrade", "pip")
	s.tool(3, "reconcile add", ".venv/bin/python", "-m", "pip", "uninstall", "-y", "pytest")
	s.want(0, "verify", "--deep")
}

func (s *toolsSite) uv() {
	uv := filepath.Join(uvFolder(s.t), "uv")
	s.tool(0, s.generation(), uv, "run", "--no-project", "--python", ".venv/bin/python", "python", "-c", "import sys, pytest; print(sys.prefix)")
	s.tool(0, "compatible", uv, "pip", "check", "--python", ".venv")
	s.tool(0, "mypy", uv, "pip", "list", "--python", ".venv")

	// uv ignores EXTERNALLY-MANAGED in a venv. The next commands name the package.
	stray := wheel{name: "stray", version: "1.0"}
	s.write(stray.file(), string(stray.bytes()))
	s.tool(0, "stray", uv, "pip", "install", "--offline", "--no-index", "--python", ".venv", "./"+stray.file())
	for _, words := range [][]string{{"plan"}, {"run", "--", "true"}} {
		if e := s.want(0, words...); !e.contains("reconcile add stray") {
			s.t.Errorf("%v does not name the package of another tool\n%s", words, e)
		}
	}
	if e := s.want(2, "status"); !e.contains("reconcile add stray") {
		s.t.Errorf("status does not name the package of another tool\n%s", e)
	}
	s.tool(0, "stray", uv, "pip", "uninstall", "--python", ".venv", "stray")
	s.want(0, "plan", "--detailed-exitcode")
}

func (s *toolsSite) pytest() { s.tool(0, "3 passed", ".venv/bin/pytest", "-q", "test_processes.py") }

func (s *toolsSite) mypy() {
	s.write("typed.py", "import pytest\nversion: int = pytest.__version__\n")
	s.tool(1, `has type "str", variable has type "int"`, ".venv/bin/mypy", "--python-executable", ".venv/bin/python", "typed.py")
}

func (s *toolsSite) debugpy() { s.tool(0, s.generation(), ".venv/bin/python", "debugger.py") }

// nextGeneration checks the kernels and hooks of a generation that is replaced.
func (s *toolsSite) nextGeneration() {
	s.tool(0, "", "git", "init", "-q", ".")
	s.write(".pre-commit-config.yaml", `repos:
  - repo: local
    hooks: [{id: fails, name: fails, language: system, entry: "false", files: "stop.txt"}]
`)
	s.want(0, "run", "--", "pre-commit", "install")
	s.want(0, "run", "--", "python", "-m", "ipykernel", "install", "--user", "--name", "pinned")
	s.want(0, "kernel", "--name", "follows")
	if e := s.want(0, "kernel", "--name", "follows"); !e.contains("unchanged") {
		s.t.Errorf("a second run changes the kernel\n%s", e)
	}
	old := s.generation()
	s.tool(0, old, ".venv/bin/python", "kernel.py", "follows")
	if e := s.want(0, "plan"); e.contains("pinned") {
		s.t.Errorf("a kernel on the active generation is reported\n%s", e)
	}

	applied := s.want(0, "apply", "-y", "--replace", "venv.local")
	for _, e := range []runResult{applied, s.want(0, "plan"), s.want(0, "status"), s.run("doctor", "--offline")} {
		if !e.contains("reconcile kernel --name pinned", "pre-commit install --hook-type pre-commit") || e.contains("kernel follows") {
			s.t.Errorf("the kernel and the hook of the earlier generation are not reported\n%s", e)
		}
	}
	s.tool(0, s.generation(), ".venv/bin/python", "kernel.py", "follows")
	s.tool(0, old, ".venv/bin/python", "kernel.py", "pinned")
	if e := s.want(4, "gc", "-y", "--keep", "0"); !e.contains("reconcile kernel --name pinned") {
		s.t.Errorf("gc does not name the kernel\n%s", e)
	}
	s.want(0, "kernel", "--name", "pinned")
	if e := s.want(4, "gc", "-y", "--keep", "0"); !e.contains("pre-commit install") {
		s.t.Errorf("gc does not name the hook\n%s", e)
	}
	s.want(0, "run", "--", "pre-commit", "install")
	s.want(0, "gc", "-y", "--keep", "0")
	s.tool(0, s.generation(), ".venv/bin/python", "kernel.py", "pinned")

	commit := []string{"git", "-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "-q", "--allow-empty", "-m", "x"}
	s.tool(0, "", commit...)
	s.write("stop.txt", "")
	s.tool(0, "", "git", "add", "stop.txt")
	s.tool(1, "fails", commit...)

	s.want(0, "kernel", "--name", "pinned", "--remove")
	s.write("../jupyter/kernels/other/kernel.json", `{"argv": ["/usr/bin/python3"]}`)
	if e := s.want(1, "kernel", "--name", "other", "--remove"); !e.contains("kernel.foreign") {
		s.t.Errorf("a kernel of another Python\n%s", e)
	}
}
