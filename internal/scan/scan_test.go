package scan

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/tools/txtar"
	"pgregory.net/rapid"

	"github.com/reconcile-ml/reconcile/internal/golden"
)

// TestFolders scans the folders in testdata. The comment of each is the Input in JSON, its
// file manifest.yaml the expected manifest.
func TestFolders(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no testdata", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			in, fsys := Input{}, fstest.MapFS{}
			if err := json.Unmarshal(archive.Comment, &in); err != nil {
				t.Fatal(err)
			}
			for _, f := range archive.Files {
				if f.Name != "manifest.yaml" {
					fsys[f.Name] = &fstest.MapFile{Data: f.Data}
				}
			}
			found, err := Folder(t.Context(), fsys, in)
			if err != nil {
				t.Fatal(err)
			}
			last := &archive.Files[len(archive.Files)-1]
			if last.Name != "manifest.yaml" {
				t.Fatal("the last file is not manifest.yaml")
			}
			last.Data = found.Manifest
			golden.Check(t, file, txtar.Format(archive))
		})
	}
}

// secret is used for every password and token.
const secret = "geheim"

func TestSecretsAreNotCopied(t *testing.T) {
	fsys := fstest.MapFS{
		"requirements.txt": {Data: []byte(strings.ReplaceAll(`--index-url https://user:geheim@host/simple
-i https://geheim@host/simple
--extra-index-url=https://host/geheim/simple
-f https://host/?token=geheim
--find-links "https://geheim:x@host"
--unknown=geheim
-r https://user:geheim@host/requirements.txt
-c https://geheim@host/c.txt
-e git+https://geheim@github.com/x/y.git#egg=y
git+ssh://geheim@host/x
https://host/x-1.0.whl?token=geheim
mine @ https://user:geheim@host/mine.whl ; python_version > "3"
other==1.0 ; platform_node == "geheim"
geheim:geheim@host
x==1.0 --global-option="geheim"
$(geheim)
${GEHEIM} geheim
"geheim"
`, "GEHEIM", "geheim"))},
		"environment.yml": {Data: []byte(`channels: ["https://user:geheim@host/c", "https://host/t/geheim/c", "https://conda.anaconda.org/t/geheim/c"]
variables: {TOKEN: geheim}
dependencies:
  - "https://user:geheim@host/x.conda"
  - "x[url='https://geheim@host']"
  - "python geheim"
  - pip: ["--index-url https://user:geheim@host", "mine @ git+https://geheim@host/x"]
`)},
		"pyproject.toml": {Data: []byte(`[project]
requires-python = "geheim"
dependencies = ["mine @ https://user:geheim@host/x.whl", "geheim geheim"]
[[tool.uv.index]]
url = "https://user:geheim@host"
`)},
		".python-version": {Data: []byte("geheim\n")},
	}
	found, err := Folder(t.Context(), fsys, Input{Name: "x", Platform: "linux-x86_64"})
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("%s %+v", found.Manifest, found)
	if strings.Contains(strings.ToLower(string(found.Manifest)+strings.Join(found.Read, " ")+fmt.Sprint(found.Unread)), secret) {
		t.Errorf("the secret is copied:\n%s", text)
	}
	if found.Pinned != 1 || found.Commented == 0 {
		t.Errorf("%d pinned, %d comments: the files were not read\n%s", found.Pinned, found.Commented, text)
	}
}

