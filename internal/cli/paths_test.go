package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/pkg/planner"
)

// hostileRoots are names of project folders, and hostilePaths are paths of directories in a
// manifest, that a shell could interpret.
var (
	hostileRoots = []string{
		"plain", "with blank", "'quoted' \"twice\"", "$(touch owned)`touch owned`$HOME", "back\\slash\\", "\\'", "a;b|c&d<e>f", "!!*?[x]{y,z}#~",
		"two\nlines\n", "tab\tbell\a", "ünï 漢", "-dash", "%s=\u202e",
	}
	hostilePaths = []string{"a'b", "$(touch owned)", "x;y", "`id`", `"q"`, "!!", "*", "a b", "b~/#c", "ünï", "${HOME}", "=z", "a:~root"}
)

// hostileManifest returns a manifest with a directory for each path. Its constant is DIR_ and
// its index.
func hostileManifest() string {
	var b strings.Builder
	b.WriteString("version: 1\nproject: story\ndirectories:\n")
	for i, p := range hostilePaths {
		fmt.Fprintf(&b, "  dir_%d: {path: %s, purpose: \"#\\\"' %%s\"}\n", i, must(json.Marshal(p)))
	}
	b.WriteString("files:\n  - {path: scripts/paths.py, template: paths.py.tmpl}\n")
	return b.String()
}

// newHostileSite creates a project with this manifest in a folder with the given name.
func newHostileSite(t *testing.T, name string) *site {
	t.Helper()
	s := siteAt(t, must(filepath.EvalSymlinks(t.TempDir())), "")
	s.root = filepath.Join(s.root, name)
	check(t, os.MkdirAll(s.root, 0o755))
	s.write("manifest.yaml", hostileManifest())
	s.write("templates/paths.py.tmpl", string(must(os.ReadFile("../../templates/paths.py.tmpl"))))
	return s
}

// wantPaths returns the values of all constants, separated as the programs below print them.
func (s *site) wantPaths() string {
	want := []string{s.root}
	for _, p := range hostilePaths {
		want = append(want, s.root+"/"+p)
	}
	return strings.Join(want, "\x00") + "\x00"
}

// TestPathsInEveryShell checks that each shell reads the exported values exactly, and executes
// none of them.
func TestPathsInEveryShell(t *testing.T) {
	t.Parallel()
	names := `"$PROJECT_ROOT"`
	for i := range hostilePaths {
		names += fmt.Sprintf(` "$DIR_%d"`, i)
	}
	words := map[string][]string{"fish": {"fish", "--no-config", "-c", "cat $argv[1] | source; printf '%s\\0' " + names}}
	for shell, options := range map[string][]string{"dash": {"-euc"}, "bash": {"-euc"}, "zsh": {"-feuc"}} {
		words[shell] = append(append([]string{shell}, options...), `eval "$(cat "$1")"; printf '%s\0' `+names, shell)
	}
	for _, root := range hostileRoots {
		s := newHostileSite(t, root)
		for _, format := range [][]string{{"paths"}, {"paths", "--format", "sh"}} {
			s.write("out", s.want(exit.Done, format...).out)
		}
		for shell, w := range words {
			program, err := exec.LookPath(shell)
			if err != nil {
				t.Logf("no %s on this machine", shell)
				continue
			}
			c := exec.Command(program, append(w[1:len(w):len(w)], s.path("out"))...)
			c.Dir, c.Env = s.root, []string{"PATH=/usr/bin:/bin", "HOME=" + s.root, "LANG=C.UTF-8"}
			out, err := c.Output()
			if err != nil || string(out) != s.wantPaths() {
				t.Errorf("%q in %s: %v\ngot  %q\nwant %q", root, shell, err, out, s.wantPaths())
			}
		}
		if _, err := os.Stat(s.path("owned")); err == nil {
			t.Errorf("%q: a part of a value was executed", root)
		}
	}
}

// TestPathsAsJSONAndPython checks that the values are exact in JSON and in Python.
func TestPathsAsJSONAndPython(t *testing.T) {
	t.Parallel()
	python := python310()
	for _, root := range hostileRoots {
		s := newHostileSite(t, root)
		for _, words := range [][]string{{"paths", "--json"}, {"paths", "--format", "json"}} {
			var list report.Paths
			check(t, json.Unmarshal([]byte(s.want(exit.Done, words...).out), &list))
			got := list.Root + "\x00"
			for _, d := range list.Directories {
				got += d.Absolute + "\x00"
			}
			if got != s.wantPaths() {
				t.Errorf("%q: %v\ngot  %q\nwant %q", root, words, got, s.wantPaths())
			}
		}
		s.want(exit.Done, "apply", "-y")
		module := s.want(exit.Done, "paths", "--format", "py").out
		if written := string(must(os.ReadFile(s.path("scripts/paths.py")))); module != written {
			t.Errorf("%q: paths --format py differs from scripts/paths.py", root)
		}
		if python == "" {
			continue
		}
		c := exec.Command(python, "-I", "-B", "-c", `import os, sys
sys.path.insert(0, os.path.join(sys.argv[1], "scripts"))
import paths
sys.stdout.buffer.write(b"".join(os.fsencode(p) + b"\0" for p in [paths.PROJECT_ROOT] + [getattr(paths, "DIR_%d" % i) for i in range(`+fmt.Sprint(len(hostilePaths))+`)]))`, s.root)
		c.Dir = t.TempDir()
		if out, err := c.CombinedOutput(); err != nil || string(out) != s.wantPaths() {
			t.Errorf("%q in Python: %v\ngot  %q\nwant %q", root, err, out, s.wantPaths())
		}
	}
	if python == "" {
		t.Log("no Python 3.10 on this machine")
	}
}

