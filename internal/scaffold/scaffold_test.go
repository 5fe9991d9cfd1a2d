package scaffold

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/reconcile-ml/reconcile"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/internal/session"
)

// newProject returns the files of a new project in a folder of a name.
func newProject(t *testing.T, folder string) (map[string]newFile, *Result) {
	t.Helper()
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	doc := &Result{}
	files, err := projectFiles(&place{dir: "/" + folder, manifest: session.DefaultManifest, root: root, below: "."}, doc)
	if err != nil {
		t.Fatal(err)
	}
	if last := files[len(files)-1].name; last != session.DefaultManifest {
		t.Errorf("the last file is %s: a project is begun when its manifest is there", last)
	}
	byName := map[string]newFile{}
	for _, f := range files {
		byName[f.name] = f
	}
	return byName, doc
}

// TestNewProject loads what init writes: the manifest is valid under every name, and no
// lock that it names is missing or made for other pins.
func TestNewProject(t *testing.T) {
	for _, folder := range []string{"x", "Ünï cödé", "null", strings.Repeat("long-", 40), "2024", "-"} {
		files, doc := newProject(t, folder)
		fsys := fstest.MapFS{}
		for name, f := range files {
			fsys[name] = &fstest.MapFile{Data: f.content}
		}
		m, err := manifest.Load(fsys, session.DefaultManifest)
		if err != nil {
			t.Errorf("in a folder %q: %v", folder, err)
			continue
		}
		if m.Project != doc.Project || doc.Project == "" {
			t.Errorf("in a folder %q the project is %q, and %q in the manifest", folder, doc.Project, m.Project)
		}
		for _, env := range m.Environments {
			for _, p := range diag.Problems(m.CheckLock(env)) {
				t.Errorf("in a folder %q, environment %s: %v", folder, env.Name, p)
			}
		}
		for _, f := range m.Files {
			if _, ok := files[f.Path]; ok {
				t.Errorf("%s is written by init and by apply", f.Path)
			}
		}
	}
}

// TestNewProjectIsThisRepository compares what init writes with the files of this
// repository: content and, since an embedded file has none, the mode.
func TestNewProjectIsThisRepository(t *testing.T) {
	files, _ := newProject(t, "x")
	top := "../.."
	for name, f := range files {
		info, err := os.Stat(filepath.Join(top, name))
		if err != nil {
			t.Fatal(err)
		}
		if f.mode().Perm()&0o111 != info.Mode().Perm()&0o111 {
			t.Errorf("%s would have mode %v, and has %v here", name, f.mode(), info.Mode())
		}
		b, err := os.ReadFile(filepath.Join(top, name))
		if err != nil {
			t.Fatal(err)
		}
		if name != session.DefaultManifest && string(b) != string(f.content) {
			t.Errorf("%s is not what this program was built from: build it again", name)
		}
		if name != session.DefaultManifest && strings.Contains(string(f.content), "lora-finetune") {
			t.Errorf("%s names this repository's project, and would do so in a new one", name)
		}
	}
	page := regexp.MustCompile(`docs/[a-z0-9/._-]+\.(md|json)`)
	for name, f := range files {
		for _, named := range page.FindAllString(string(f.content), -1) {
			if _, ok := files[named]; !ok {
				t.Errorf("%s refers to %s, which is no part of a new project", name, named)
			}
		}
	}
	for _, name := range []string{"setup_local.sh", "setup_remote.sh", "configs/training.yaml", ".gitignore", "templates/paths.py.tmpl", "scripts/gpu_diagnostics.py", "locks/pylock.local.toml", "locks/pylock.remote.toml"} {
		if _, ok := files[name]; !ok {
			t.Errorf("%s is not part of a new project", name)
		}
	}
	err := fs.WalkDir(reconcile.Project, ".", func(name string, _ fs.DirEntry, err error) error {
		if strings.Contains(name, "__pycache__") {
			t.Errorf("%s is embedded", name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestNoSchemaWithoutItsFile looks at the line that names a schema for editors.
func TestNoSchemaWithoutItsFile(t *testing.T) {
	const line, rest = "# yaml-language-server: $schema=docs/x.json\n", "# A comment.\nversion: 1\n"
	for _, c := range []struct {
		text, want string
		files      []newFile
	}{
		{line + rest, rest, nil},
		{line + rest, line + rest, []newFile{{name: "docs/x.json"}}},
		{rest, rest, nil},
		{"", "", nil},
	} {
		if got := string(withoutSchema([]byte(c.text), c.files)); got != c.want {
			t.Errorf("%q becomes %q, want %q", c.text, got, c.want)
		}
	}
}
