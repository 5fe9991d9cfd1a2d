package manifest_test

import (
	"bytes"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/internal/pep"
)

// own returns the manifest of this repository.
func own(t *testing.T) *manifest.Manifest {
	t.Helper()
	m, err := manifest.Load(root, "manifest.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func environment(t *testing.T, m *manifest.Manifest, name string) *manifest.Environment {
	t.Helper()
	i := slices.IndexFunc(m.Environments, func(e *manifest.Environment) bool { return e.Name == name })
	if i < 0 {
		t.Fatalf("there is no environment %s", name)
	}
	return m.Environments[i]
}

// TestSpecifiedPackages checks the environments against docs/specification.md: the packages, the
// minimum versions, and no CUDA packages in the local environment.
func TestSpecifiedPackages(t *testing.T) {
	m := own(t)
	for _, c := range []struct {
		environment, kind string
		minimum           map[string]string // by normalised name; "" for any version
	}{
		{"local", "venv", map[string]string{
			"pandas": "", "beautifulsoup4": "", "trafilatura": "", "datasets": "", "datasketch": "",
			"jsonlines": "", "nltk": "", "lingua-language-detector": "",
		}},
		{"remote", "conda", map[string]string{
			"torch": "2.1", "transformers": "4.36", "peft": "0.7", "trl": "", "accelerate": "", "bitsandbytes": "0.41",
		}},
		{"remote-legacy", "conda", map[string]string{
			"torch": "2.1", "transformers": "4.36", "peft": "0.7", "trl": "", "accelerate": "", "bitsandbytes": "0.41",
		}},
	} {
		e := environment(t, m, c.environment)
		if e.Type != c.kind || e.Python != "3.10" {
			t.Errorf("%s is of type %s with Python %s", c.environment, e.Type, e.Python)
		}
		pinned := map[string]string{}
		for _, p := range e.Packages {
			pinned[pep.Normalize(p.Name)] = p.Pin()
		}
		for name, least := range c.minimum {
			if version, ok := pinned[name]; !ok || !atLeast(t, version, least) {
				t.Errorf("%s: %s is %q, want at least %q", c.environment, name, version, least)
			}
		}
	}

	locked, problem, err := m.Locked(environment(t, m, "local"))
	if err != nil || problem != nil {
		t.Fatal(err, problem)
	}
	for _, platform := range []string{"macos-arm64", "linux-x86_64"} {
		closure, err := locked.For(platform)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range closure {
			if strings.HasPrefix(d.Name, "nvidia-") || d.Name == "torch" || strings.Contains(d.Name, "cuda") {
				t.Errorf("local on %s has %s", platform, d.Name)
			}
		}
	}
}

// TestCurrentEnvironment checks that environment remote-current is selected by its name alone, and
// that torch of its lock is one for CUDA on both platforms: on the public index, the wheels for
// aarch64 are for CPUs up to 2.10.
func TestCurrentEnvironment(t *testing.T) {
	m := own(t)
	if e, err := m.Select(gpu1); err != nil || e.Name != "remote" {
		t.Errorf("a machine with a GPU gets %v: %v", e, err)
	}
	locked, problem, err := m.Locked(environment(t, m, "remote-current"))
	if err != nil || problem != nil {
		t.Fatal(err, problem)
	}
	for platform, want := range map[string][2]string{"linux-x86_64": {"2.10.0", "nvidia-cuda-runtime-cu12"}, "linux-aarch64": {"2.11.0", "nvidia-cuda-runtime"}} {
		closure, err := locked.For(platform)
		if err != nil {
			t.Fatal(err)
		}
		versions := map[string]string{}
		for _, d := range closure {
			versions[d.Name] = d.Version
		}
		if versions["torch"] != want[0] || versions[want[1]] == "" {
			t.Errorf("%s has torch %q, want %s with %s", platform, versions["torch"], want[0], want[1])
		}
	}
}

// TestOwnLocks checks that the locks of this repository are those that `reconcile lock` writes.
func TestOwnLocks(t *testing.T) {
	m := own(t)
	for _, e := range m.Environments {
		locked, problem, err := m.Locked(e)
		if err != nil || problem != nil {
			t.Fatal(e.Name, err, problem)
		}
		text, err := fs.ReadFile(root, e.Lock)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(locked.Encode(), text) {
			t.Errorf("%s is not as it would be written: run `reconcile lock`", e.Lock)
		}
	}
}

// atLeast compares the numbers of releases.
func atLeast(t *testing.T, version, least string) bool {
	if least == "" {
		return version != ""
	}
	have, want := strings.Split(version, "."), strings.Split(least, ".")
	for i := range want {
		if i >= len(have) {
			return false
		}
		h, err := strconv.Atoi(have[i])
		w, err2 := strconv.Atoi(want[i])
		if err != nil || err2 != nil {
			t.Fatalf("%q, %q", version, least)
		}
		if h != w {
			return h > w
		}
	}
	return true
}

// TestSpecifiedDirectories checks the folders of docs/specification.md, and that no environment
// moves one of them.
func TestSpecifiedDirectories(t *testing.T) {
	m := own(t)
	for _, path := range []string{"data/raw", "data/processed", "data/synthetic", "models", "adapters", "scripts", "configs"} {
		i := slices.IndexFunc(m.Directories, func(d manifest.Directory) bool { return d.Path == path })
		if i < 0 || m.Directories[i].Purpose == "" {
			t.Errorf("%s is not declared, or has no purpose", path)
		}
	}
	for _, e := range m.Environments {
		if len(e.Places) > 0 {
			t.Errorf("environment %s moves directories", e.Name)
		}
	}
}

// TestSpecifiedStorage checks the limits and the budget of docs/specification.md: 20 to
// 30 GB, for one model.
func TestSpecifiedStorage(t *testing.T) {
	s := own(t).Storage
	if s == nil || s.WarnBelow != 30e9 || s.FailBelow != 20e9 {
		t.Fatalf("%+v", s)
	}
	low, high := int64(0), int64(0)
	limits := map[string][2]int64{ // by item of the budget
		"raw data": {150e6, 300e6}, "processed JSONL": {500e6, 1e9}, "base model": {15e9, 17e9},
		"checkpoints": {500e6, 2e9}, "buffer": {10e9, 15e9},
	}
	for _, b := range s.Budget {
		within, ok := limits[b.Item]
		if !ok || b.Low < within[0] || b.High > within[1] {
			t.Errorf("%s: %d to %d bytes", b.Item, b.Low, b.High)
		}
		delete(limits, b.Item)
		low, high = low+b.Low, high+b.High
	}
	if len(limits) > 0 || low < 20e9 || high > 40e9 {
		t.Errorf("not in the budget: %v; the sum is %d to %d bytes", limits, low, high)
	}
}

// TestModelsAreNotTransferred checks that no entry of sync transfers the base models,
// which each machine downloads.
func TestModelsAreNotTransferred(t *testing.T) {
	m := own(t)
	if len(m.Sync) == 0 {
		t.Fatal("there is no entry of sync")
	}
	for _, s := range m.Sync {
		if s.Path == "." || s.Path == "models" || strings.HasPrefix(s.Path, "models/") {
			t.Errorf("sync entry %s transfers %s", s.Name, s.Path)
		}
	}
}
