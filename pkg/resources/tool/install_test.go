package tool_test

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/command"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/pkg/resources"
	"github.com/reconcile-ml/reconcile/pkg/resources/tool"
)

// TestUV checks that there is one wheel per platform and libc, each of the pinned version,
// with digests and a size.
func TestUV(t *testing.T) {
	uv := tool.UV()
	seen := map[string]bool{}
	for _, w := range uv.Wheels {
		name, err := lock.ParseWheel(w.File)
		if err != nil || name.Name != uv.Name || name.Version != uv.Version {
			t.Errorf("%s is not a wheel of %s %s: %v", w.File, uv.Name, uv.Version, err)
		}
		if w.SHA256.IsZero() || w.Program.IsZero() || w.Size == 0 || len(w.Platforms) != 1 {
			t.Errorf("%s has no digest, size or platform", w.File)
		}
		if key := w.Platforms[0] + w.Libc; seen[key] {
			t.Errorf("two wheels for %s", key)
		} else {
			seen[key] = true
		}
	}
	for _, platform := range lock.KnownPlatforms() {
		if !seen[platform] && !seen[platform+"glibc"] {
			t.Errorf("no wheel for %s", platform)
		}
	}
}

// TestInstall installs the pinned uv with a real pip from the real index, and
// compares the program with its pinned digest.
func TestInstall(t *testing.T) {
	if testing.Short() {
		t.Skip("downloads 18 MB; skipped by -short")
	}
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("written for linux on x86_64")
	}
	home, _ := os.UserHomeDir()
	pips, _ := filepath.Glob(filepath.Join(home, ".pyenv/versions/3.10.*/lib/python3.10/ensurepip/_bundled/pip-*.whl"))
	if len(pips) == 0 {
		t.Skip("no Python 3.10 of pyenv")
	}
	prefix := strings.SplitN(pips[0], "/lib/python3.10/", 2)[0]
	root := t.TempDir()
	base := facts.Interpreter{Path: prefix + "/bin/python3.10", Prefix: prefix, Version: "3.10.0", Arch: "x86_64", Source: "pyenv", Pip: pips[0]}
	spec := tool.UV()
	spec.Python = "3.10"
	known := facts.Of(
		facts.Project{Root: root, Store: root, State: root + "/projects/m"}, facts.Tool{Name: "uv"},
		facts.Host{OS: "linux", Arch: "x86_64", Platform: "linux-x86_64", Libc: facts.Libc{Name: "glibc", Version: "2.36"}},
		facts.Pythons{Minor: "3.10", Found: []facts.Interpreter{base}},
	)
	change := spec.Diff(facts.NewView(known, spec.Reads()))
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
			env := append([]string{}, s.Env...)
			for _, name := range []string{"PIP_CERT", "PIP_INDEX_URL", "HTTPS_PROXY"} {
				if value := os.Getenv(name); value != "" {
					env = append(env, name+"="+value)
				}
			}
			r, err := command.Run(t.Context(), command.Command{Program: s.Program, Args: s.Args, Env: env, Dir: root})
			if err != nil && strings.Contains(string(r.Stderr)+string(r.Stdout), "onnection") {
				t.Skip("the package index cannot be reached")
			}
			if err != nil {
				t.Fatalf("%v\n%s%s", err, r.Stdout, r.Stderr)
			}
		}
	}
	installed := change.Predicts[0].(facts.Tool)
	program, err := os.ReadFile(installed.Path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(program)
	if got := hex.EncodeToString(sum[:]); got != installed.SHA256.String() {
		t.Errorf("the program has digest %s, want %s", got, installed.SHA256)
	}
	complete, err := os.ReadFile(filepath.Join(filepath.Dir(filepath.Dir(installed.Path)), "complete"))
	if err != nil || strings.TrimSpace(string(complete)) != installed.SHA256.String() {
		t.Errorf("complete is %q: %v", complete, err)
	}
}
