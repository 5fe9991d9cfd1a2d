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
	if venv.Conda || venv.Ours || venv.Python != "3.10.13.final.0" || !maps.Equal(venv.Packages, map[string]string{"six": "1.16.0", "torch": "2.1.2"}) {
		t.Errorf("the venv is %+v", venv)
	}
	if !conda.Conda || conda.Python != "3.10" || conda.Packages["peft"] != "0.12.0" {
		t.Errorf("the conda environment is %+v", conda)
	}
}

// TestReplaceOwnEnvironment tests that the path of an environment of reconcile is free: its
// manifest was lost.
func TestReplaceOwnEnvironment(t *testing.T) {
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
	for _, want := range []string{".venv", ".venv-2"} {
		if got := s.take(".venv", "", s.isFree); got != want {
			t.Errorf("the path is %s, want %s", got, want)
		}
	}
}