// TestPathsThatAreNotUTF8 checks that a path that is not UTF-8 is exact in a shell, and refused
// in JSON, which would change it.
func TestPathsThatAreNotUTF8(t *testing.T) {
	t.Parallel()
	s := newHostileSite(t, "plain")
	bytes := filepath.Join(filepath.Dir(s.root), "b\xff")
	if err := os.Rename(s.root, bytes); err != nil {
		t.Skip("this file system does not support such names: ", err)
	}
	s.root = bytes
	if e := s.want(exit.Done, "paths"); !strings.HasPrefix(e.out, "export PROJECT_ROOT='"+bytes+"'\n") {
		t.Errorf("%q", e.out)
	}
	if e := s.want(exit.Error, "paths", "--json"); !e.contains("paths.encoding") {
		t.Error(e)
	}
}

// TestPathsModule imports the constants from a program in the same folder, as a module, by path,
// from another folder, and through links.
func TestPathsModule(t *testing.T) {
	t.Parallel()
	if python310() == "" {
		t.Skip("no Python 3.10 on this machine")
	}
	s := newHostileSite(t, "with blank")
	s.want(exit.Done, "apply", "-y")
	s.write("scripts/x.py", "import sys\nfrom paths import DIR_7\nsys.stdout.write(str(DIR_7))\n")
	s.write("scripts/__init__.py", "")
	elsewhere := t.TempDir()
	check(t, os.Symlink(s.path("scripts/x.py"), filepath.Join(elsewhere, "linked.py")))
	check(t, os.Symlink(s.path("scripts/paths.py"), filepath.Join(elsewhere, "paths.py")))
	check(t, os.Symlink(s.root, filepath.Join(elsewhere, "project")))
	const show = "import sys; sys.stdout.write(str(paths.DIR_7))"
	for _, tt := range []struct {
		dir   string
		words []string
	}{
		{s.root, []string{"scripts/x.py"}},
		{elsewhere, []string{s.path("scripts/x.py")}},
		{elsewhere, []string{"linked.py"}},
		{elsewhere, []string{"project/scripts/x.py"}},
		{elsewhere, []string{"-c", "import paths; " + show}}, // a link to the module, in the current directory
		{s.root, []string{"-c", "from scripts import paths; " + show}},
		{s.root, []string{"-m", "scripts.y"}},
		{s.path("scripts"), []string{"-m", "x"}},
		{elsewhere, []string{"-c", "import importlib.util as u; s = u.spec_from_file_location('paths', sys.argv[1]); paths = u.module_from_spec(s); s.loader.exec_module(paths); " + show, s.path("scripts/paths.py")}},
		{elsewhere, []string{"-c", "import runpy; d = runpy.run_path('project/scripts/paths.py'); import types; paths = types.SimpleNamespace(**d); " + show}},
	} {
		s.write("scripts/y.py", "from scripts import paths\n"+show+"\n")
		if i := slices.Index(tt.words, "-c"); i >= 0 {
			tt.words[i+1] = "import sys; " + tt.words[i+1]
		}
		c := exec.Command(python310(), append([]string{"-B"}, tt.words...)...)
		// Exports of another project have no effect.
		c.Dir, c.Env = tt.dir, []string{"PATH=/usr/bin:/bin", "PROJECT_ROOT=/other", "DIR_7=/other/x", "RECONCILE_DIR_7=/other/y"}
		if out, err := c.CombinedOutput(); err != nil || string(out) != s.path("a b") {
			t.Errorf("in %s: %q: %v, %s", tt.dir, tt.words, err, out)
		}
	}
}

// directoryTypes returns the type of the path of each directory of a manifest, according to
// facts; of a link, the type of its target.
func directoryTypes(t *testing.T, m *manifest.Manifest, known *facts.Facts) map[string]facts.PathType {
	t.Helper()
	found := map[string]facts.PathType{}
	for i := range m.Directories {
		d := &m.Directories[i]
		at, ok := facts.Find[facts.Path](known, facts.PathKey(d.Path))
		if ok && at.Type == facts.Symlink {
			target := at.Target
			if !path.IsAbs(target) {
				target = path.Join(path.Dir(d.Path), target)
			}
			at, ok = facts.Find[facts.Path](known, facts.PathKey(target))
		}
		if !ok {
			t.Errorf("there is no fact for %s", d.Path)
		}
		found[d.Constant()] = at.Type
	}
	return found
}

