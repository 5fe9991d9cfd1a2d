package manifest_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/manifest"
)

const oneEnvironment = head + "environments:\n  local:\n    python: \"3.11\"\n    platforms: [linux-x86_64]\n    packages: []\n"

// loadWithFiles reads a manifest with one environment that has the keys of part, and files beside it.
func loadWithFiles(part string, files map[string]string) (*manifest.Manifest, error) {
	fsys := fstest.MapFS{"manifest.yaml": {Data: []byte(oneEnvironment + part)}}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return manifest.Load(fsys, "manifest.yaml")
}

// TestFilesThatCannotBeUsed checks that each problem of a file that an environment names has a position
// and a remedy.
func TestFilesThatCannotBeUsed(t *testing.T) {
	for _, c := range []struct {
		name, part  string
		files       map[string]string
		code, where string
	}{
		{"absent", "    requirements: [a.txt]\n", nil, "requirements.absent", "manifest.yaml:8:20"},
		{"absent, beside the lock of another tool", "    lock: uv.lock\n    requirements: [pyproject.toml]\n", nil, "requirements.absent", "manifest.yaml:9:20"},
		{"absent, included", "    requirements: [a.txt]\n", map[string]string{"a.txt": "six\n-r b.txt\n"}, "requirements.absent", "a.txt:2:1"},
		{"the project without a name", "    requirements: [a.txt]\n", map[string]string{"a.txt": "-e .\n", "setup.py": "setup(name=NAME)\n"}, "manifest.project", "a.txt:1:1"},
		{"an editable project without files", "    project: editable\n", nil, "manifest.project", "manifest.yaml:8:14"},
		{"an editable project with a damaged file", "    project: editable\n", map[string]string{"pyproject.toml": "[project]\nname = \n"}, "requirements.syntax", "pyproject.toml:2:8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := loadWithFiles(c.part, c.files)
			p := diag.Problems(err)
			if len(p) != 1 || p[0].Code != c.code || p[0].Pos.String() != c.where {
				t.Errorf("got %v", err)
			} else if p[0].Hint == "" && c.code != "requirements.syntax" {
				t.Errorf("%v has no hint", err)
			}
		})
	}
}

// TestLinesThatAreNotReadAreReported has a requirement that exists on one machine only.
func TestLinesThatAreNotReadAreReported(t *testing.T) {
	m, err := loadWithFiles("    requirements: [a.txt]\n", map[string]string{"a.txt": "six\ntorch @ file:///srv/torch-2.0-py3-none-any.whl\n"})
	if err != nil {
		t.Fatal(err)
	}
	list := m.NotRead()
	if len(list) != 1 || list[0].Severity != diag.Warn || list[0].Pos.String() != "a.txt:2:1" || !strings.Contains(list[0].Error(), "absolute path") {
		t.Errorf("got %v", list)
	}
	if len(m.NotRead("other")) > 0 {
		t.Error("another environment has it")
	}
}

const editableProject = "[project]\nname = \"mine\"\nversion = \"1.0\"\ndependencies = [\"six>=1\"]\n[project.optional-dependencies]\ndev = [\"idna\"]\n[build-system]\nrequires = [\"hatchling\"]\nbuild-backend = \"hatchling.build\"\n"

// TestRequestsOfEditablePackages checks that a lock made before a dependency was added is stale.
func TestRequestsOfEditablePackages(t *testing.T) {
	m, err := loadWithFiles("    project: editable\n    requirements: [a.txt]\n", map[string]string{
		"pyproject.toml":      editableProject,
		"libs/pyproject.toml": strings.NewReplacer("mine", "lib", "six", "attrs").Replace(editableProject),
		"a.txt":               "lib[dev] @ ./libs ; sys_platform == 'linux'\n",
	})
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(m.Environments[0].Requests(), "\n")
	for _, want := range []string{"mine @ ./", "six>=1", "attrs>=1 ; sys_platform == 'linux'", "idna ; sys_platform == 'linux'"} {
		if !strings.Contains(got+"\n", want+"\n") {
			t.Errorf("%s is not in\n%s", want, got)
		}
	}
}

