package cli

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/reconcile-ml/reconcile"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/internal/session"
)

// embedded files of a new project, in a folder of a name.
func newProject(t *testing.T, folder string) (map[string]newFile, *initDocument) {
	t.Helper()
	root := must(os.OpenRoot(t.TempDir()))
	t.Cleanup(func() { root.Close() })
	doc := &initDocument{}
	files, err := projectFiles(&initPlace{dir: "/" + folder, manifest: session.DefaultManifest, root: root, below: "."}, doc)
	check(t, err)
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
	top := must(filepath.Abs("../.."))
	for name, f := range files {
		info, err := os.Stat(filepath.Join(top, name))
		check(t, err)
		if f.mode().Perm()&0o111 != info.Mode().Perm()&0o111 {
			t.Errorf("%s would have mode %v, and has %v here", name, f.mode(), info.Mode())
		}
		if b := must(os.ReadFile(filepath.Join(top, name))); name != session.DefaultManifest && string(b) != string(f.content) {
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
	check(t, fs.WalkDir(reconcile.Project, ".", func(name string, _ fs.DirEntry, err error) error {
		if strings.Contains(name, "__pycache__") {
			t.Errorf("%s is embedded", name)
		}
		return err
	}))
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

// TestInitOnAFullDisk writes nothing where not all can be written.
func TestInitOnAFullDisk(t *testing.T) {
	if os.Geteuid() != 0 || platform()[:5] != "linux" {
		t.Skip("only root can mount a small file system, and only linux has tmpfs")
	}
	dir := must(filepath.EvalSymlinks(t.TempDir()))
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=64k,mode=755", "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("this root may not mount: %v %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("%v %s", err, out)
		}
	})
	for _, words := range [][]string{{"init"}, {"init", "below/new"}} {
		cmd := exec.Command(must(exec.LookPath("reconcile")), words...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); err == nil || code != exit.Error || !strings.Contains(string(out), "init.write") || !strings.Contains(string(out), "no space left") {
			t.Errorf("%v on a full disk ends with %d: %s", words, code, out)
		}
		if left := session.ListNames(dir); len(left) > 0 {
			t.Errorf("%v on a full disk leaves %v", words, left)
		}
	}
}
