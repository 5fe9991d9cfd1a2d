package apply

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestRelativePathOfAnErrorIsWhereItsDirectoriesAre(t *testing.T) {
	root, store := t.TempDir(), t.TempDir()
	check(t, os.MkdirAll(filepath.Join(root, "data", "raw"), 0o755))
	check(t, os.MkdirAll(filepath.Join(store, "projects", "p-1"), 0o755))
	for name, want := range map[string]string{"data/raw/a": root, "projects/p-1/envs/local": store, "new": root, "/elsewhere": ""} {
		err := &fs.PathError{Op: "open", Path: name, Err: syscall.ENOSPC}
		if got := pathOf(err, []string{root, store}); got != filepath.Join(want, name) {
			t.Errorf("%s is at %s, want it in %s", name, got, want)
		}
	}
}
