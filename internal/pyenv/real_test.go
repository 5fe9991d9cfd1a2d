package pyenv

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/command"
	"github.com/reconcile-ml/reconcile/internal/facts"
)

func mkfifo(t *testing.T, name string) {
	t.Helper()
	if err := unix.Mkfifo(name, 0o600); err != nil {
		t.Skip("no named pipes: ", err)
	}
}

// realPython returns an interpreter of this machine with its bundled pip wheel, or skips
// the test.
func realPython(t testing.TB) (python, pip string) {
	t.Helper()
	home, err := os.UserHomeDir()
	if err != nil {
		t.Skip("no home directory: ", err)
	}
	for _, pattern := range []string{
		filepath.Join(home, ".pyenv/versions/3.10.*/bin/python3.10"),
		filepath.Join(home, ".local/share/uv/python/cpython-3.10.*/bin/python3.10"),
		"/usr/bin/python3.10",
	} {
		found, _ := filepath.Glob(pattern)
		for _, python := range found {
			wheels, _ := filepath.Glob(filepath.Join(filepath.Dir(filepath.Dir(python)), "lib/python3.10/ensurepip/_bundled/pip-*.whl"))
			if len(wheels) > 0 {
				return python, wheels[0]
			}
		}
	}
	t.Skip("no Python 3.10 with a bundled pip on this machine")
	return "", ""
}

func run(t testing.TB, program string, args ...string) {
	t.Helper()
	_, err := command.Run(context.Background(), command.Command{
		Program: program, Args: args, Env: []string{"PIP_CONFIG_FILE=/dev/null", "PIP_DISABLE_PIP_VERSION_CHECK=1"},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// realEnvironment creates an environment with the venv module and installs the bundled pip
// wheel into it.
func realEnvironment(t testing.TB) (dir string, seal Seal) {
	t.Helper()
	python, pip := realPython(t)
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(root, "gen")
	run(t, python, "-m", "venv", "--without-pip", dir)
	run(t, filepath.Join(dir, "bin/python"), filepath.Join(pip, "pip"), "install", "-q", "--no-index", "--no-deps", pip)
	dists, err := Installed(filepath.Join(dir, site))
	if err != nil || len(dists) != 1 || dists[0].Name != "pip" {
		t.Fatalf("installed %+v, error %v", dists, err)
	}
	return dir, Seal{Prefix: dir, Packages: []facts.Package{{Name: "pip", Version: dists[0].Version}}}
}

// TestRealEnvironment reads an environment that venv and pip created.
func TestRealEnvironment(t *testing.T) {
	dir, seal := realEnvironment(t)
	if damage := verify(t, dir, seal, true); len(damage) != 0 {
		t.Fatalf("a fresh environment: %v", damage)
	}
	stale, err := Uncompiled(dir)
	if err != nil || len(stale) != 0 {
		t.Errorf("after pip %d are stale (%v), error %v", len(stale), stale, err)
	}
	scripts, err := Scripts(dir)
	if err != nil || !slices.Contains(scripts, "pip") || !slices.Contains(scripts, "python3.10") {
		t.Errorf("scripts %v, error %v", scripts, err)
	}
	sealed := reseal(t, dir, seal)
	if damage, err := CheckFast(dir, sealed); err != nil || len(damage) != 0 {
		t.Errorf("sealed: %v, %v", damage, err)
	}
	run(t, filepath.Join(dir, "bin/python"), "-m", "pip", "--version")
	if damage, err := CheckFast(dir, sealed); err != nil || len(damage) != 0 {
		t.Errorf("after it was used: %v, %v", damage, err)
	}
}

// TestUncompiled makes real bytecode stale in different ways.
func TestUncompiled(t *testing.T) {
	dir, _ := realEnvironment(t)
	source := filepath.Join(dir, site, "pip/__init__.py")
	want := func(what string, n int) {
		t.Helper()
		stale, err := Uncompiled(dir)
		if err != nil || len(stale) != n || n == 1 && stale[0] != site+"/pip/__init__.py" {
			t.Errorf("%s: %d stale, want %d, error %v", what, len(stale), n, err)
		}
	}
	b, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	put(t, source, string(b)+"\n", 0o644)
	want("a longer source", 1)
	run(t, filepath.Join(dir, "bin/python"), "-m", "compileall", "-q", source)
	want("compiled again", 0)
	run(t, filepath.Join(dir, "bin/python"), "-m", "compileall", "-q", "-f", "--invalidation-mode", "checked-hash", source)
	want("compiled by hash", 0)
	remove(t, BytecodePath(source, "3.10"))
	want("no bytecode", 1)
	put(t, BytecodePath(source, "3.10"), "short", 0o644)
	want("truncated bytecode", 1)
}

// TestMagics compares the table with the magic numbers of the installed interpreters.
func TestMagics(t *testing.T) {
	home, _ := os.UserHomeDir()
	asked := 0
	for minor, magic := range magics() {
		found, _ := filepath.Glob(filepath.Join(home, ".pyenv/versions", minor+".*/bin/python"+minor))
		for _, python := range found {
			asked++
			out, err := command.Run(context.Background(), command.Command{
				Program: python, Args: []string{"-I", "-S", "-c", "import importlib.util as u; print(int.from_bytes(u.MAGIC_NUMBER[:2], 'little'))"},
			})
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.TrimSpace(string(out.Stdout)); got != itoa(int(magic)) {
				t.Errorf("Python %s has %s, the table %d", minor, got, magic)
			}
		}
	}
	if asked == 0 {
		t.Skip("no Python of a known minor version on this machine")
	}
}