// TestManifestIsAlwaysValid tests random folders: Folder validates the manifest itself.
func TestManifestIsAlwaysValid(t *testing.T) {
	words := []string{
		"numpy", "NumPy", "null", "yes", "a.b_c-d", "==1.2.3", ">=2", "==1!2.0+cu121", "==*", "[x,y]", "[", "; sys_platform == 'linux'", "; (", " # no", "\\", "\n", "\r\n", "-r ", "-c ", "-e .", "--hash=sha256:00", "requirements.txt", "../..", "requirements/base.txt",
		"name: ", "channels:\n", "dependencies:\n", "  - ", "pip:\n", "    - ", "python=3.11", "conda-forge", "&a ", "*a", "!!binary ", "{", "}", "\t", ": ", "'", "\"",
		"[project]\n", "dependencies = [", "]", "requires-python = ", "\">=3.9\"", "\x00", "\xff\xfe", "\xef\xbb\xbf", "é", "\u202e", "3.10.13", "3.99", "#{", "- ? :",
	}
	names := []string{
		"requirements.txt", "requirements-dev.txt", "requirements-DEV.txt", "requirements_dev.txt", "requirements/base.txt", "requirements/null.txt", "requirements-\u202e\n.txt", "requirements- 2.txt", "environment.yml", "environment.yaml", "environment-2.yml", "env.yml",
		"pyproject.toml", ".python-version", "uv.lock", "setup.py", "locks/pylock.local.toml", "locks/pylock.dev.toml", ".venv/x", ".venv-2", "locks", "data/raw/x", "models/models--a--b/snapshots/0123456789012345678901234567890123456789/x", "models/models--a--b/refs/main",
		"hub{}/models--A--B/snapshots/0123456789012345678901234567890123456789/x", "cache/models--\n--..b/snapshots/x/y", "-x/models--a--c/snapshots/0123456789012345678901234567890123456789/x", "config", "CONFIG/models--a--d/snapshots/0123456789012345678901234567890123456789/x",
	}
	rapid.Check(t, func(t *rapid.T) {
		fsys := fstest.MapFS{}
		for _, name := range rapid.SliceOfDistinct(rapid.SampledFrom(names), rapid.ID).Draw(t, "names") {
			parts := rapid.SliceOfN(rapid.SampledFrom(words), 0, 30).Draw(t, "words")
			if fs.ValidPath(name) {
				fsys[name] = &fstest.MapFile{Data: []byte(strings.Join(parts, ""))}
			}
		}
		in := Input{
			Name:     rapid.SampledFrom([]string{"", "x", "..", "Ünï cödé", strings.Repeat("x", 300), "null", "\n# x: [", "-x", "2024"}).Draw(t, "name"),
			Platform: rapid.SampledFrom([]string{"linux-x86_64", "linux-aarch64", "macos-arm64", "macos-x86_64"}).Draw(t, "platform"),
		}
		for _, path := range rapid.SliceOfDistinct(rapid.SampledFrom([]string{".venv", "env", ".conda/x", "a\nb: {", "\u202e"}), rapid.ID).Draw(t, "installed") {
			in.Installed = append(in.Installed, Installed{
				Path: path, Conda: rapid.Bool().Draw(t, "conda"), Python: rapid.SampledFrom([]string{"", "3.10.13", "3.9", "2.7", "3.x"}).Draw(t, "python"),
				Packages: map[string]string{"numpy": "1.26.4", "torch": "2.1.2+cu121", "null": "1.0"}, Ours: rapid.Bool().Draw(t, "ours"),
			})
		}
		found, err := Folder(context.Background(), fsys, in)
		if err != nil {
			t.Fatalf("%v\n%s", err, func() []byte {
				if found == nil {
					return nil
				}
				return found.Manifest
			}())
		}
	})
}

func FuzzRequirements(f *testing.F) {
	f.Add([]byte("numpy==1.26.4\r\npandas>=2 # x\n-r requirements.txt\n\\\n--hash x\n"))
	f.Add([]byte("\xff\xfen\x00u\x00m\x00p\x00y\x00=\x00=\x001\x00"))
	fuzzFile(f, "requirements.txt")
}

func FuzzEnvironmentYML(f *testing.F) {
	f.Add([]byte("name: x\nchannels: [conda-forge]\ndependencies:\n  - python=3.10\n  - a::b==1.0=h0\n  - pip:\n    - six==1.16.0\n"))
	f.Add([]byte("dependencies: &a\n  - *a\n"))
	fuzzFile(f, "environment.yml")
}

func FuzzPyproject(f *testing.F) {
	f.Add([]byte("[project]\ndependencies = ['a==1']\nrequires-python = '>=3.9'\n[dependency-groups]\ndev = ['b', {include-group='x'}]\n"))
	fuzzFile(f, "pyproject.toml")
}

