package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/layout"
)

// locate returns the store for variables, NAME=value.
func locate(home, configured string, env ...string) (Location, error) {
	getenv := func(name string) string {
		for _, kv := range env {
			if value, ok := strings.CutPrefix(kv, name+"="); ok {
				return value
			}
		}
		return ""
	}
	return Locate(getenv, home, configured, "/home/u/.config/reconcile/config.yaml")
}

// codeOf returns the code of a problem, "" for nil.
func codeOf(t *testing.T, err error) string {
	t.Helper()
	var p *diag.Problem
	if err != nil && !errors.As(err, &p) {
		t.Fatalf("%v is not a problem", err)
	}
	if p == nil {
		return ""
	}
	return p.Code
}

func TestFirstNamedStoreIsUsed(t *testing.T) {
	t.Parallel()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	home := filepath.Join(dir, "home")
	for name, tt := range map[string]struct {
		home, configured string
		env              []string
		want, source     string
	}{
		"variable":               {home, dir + "/c", []string{"RECONCILE_STORE=" + dir + "/v", "XDG_DATA_HOME=" + dir + "/x"}, dir + "/v", Variable},
		"variable in the home":   {home, "", []string{"RECONCILE_STORE=~/v"}, home + "/v", Variable},
		"variable with dots":     {home, "", []string{"RECONCILE_STORE=" + dir + "/a/../v/"}, dir + "/v", Variable},
		"configuration":          {home, dir + "/c", []string{"XDG_DATA_HOME=" + dir + "/x"}, dir + "/c", "/home/u/.config/reconcile/config.yaml"},
		"data directory":         {home, "", []string{"XDG_DATA_HOME=" + dir + "/x"}, dir + "/x/reconcile", "default"},
		"relative data is not":   {home, "", []string{"XDG_DATA_HOME=x"}, home + "/.local/share/reconcile", "default"},
		"home":                   {home, "", nil, home + "/.local/share/reconcile", "default"},
		"data without a home":    {"", "", []string{"XDG_DATA_HOME=" + dir + "/x"}, dir + "/x/reconcile", "default"},
		"variable without home":  {"", "", []string{"RECONCILE_STORE=" + dir + "/v"}, dir + "/v", Variable},
		"spaces and parentheses": {home, "", []string{"RECONCILE_STORE=" + dir + "/a b (1)"}, dir + "/a b (1)", Variable},
	} {
		got, err := locate(tt.home, tt.configured, tt.env...)
		if err != nil || got != (Location{tt.want, tt.source}) {
			t.Errorf("%s: %v, %v; want %s of %s", name, got, err, tt.want, tt.source)
		}
	}
}

