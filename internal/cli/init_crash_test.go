//go:build failpoints

package cli

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/failpoint"
	"github.com/reconcile-ml/reconcile/internal/session"
)

// TestCrashInit kills init at every failpoint. No file is incomplete, the manifest exists only
// if all other files do, and a second init completes the project and leaves nothing of the
// killed one.
func TestCrashInit(t *testing.T) {
	complete := filepath.Join(t.TempDir(), "project")
	check(t, os.Mkdir(complete, 0o755))
	check(t, runInit(complete))
	want := readFiles(t, complete)
	kills := 0
	for _, place := range []string{failpoint.AtomicfileStaged, failpoint.AtomicfileMoved} {
		for n := 1; ; n++ {
			dir := filepath.Join(t.TempDir(), "project")
			check(t, os.Mkdir(dir, 0o755))
			if runInit(dir, fmt.Sprintf("RECONCILE_FAILPOINT=%s:%d", place, n)) == nil {
				break // it passes the failpoint fewer times
			}
			kills++
			has := readFiles(t, dir)
			for name, content := range has {
				if !atomicfile.IsTemp(filepath.Base(name)) && content != want[name] {
					t.Errorf("killed at %s:%d, %s has %d bytes of %d", place, n, name, len(content), len(want[name]))
				}
			}
			if _, begun := has[session.DefaultManifest]; begun {
				if len(has) != len(want) {
					t.Errorf("killed at %s:%d there is a manifest, and %d files of %d", place, n, len(has), len(want))
				}
				continue
			}
			if err := runInit(dir); err != nil {
				t.Errorf("after %s:%d: %v", place, n, err)
			}
			if has := readFiles(t, dir); len(has) != len(want) {
				t.Errorf("after %s:%d there are %d files, not %d", place, n, len(has), len(want))
			}
		}
	}
	if kills < 2*len(want) {
		t.Errorf("only %d failpoints were passed for %d files", kills, len(want))
	}
}

func runInit(dir string, environ ...string) error {
	cmd := exec.Command(must(exec.LookPath("reconcile")), "init")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), environ...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// readFiles returns the contents of all files below a folder, by name.
func readFiles(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	check(t, fs.WalkDir(os.DirFS(dir), ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			files[name] = string(must(os.ReadFile(filepath.Join(dir, name))))
		}
		return err
	}))
	return files
}
