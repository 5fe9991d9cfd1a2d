package realpath

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestResolve(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"link": "real", "dangling": "nowhere"} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "real"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"real": "real", "link": "real", "link/new/deep": "real/new/deep", "new": "new"} {
		if got, err := Resolve(filepath.Join(dir, name)); err != nil || got != filepath.Join(dir, want) {
			t.Errorf("%s: %s, %v, want %s", name, got, err, want)
		}
	}
	for _, name := range []string{"dangling", "dangling/below"} {
		got, err := Resolve(filepath.Join(dir, name))
		if d, ok := errors.AsType[*DanglingError](err); !ok || d.Path != filepath.Join(dir, "dangling") {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
}

func TestWithin(t *testing.T) {
	for name, want := range map[string]bool{"/a": true, "/a/b": true, "/a/b/..": true, "/ab": false, "/": false, "/a/..": false, "/a/../a/b": true} {
		if got := Within("/a", name); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if !Within("/", "/a") {
		t.Error("everything is below the root")
	}
}