// fuzzFile tests that the scan of a folder with one file returns a valid manifest.
func fuzzFile(f *testing.F, name string) {
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, platform := range []string{"linux-x86_64", "macos-arm64"} {
			_, err := Folder(t.Context(), fstest.MapFS{name: {Data: b}}, Input{Name: "x", Platform: platform})
			if err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestLinksAndPipesAreNotFollowed(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(os.WriteFile(filepath.Join(outside, "r.txt"), []byte("secret-package==1.0\n"), 0o644))
	check(os.Symlink(filepath.Join(outside, "r.txt"), filepath.Join(dir, "requirements.txt")))
	check(os.Symlink(outside, filepath.Join(dir, "data")))
	check(os.Symlink(outside, filepath.Join(dir, "requirements")))
	check(os.Symlink("requirements-loop.txt", filepath.Join(dir, "requirements-loop.txt")))
	check(os.WriteFile(filepath.Join(dir, "requirements-huge.txt"), make([]byte, maxFile+1), 0o644))
	check(os.WriteFile(filepath.Join(dir, "requirements-in.txt"), []byte("-r requirements-in.txt\n-r requirements/r.txt\nsix==1.16.0"), 0o644))
	root, err := os.OpenRoot(dir)
	check(err)
	defer root.Close()
	found, err := Folder(t.Context(), root.FS(), Input{Name: "x", Platform: "linux-x86_64"})
	check(err)
	text := string(found.Manifest)
	if strings.Contains(text, "From requirements-huge.txt") {
		t.Errorf("a file that was not read has an environment:\n%s", text)
	}
	if strings.Contains(text, "secret-package") || !strings.Contains(text, "{name: six, version: 1.16.0}") {
		t.Errorf("the manifest is\n%s", text)
	}
	for _, want := range []string{
		"requirements.txt: it cannot be opened, or is a link out of the folder", "requirements-huge.txt: it is larger than 1 MiB", "# data: {path: data} # data is a link",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the manifest does not contain %q:\n%s", want, text)
		}
	}
}

// TestEmptySources tests that an environment with packages matches the machine, and that a
// model without an owner becomes a comment.
func TestEmptySources(t *testing.T) {
	fsys := fstest.MapFS{
		"requirements-bad.txt":                   {Data: []byte("!\n")},
		"requirements-dev.txt":                   {Data: []byte("six==1.16.0\n")},
		"models/models--gpt2/snapshots/x/y":      {Data: []byte("x")},
		"models/models--gpt2/blobs/0123456789ab": {Data: []byte("x")},
	}
	found, err := Folder(t.Context(), fsys, Input{Name: "x", Platform: "linux-x86_64"})
	if err != nil {
		t.Fatal(err)
	}
	text := string(found.Manifest)
	_, dev, _ := strings.Cut(text, "\n  dev:\n")
	if !strings.HasPrefix(dev, "    match: {gpu: [none, nvidia]}") || strings.Count(text, "\n    match: ") != 1 {
		t.Errorf("the environment of this machine is not dev:\n%s", text)
	}
	if !strings.Contains(text, "\n# models:\n  # - {repo: gpt2, revision: COMMIT} # ") {
		t.Errorf("the model is not named:\n%s", text)
	}
}

func TestSearchForModelsStops(t *testing.T) {
	fsys := fstest.MapFS{"data/models--a--b/snapshots/0123456789012345678901234567890123456789/x": {}}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	found, err := Folder(ctx, fsys, Input{Name: "x", Platform: "linux-x86_64"})
	if text := string(found.Manifest); err != nil || !strings.Contains(text, "stopped early: the time limit was reached") || strings.Contains(text, "a/b") {
		t.Errorf("without time: %v\n%s", err, text)
	}
	found, err = Folder(t.Context(), fsys, Input{Name: "x", Platform: "linux-x86_64"})
	if text := string(found.Manifest); err != nil || strings.Contains(text, "stopped early") || !strings.Contains(text, "a/b") {
		t.Errorf("with time: %v\n%s", err, text)
	}
}
