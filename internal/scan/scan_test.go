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
	"time"

	"golang.org/x/tools/txtar"
	"pgregory.net/rapid"

	"github.com/reconcile-ml/reconcile/internal/golden"
	"github.com/reconcile-ml/reconcile/internal/pep"
)

// now is a time when Python 3.11 to 3.14 are maintained.
var now = time.Date(2026, time.December, 1, 0, 0, 0, 0, time.UTC)

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
			in.Now = now
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
			last.Data = found.Manifest()
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
--extra-index-url=https://geheim@host/simple
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
	found, err := Folder(t.Context(), fsys, Input{Name: "x", Platform: "linux-x86_64", Now: now})
	if err != nil {
		t.Fatal(err)
	}
	text := string(found.Manifest())
	if strings.Contains(strings.ToLower(string(found.Manifest())+strings.Join(found.Read, " ")+fmt.Sprint(found.Omitted, found.Describe(), found.Programs())), secret) {
		t.Errorf("the secret is copied:\n%s", text)
	}
	if len(found.Read) == 0 || len(found.Omitted) < 10 {
		t.Errorf("%d read, %d not taken over: the files were not read\n%s", len(found.Read), len(found.Omitted), text)
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
			Pythons:  rapid.SliceOfDistinct(rapid.SampledFrom([]string{"3.8", "3.10", "3.12", "3.13"}), rapid.ID).Draw(t, "pythons"), Now: now,
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
				return found.Manifest()
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
			_, err := Folder(t.Context(), fstest.MapFS{name: {Data: b}}, Input{Name: "x", Platform: platform, Now: now})
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
	found, err := Folder(t.Context(), root.FS(), Input{Name: "x", Platform: "linux-x86_64", Now: now})
	check(err)
	text := string(found.Manifest())
	if strings.Contains(text, "secret-package") {
		t.Errorf("the manifest is\n%s", text)
	}
	for _, want := range []string{
		"requirements.txt: requirements.txt cannot be read", "# data: {path: data} # data is a link",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the manifest does not contain %q:\n%s", want, text)
		}
	}
}

// TestSeparateFiles tests that the requirements file with the most packages is for this machine,
// and that a model without an owner becomes a comment.
func TestSeparateFiles(t *testing.T) {
	fsys := fstest.MapFS{
		"requirements-bad.txt":                   {Data: []byte("!\n")},
		"requirements-eval.txt":                  {Data: []byte("six==1.16.0\nidna\n")},
		"models/models--gpt2/snapshots/x/y":      {Data: []byte("x")},
		"models/models--gpt2/blobs/0123456789ab": {Data: []byte("x")},
	}
	found, err := Folder(t.Context(), fsys, Input{Name: "x", Platform: "linux-x86_64", Now: now})
	if err != nil {
		t.Fatal(err)
	}
	text := string(found.Manifest())
	if !strings.Contains(text, "\nenvironments:\n  eval: # from requirements-eval.txt\n    match: {gpu: [none, nvidia]}") || strings.Count(text, "\n    match: ") != 1 {
		t.Errorf("the environment of this machine is not eval:\n%s", text)
	}
	if !strings.Contains(text, "\n# models:\n  # - {repo: gpt2, revision: COMMIT} # ") {
		t.Errorf("the model is not named:\n%s", text)
	}
}

// TestPython tests which version is chosen, with 3.10 past its end of life.
func TestPython(t *testing.T) {
	named := func(version string) []sourced { return []sourced{{version, "a file", place{file: "f"}}} }
	for _, c := range []struct {
		named    []sourced
		ranges   string
		pythons  []string
		fetched  []string
		want     string
		wantNext string
	}{
		{nil, "", []string{"3.10", "3.12", "3.13"}, nil, "3.13", "3.12"},
		{nil, ">=3.8", []string{"3.8", "3.10", "3.12"}, nil, "3.12", "3.10"},
		{nil, ">=3.8", []string{"3.10"}, []string{"3.10", "3.13"}, "3.13", "3.10"},
		{nil, ">=3.8", []string{"3.10"}, nil, "3.10", ""},
		{nil, "<3.12", []string{"3.10", "3.11", "3.12"}, nil, "3.11", "3.10"},
		{nil, ">=3.11", []string{"3.10"}, []string{"3.10"}, "3.14", ""},
		{nil, "==3.11.*", []string{"3.13"}, nil, "3.11", ""},
		{named("3.10.13"), ">=3.8", []string{"3.13"}, nil, "3.10", ""},
		{named("3.9"), ">=3.10", []string{"3.13"}, nil, "3.13", ""},
		{named("3.8.5"), "==3.8.5", nil, nil, "3.8", ""},
		{named("3.15"), "", []string{"3.13"}, nil, "3.15", ""},
	} {
		s := &scanner{in: Input{Pythons: c.pythons, Fetched: c.fetched, Now: now}, result: &Result{}}
		got := s.choosePython(c.named, limit(c.ranges, "a file"))
		next := ""
		if len(got.others) > 0 {
			next = got.others[0]
		}
		if got.value != c.want || c.wantNext != "" && next != c.wantNext {
			t.Errorf("with %v, range %q, on a machine with %v (fetched %v): %s, then %q; want %s, then %q", c.named, c.ranges, c.pythons, c.fetched, got.value, next, c.want, c.wantNext)
		}
	}
}

func TestSearchForModelsStops(t *testing.T) {
	fsys := fstest.MapFS{"data/models--a--b/snapshots/0123456789012345678901234567890123456789/x": {}}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	found, err := Folder(ctx, fsys, Input{Name: "x", Platform: "linux-x86_64", Now: now})
	if text := string(found.Manifest()); err != nil || !strings.Contains(text, "stopped early: the time limit was reached") || strings.Contains(text, "a/b") {
		t.Errorf("without time: %v\n%s", err, text)
	}
	found, err = Folder(t.Context(), fsys, Input{Name: "x", Platform: "linux-x86_64", Now: now})
	if text := string(found.Manifest()); err != nil || strings.Contains(text, "stopped early") || !strings.Contains(text, "a/b") {
		t.Errorf("with time: %v\n%s", err, text)
	}
}

// limit returns the limit of a specifier such as ">=3.10". A malformed one limits nothing.
func limit(specifier, by string) []pythonLimit {
	clauses, ok := pep.ParseClauses(specifier)
	if !ok || len(clauses) == 0 {
		return nil
	}
	return []pythonLimit{{clauses, by}}
}