// TestSameStructureOnRecordedMachines applies the project's plan to the facts of a Mac and of a
// GPU machine that has models on another volume, and checks that the directories and the file
// of constants are the same on both.
func TestSameStructureOnRecordedMachines(t *testing.T) {
	t.Parallel()
	dir := must(filepath.EvalSymlinks(t.TempDir()))
	for _, name := range []string{"templates", "locks"} {
		check(t, os.CopyFS(filepath.Join(dir, name), os.DirFS(filepath.Join("../..", name))))
	}
	text := string(must(os.ReadFile("../../manifest.yaml"))) + "\nhosts:\n  gpu1: {allow_paths: [/workspace], directories: {models: {path: /workspace/models}}}\n"
	check(t, os.WriteFile(filepath.Join(dir, "manifest.yaml"), []byte(text), 0o644))
	var structures []map[string]facts.PathType
	var modules []string
	for _, machine := range []string{"mac-m4", "linux-h100"} {
		m, err := manifest.Load(os.DirFS(dir), "manifest.yaml")
		check(t, err)
		known := &facts.Facts{}
		check(t, json.Unmarshal(must(os.ReadFile("../../testdata/facts/"+machine+".json")), known))
		known.Set(facts.Path{Path: "/workspace/models", Type: facts.Absent})
		s := manifest.Selection{}
		s.Host, _ = facts.Find[facts.Host](known, facts.HostKey)
		s.GPU, _ = facts.Find[facts.GPU](known, facts.GPUKey)
		env, err := m.Select(s)
		check(t, err)
		list, err := m.Resources(s, []*manifest.Environment{env})
		check(t, err)
		plan, err := planner.Make(list, known)
		check(t, err)
		links := 0
		for _, item := range plan.Items {
			for _, after := range item.Change.Predicts {
				known.Set(after)
			}
			if item.Resource.Addr.Kind == "link" {
				links++
			}
		}
		if want := map[string]int{"mac-m4": 0, "linux-h100": 1}[machine]; links != want {
			t.Errorf("%s has %d links, want %d", machine, links, want)
		}
		structures = append(structures, directoryTypes(t, m, known))
		modules = append(modules, m.Files[0].Content)
	}
	for name, kind := range structures[0] {
		if kind != facts.Dir || structures[1][name] != kind {
			t.Errorf("%s is a %s on one, and a %s on the other", name, kind, structures[1][name])
		}
	}
	if len(structures[0]) != 7 || modules[0] != modules[1] {
		t.Errorf("%d directories; the constants differ: %t", len(structures[0]), modules[0] != modules[1])
	}
}

// TestSameStructureAfterApply runs apply and facts on two machines, one of which has a
// directory on another volume, and checks that the directories are the same.
func TestSameStructureAfterApply(t *testing.T) {
	t.Parallel()
	host, _, _ := strings.Cut(must(os.Hostname()), ".")
	const text = "version: 1\nproject: story\ndirectories:\n  data_raw: {path: data/raw}\n  models: {path: models}\nfiles:\n  - {path: scripts/paths.py, template: paths.py.tmpl}\n"
	var structures []map[string]facts.PathType
	for i, more := range []string{"", fmt.Sprintf("hosts:\n  %q: {directories: {models: {path: volume/big models}}}\n", host)} {
		s := newSite(t, "")
		s.write("manifest.yaml", text+more)
		s.write("templates/paths.py.tmpl", string(must(os.ReadFile("../../templates/paths.py.tmpl"))))
		s.want(exit.Done, "apply", "-y")
		known := &facts.Facts{}
		check(t, json.Unmarshal([]byte(s.want(exit.Done, "facts").out), known))
		m, err := manifest.Load(os.DirFS(s.root), "manifest.yaml")
		check(t, err)
		structures = append(structures, directoryTypes(t, m, known))

		list := report.Paths{}
		check(t, json.Unmarshal([]byte(s.want(exit.Done, "paths", "--json").out), &list))
		place := list.Directories[1].Place
		if want := []string{"", s.path("volume/big models")}[i]; place != want {
			t.Errorf("the models are in %q, want %q", place, want)
		}
		// A file written through the common path is in the real directory.
		s.write("models/x", "x")
		if _, err := os.Stat(filepath.Join([]string{s.path("models"), place}[i], "x")); err != nil {
			t.Error(err)
		}
	}
	if !bytes.Equal(must(json.Marshal(structures[0])), must(json.Marshal(structures[1]))) {
		t.Errorf("%v and %v", structures[0], structures[1])
	}
}
