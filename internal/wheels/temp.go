package wheels

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/flock"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// A temp is a temporary directory that is locked while it is in use.
type temp struct {
	path string
	lock *os.File
}

// newTemp makes a temporary directory in parent.
func newTemp(parent string) (*temp, error) {
	for range 10 {
		t := &temp{path: filepath.Join(parent, atomicfile.TempName())}
		if err := os.Mkdir(t.path, 0o700); err != nil {
			return nil, err
		}
		if t.acquire() {
			return t, os.Chmod(t.path, 0o755)
		}
	}
	return nil, fmt.Errorf("temporary directories in %s disappear", parent)
}

// acquire locks a directory, and reports whether it still has its name. A file system
// without locks counts as locked.
func (t *temp) acquire() bool {
	f, err := rawfile.OpenDir(t.path, rawfile.NoFollow)
	if err != nil {
		return false
	}
	err = flock.Exclusive(f)
	if isAt, _ := flock.IsAt(f, t.path); errors.Is(err, flock.ErrHeld) || !isAt {
		_ = f.Close()
		return false
	}
	t.lock = f
	return true
}

// close removes the directory, unless it was renamed, and releases the lock.
func (t *temp) close() {
	if t.path != "" {
		_ = os.RemoveAll(t.path) // RemoveTemps repeats it
	}
	_ = t.lock.Close()
}

// publish renames the directory to that of an entry. If another process was faster, its
// entry is returned. An entry that is damaged or of another wheel is removed.
func (t *temp) publish(ctx context.Context, e *Entry) (*Entry, error) {
	for range 10 {
		err := os.Rename(t.path, e.Dir)
		if err == nil {
			t.path = ""
			return e, nil
		}
		if !errors.Is(err, fs.ErrExist) && !errors.Is(err, unix.ENOTEMPTY) {
			return nil, err
		}
		if theirs, err := intact(ctx, e.Dir, e.SHA256); theirs != nil || err != nil {
			return theirs, err
		}
		if err := Remove(e.Dir); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%s is always replaced by another process", e.Dir)
}

// Remove removes an entry, complete or not. It first gets the name of a temporary
// directory, so that no process sees a part of it. An absent entry is no error.
func Remove(dir string) error { return removeBy(dir, filepath.Dir(dir)) }

// removeBy removes a directory by way of a temporary name in parent.
func removeBy(dir, parent string) error {
	aside := filepath.Join(parent, atomicfile.TempName())
	err := os.Rename(dir, aside)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return os.RemoveAll(aside)
}

// RemoveTemps removes the temporary directories of killed processes from the directory of
// the entries. Those in use are locked, and remain.
func RemoveTemps(parent string) error {
	names, err := os.ReadDir(parent)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var errs []error
	for _, n := range names {
		if t := (&temp{path: filepath.Join(parent, n.Name())}); atomicfile.IsTemp(n.Name()) && n.IsDir() && t.acquire() {
			errs = append(errs, os.RemoveAll(t.path))
			_ = t.lock.Close()
		}
	}
	return errors.Join(append(errs, err)...)
}
