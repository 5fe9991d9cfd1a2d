package manifest_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/manifest"
)

// loadWithFiles reads a manifest with one environment that has the keys of part, and files beside it.
func loadWithFiles(part string, files map[string]string) (*manifest.Manifest, error) {
	fsys := fstest.MapFS{"manifest.yaml": {Data: []byte(head + "environments:\n  local:\n    python: \"3.11\"\n    platforms: [linux-x86_64]\n    packages: []\n" + part)}}
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