func TestPathsThatCannotBeAStore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, err := range []error{
		os.WriteFile(filepath.Join(dir, "file"), nil, 0o600), os.Symlink("nowhere", filepath.Join(dir, "dangling")), os.Symlink("loop", filepath.Join(dir, "loop")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{
		"": "store.none", "a/b": "store.path", "~": "store.path", "~other/x": "store.path",
		dir + "/a:b": "store.path", dir + "/a$b": "store.path", dir + "/a'b": "store.path", dir + "/a\nb": "store.path",
		dir + "/dangling": "store.path", dir + "/dangling/below": "store.path",
		dir + "/loop": "store.unreadable", dir + "/file/below": "store.unreadable",
	} {
		_, err := locate("", "", "RECONCILE_STORE="+name)
		if got := codeOf(t, err); got != want {
			t.Errorf("%q: %q (%v), want %q", name, got, err, want)
		}
		if p, ok := err.(*diag.Problem); ok && p.Hint == "" {
			t.Errorf("%q: no hint: %v", name, err)
		}
	}
}

func TestStoreIsChecked(t *testing.T) {
	t.Parallel()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	mode := func(name string, mode os.FileMode) string {
		full := filepath.Join(dir, name)
		if err := errors.Join(os.Mkdir(full, 0o700), os.Chmod(full, mode)); err != nil {
			t.Fatal(err)
		}
		return full
	}
	own, group, all := mode("own", 0o700), mode("group", 0o770), mode("all", 0o777|os.ModeSticky)
	for _, tt := range []struct {
		what           string
		location       Location
		project, wants string
	}{
		{"an own directory", Location{own, Variable}, dir + "/p", ""},
		{"nothing yet", Location{dir + "/new", "default"}, dir + "/p", ""},
		{"a file", Location{file, Variable}, "", "store.path"},
		{"a directory of a group", Location{group, Variable}, "", "store.writable"},
		{"a directory like /tmp", Location{all, Variable}, "", "store.writable"},
		{"the default in the project", Location{own, "default"}, dir, "store.in-project"},
		{"the default is the project", Location{own, "default"}, own, "store.in-project"},
		{"the default in a project that is /", Location{own, "default"}, "/", "store.in-project"},
		{"a named store in the project", Location{own, Variable}, dir, ""},
		{"a sibling with a longer name", Location{dir + "/project-store", "default"}, dir + "/project", ""},
	} {
		if got := codeOf(t, tt.location.Check(tt.project)); got != tt.wants {
			t.Errorf("%s: %q, want %q", tt.what, got, tt.wants)
		}
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can make a directory of another user")
	}
	if err := os.Chown(own, 12345, 12345); err != nil {
		t.Fatal(err)
	}
	if got := codeOf(t, Location{own, Variable}.Check("")); got != "store.owner" {
		t.Errorf("a directory of another user: %q", got)
	}
}

// TestPrepare checks that a store and the state directory of a project are made for their owner
// only, and that the path of the project is recorded once.
func TestPrepare(t *testing.T) {
	t.Parallel()
	base := filepath.Join(t.TempDir(), "deep", "store")
	state := layout.State(base, "/home/u/my project")
	for range 2 {
		if err := Prepare(base, state, "/home/u/my project"); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.HasPrefix(filepath.Base(state), "my_project-") {
		t.Errorf("the state directory is %s", state)
	}
	for _, name := range []string{filepath.Dir(base), base, layout.Projects(base), state, layout.Temp(base)} {
		if info, err := os.Stat(name); err != nil || info.Mode() != os.ModeDir|0o700 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	if text, err := os.ReadFile(layout.ProjectFile(state)); err != nil || string(text) != "{\"root\":\"/home/u/my project\"}\n" {
		t.Errorf("%q, %v", text, err)
	}
	if err := Prepare("/dev/null/store", layout.State("/dev/null/store", "/p"), "/p"); err == nil {
		t.Error("a store below a file was made")
	}
}

// TestDirectoryWithOtherFilesIsNoStore checks that only a new or an empty directory becomes a
// store, and that its marker makes a copy one too.
func TestDirectoryWithOtherFilesIsNoStore(t *testing.T) {
	t.Parallel()
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(layout.StoreMarker(prepared(t, base)))
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ file, content, want string }{
		"empty":            {"", "", ""},
		"new file system":  {"lost+found/x", "", ""},
		"store being made": {atomicfile.TempName(), "", ""},
		"copy of a store":  {"store.json", string(text), ""},
		"store of a later": {"store.json", `{"program":"reconcile","format":2}`, "store.foreign"},
		"other store.json": {"store.json", `{"format":1}`, "store.foreign"},
		"volume":           {"tmp/notes", "", "store.foreign"},
		"user's cache":     {".cache/x", "", "store.foreign"},
	} {
		dir := filepath.Join(base, name)
		file := filepath.Join(dir, tt.file)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if tt.file != "" {
			if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(tt.content), 0o600)); err != nil {
				t.Fatal(err)
			}
		}
		err := Location{dir, Variable}.Check("")
		made := Make(dir)
		if got := codeOf(t, err); got != tt.want || codeOf(t, made) != tt.want {
			t.Errorf("%s: %v, then %v; want %q", name, err, made, tt.want)
		}
		if entries, _ := os.ReadDir(dir); tt.want != "" && len(entries) != 1 {
			t.Errorf("%s: %v was made in it", name, entries)
		}
		if name == "volume" && !strings.HasSuffix(err.Error(), "export RECONCILE_STORE="+filepath.Join(base, "volume", "reconcile")) {
			t.Errorf("%v", err)
		}
	}
}

// prepared returns a store with a project.
func prepared(t *testing.T, base string) string {
	t.Helper()
	dir := filepath.Join(base, "prepared")
	if err := Prepare(dir, layout.State(dir, "/p"), "/p"); err != nil {
		t.Fatal(err)
	}
	if err := (Location{dir, Variable}).Check(""); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestTwoProcessesMakeOneStore(t *testing.T) {
	t.Parallel()
	base := filepath.Join(t.TempDir(), "store")
	var g errgroup.Group
	for i := range 8 {
		root := fmt.Sprintf("/p%d", i)
		g.Go(func() error { return Prepare(base, layout.State(base, root), root) })
	}
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
}

func TestHintOfAPathWithATildeNamesNoFolder(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"~", "~other/x"} {
		_, err := locate("/home/u", "", "RECONCILE_STORE="+name)
		if codeOf(t, err) != "store.path" || !strings.HasSuffix(err.Error(), `export RECONCILE_STORE="$HOME"/reconcile`) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
