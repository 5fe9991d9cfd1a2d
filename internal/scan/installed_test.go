package scan

import (
	"maps"
	"os"
	"path/filepath"
	"testing"
)

// put writes files below a folder.
func put(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func metadata(name, version string) string {
	return "Metadata-Version: 2.1\nName: " + name + "\nVersion: " + version + "\n\n"
}

func TestEnvironments(t *testing.T) {
	dir := t.TempDir()
	const site = "lib/python3.10/site-packages/"
	put(t, dir, map[string]string{
		"venv/pyvenv.cfg": "home = /usr/bin\nversion_info = 3.10.13.final.0\n",
		"venv/" + site + "six-1.16.0.dist-info/METADATA":         metadata("Six", "1.16.0"),
		"venv/" + site + "torch-2.1.2.dist-info/METADATA":        metadata("torch", "2.1.2"),
		"venv/" + site + "torch/version.py":                      "__version__ = '2.1.2+cu121'\ncuda = '12.1'\n",
		"venv/" + site + "mine-1.dist-info/METADATA":             metadata("mine", "1"),
		"venv/" + site + "mine-1.dist-info/direct_url.json":      `{"url": "file:///secret", "dir_info": {"editable": true}}`,
		"venv/" + site + "bad-x.dist-info/METADATA":              metadata("bad", "not a version"),
		"venv/" + site + "~alf-1.0.dist-info/METADATA":           metadata("half", "1.0"),
		".conda/gpu/conda-meta/python-3.10.14-h0_0_cpython.json": `{"name": "python", "version": "3.10.14", "build": "h0_0_cpython", "files": []}`,
		".conda/gpu/conda-meta/numpy-1.26.4-py310h0_0.json":      `{"name": "numpy", "version": "1.26.4", "build": "py310h0_0", "files": ["` + site + `numpy-1.26.4.dist-info/METADATA"], "paths_data": {"paths_version": 1, "paths": [{"_path": "` + site + `numpy-1.26.4.dist-info/METADATA", "path_type": "hardlink"}]}}`,
		".conda/gpu/conda-meta/history":                          "",
		".conda/gpu/" + site + "numpy-1.26.4.dist-info/METADATA": metadata("numpy", "1.26.4"),
		".conda/gpu/" + site + "peft-0.12.0.dist-info/METADATA":  metadata("peft", "0.12.0"),
		"src/pyvenv.cfg/x": "",
		"data/x":           "",
	})
	if err := os.Symlink(filepath.Join(dir, "venv"), filepath.Join(dir, "env")); err != nil {
		t.Fatal(err)
	}
	found := Environments(dir)
	if len(found) != 2 || found[0].Path != "venv" || found[1].Path != ".conda/gpu" {
		t.Fatalf("found %+v", found)
	}
	venv, conda := found[0], found[1]
	if venv.Conda || venv.Ours || venv.Python != "3.10.13.final.0" || venv.CUDA != "12.1" ||
		!maps.Equal(venv.Packages, map[string]string{"six": "1.16.0", "torch": "2.1.2"}) || !maps.Equal(venv.Elsewhere, map[string]string{"mine": "editable"}) {
		t.Errorf("the venv is %+v", venv)
	}
	if !conda.Conda || conda.Python != "3.10.14" || !maps.Equal(conda.Brought, map[string]string{"python": "3.10.14", "numpy": "1.26.4"}) ||
		!conda.Dists["numpy"] || conda.Dists["peft"] || conda.Packages["peft"] != "0.12.0" {
		t.Errorf("that of conda is %+v", conda)
	}
	asked := &environment{}
	conda.into(asked)
	if len(asked.pip.list) != 1 || asked.pip.pin("peft") != "0.12.0" || len(asked.conda.list) != 1 || asked.conda.list[0].doubt == "" {
		t.Errorf("it asks for %+v of pip and %+v of conda", asked.pip.list, asked.conda.list)
	}
}

// TestOurs takes the place of an environment that reconcile made: its manifest was lost.
func TestOurs(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, map[string]string{".venv/pyvenv.cfg": "home = /usr/bin\nversion = 3.10.13\n", ".venv/lib/python3.10/site-packages/x": ""})
	if err := os.Symlink("../.reconcile/linux-x86_64-0/envs/local/0", filepath.Join(dir, ".venv/generation")); err != nil {
		t.Fatal(err)
	}
	found := Environments(dir)
	if len(found) != 1 || !found[0].Ours {
		t.Fatalf("found %+v", found)
	}
	s := &scanner{fsys: os.DirFS(dir), in: Input{Installed: found}, taken: map[string]bool{}}
	if got := s.unused(".venv", ""); got != ".venv" {
		t.Errorf("the new one would stand at %s", got)
	}
	if got := s.unused(".venv", ""); got != ".venv-2" {
		t.Errorf("the second one would stand at %s", got)
	}
}