// TestDirectoryOfAnEditablePackageIsAbsent has a lock of a directory that was removed later.
func TestDirectoryOfAnEditablePackageIsAbsent(t *testing.T) {
	l := lock.Lock{Path: "locks/pylock.local.toml", RequiresPython: ">=3.11,<3.12", Platforms: []string{"linux-x86_64"}, Requests: []string{"lib @ ./libs"}, Packages: []lock.Package{
		{Name: "lib", Version: "1.0", Build: &lock.Build{Source: lock.Source{Directory: "libs"}}},
	}}
	text := strings.Replace(oneEnvironment, "packages: []", `packages: ["lib @ ./libs"]`, 1)
	m, err := manifest.Load(fstest.MapFS{"manifest.yaml": {Data: []byte(text)}, l.Path: {Data: l.Encode()}}, "manifest.yaml")
	if err != nil {
		t.Fatal(err)
	}
	p := diag.Problems(m.CheckLock(m.Environments[0]))
	if len(p) != 1 || p[0].Code != "manifest.url" || p[0].Pos.String() != "manifest.yaml:7:16" {
		t.Errorf("got %v", p)
	}
}

// TestVersionOfAnEditablePackage compares it with the lock.
func TestVersionOfAnEditablePackage(t *testing.T) {
	for version, stale := range map[string]bool{"1.0": false, "1": false, "1.1": true} {
		l := lock.Lock{Path: "locks/pylock.local.toml", RequiresPython: ">=3.11,<3.12", Platforms: []string{"linux-x86_64"}, Requests: []string{"mine @ ./", "six>=1"}, Packages: []lock.Package{
			{Name: "mine", Version: "1.0", Build: &lock.Build{Source: lock.Source{Directory: "."}}},
		}}
		m, err := loadWithFiles("    project: editable\n", map[string]string{
			"pyproject.toml": strings.Replace(editableProject, "1.0", version, 1), l.Path: string(l.Encode()),
		})
		if err != nil {
			t.Fatal(err)
		}
		p := diag.Problems(m.CheckLock(m.Environments[0]))
		if got := len(p) == 1 && p[0].Code == "lock.stale"; got != stale || !stale && len(p) > 0 {
			t.Errorf("%s: got %v", version, p)
		}
	}
}

// TestIndexesOfFilesAndOfTheManifest has an index in both, under several names and URLs.
func TestIndexesOfFilesAndOfTheManifest(t *testing.T) {
	const pyproject = "[project]\nname = \"mine\"\ndependencies = [\"torch\"]\n[[tool.uv.index]]\nname = \"NAME\"\nurl = \"URL\"\nexplicit = true\n[tool.uv.sources]\ntorch = {index = \"NAME\"}\n"
	const text = "version: 1\nproject: p\nindexes: [{name: inside, url: \"https://a.example/simple\"}]\nenvironments:\n  local:\n    python: \"3.11\"\n    platforms: [linux-x86_64]\n    requirements: [pyproject.toml, a.txt]\n    packages: [{name: torch, index: inside}]\n"
	for _, c := range []struct{ name, index, url, want string }{
		{"the same", "inside", "https://a.example/simple/", ""},
		{"another name", "outside", "https://a.example/simple", ""},
		{"another URL", "inside", "https://b.example/simple", "pyproject.toml:4:11: index inside has another URL than at manifest.yaml:3:11"},
		{"another index", "outside", "https://b.example/simple", "pyproject.toml:3:17: torch must come from index outside here, and from index inside at manifest.yaml:9:23"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := manifest.Load(fstest.MapFS{
				"manifest.yaml":  {Data: []byte(text)},
				"pyproject.toml": {Data: []byte(strings.NewReplacer("NAME", c.index, "URL", c.url).Replace(pyproject))},
				"a.txt":          {Data: []byte("--extra-index-url https://c.example/whl/cu118\n--extra-index-url https://d.example/whl/cu118\n")},
			}, "manifest.yaml")
			if c.want != "" {
				if err == nil || !strings.HasPrefix(err.Error(), c.want) {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, x := range m.Environments[0].Sources().Indexes {
				names = append(names, x.Name)
			}
			if got := strings.Join(names, " "); got != "inside c-cu118 d-cu118" {
				t.Errorf("the indexes are %s", got)
			}
			for _, p := range m.Environments[0].Sources().Packages {
				if p.Index != "inside" {
					t.Errorf("%v", p)
				}
			}
		})
	}
}
