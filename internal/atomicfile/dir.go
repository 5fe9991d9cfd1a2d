package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/failpoint"
)

// ErrChanged reports that the existing file is not the one that the caller saw.
var ErrChanged = errors.New("it changed in the meantime")

// A Dir is an open directory. Its methods take the name of one entry, not a path, and
// do not follow symlinks.
type Dir struct {
	f      *os.File
	path   string // for messages
	owner  owner
	flush  *Flusher // nil: every operation is durable when it returns
	syncfs bool     // flush will sync the whole file system
}

// OpenDir opens the directory at name, a slash-separated path below root.
func OpenDir(root *os.Root, name string) (*Dir, error) {
	f, err := root.OpenFile(name, os.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	d := &Dir{f: f, path: path.Join(root.Name(), name)}
	var st unix.Stat_t
	if err := unix.Fstat(d.fd(), &st); err != nil {
		return nil, errors.Join(d.fail("stat", "", err), f.Close())
	}
	d.owner = owner{int(st.Uid), int(st.Gid)}
	return d, nil
}

// Close closes the directory.
func (d *Dir) Close() error { return d.f.Close() }

func (d *Dir) fd() int { return int(d.f.Fd()) }

func (d *Dir) fail(op, base string, err error) error {
	return &fs.PathError{Op: op, Path: path.Join(d.path, base), Err: err}
}

// Commit renames temp to base. With want, the existing file must still be that, or
// nothing is renamed and the error is ErrChanged. The name is durable after Sync.
func (d *Dir) Commit(temp, base string, want *FileID) error {
	if want != nil && !want.Exists {
		if err := d.Move(temp, d, base); err != nil {
			return err
		}
	} else {
		if want != nil {
			now, err := d.Stat(base)
			if err != nil {
				return err
			}
			if now != *want {
				return d.fail("replace", base, ErrChanged)
			}
		}
		if err := unix.Renameat(d.fd(), temp, d.fd(), base); err != nil {
			return d.fail("rename to", base, err)
		}
	}
	failpoint.Hit(failpoint.AtomicfileMoved)
	return nil
}

// Move renames the entry base of d to the entry name of another directory on the same
// file system. If that name is taken, nothing is renamed and the error is ErrChanged.
// Both names are durable after Sync of both directories.
func (d *Dir) Move(base string, to *Dir, name string) error {
	err := renameExclusive(d.fd(), base, to.fd(), name)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EEXIST):
		return to.fail("create", name, ErrChanged)
	case !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOSYS) && !errors.Is(err, unix.ENOTSUP):
		return to.fail("rename to", name, err)
	}
	now, err := to.Stat(name) // the file system has no exclusive rename
	if err != nil {
		return err
	}
	if now.Exists {
		return to.fail("create", name, ErrChanged)
	}
	if err := unix.Renameat(d.fd(), base, to.fd(), name); err != nil {
		return to.fail("rename to", name, err)
	}
	return nil
}

// RemoveEmpty removes the entry base, which must be an empty directory: rmdir fails for
// anything else.
func (d *Dir) RemoveEmpty(base string) error {
	if err := unix.Unlinkat(d.fd(), base, unix.AT_REMOVEDIR); err != nil {
		return d.fail("remove", base, err)
	}
	return nil
}

// Discard removes a temporary file after another failure. An error is ignored: the next
// run removes the file.
func (d *Dir) Discard(temp string) { _ = unix.Unlinkat(d.fd(), temp, 0) }

// Sync makes the names in the directory durable, or leaves that to the Flusher.
func (d *Dir) Sync() error {
	switch {
	case d.flush == nil:
		return syncDir(d.f)
	case d.syncfs:
		return nil
	}
	return ignoreUnsupported(syncFile(d.f))
}

// Open opens an entry for reading. It neither follows a symlink nor blocks on a named
// pipe.
func (d *Dir) Open(base string) (*os.File, error) {
	fd, err := d.openat(base, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, d.fail("open", base, err)
	}
	return os.NewFile(uintptr(fd), path.Join(d.path, base)), nil
}

func (d *Dir) openat(base string, flags int, mode uint32) (int, error) {
	for {
		fd, err := unix.Openat(d.fd(), base, flags|unix.O_CLOEXEC, mode)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

// syncDir makes the names in an open directory durable.
func syncDir(f *os.File) error {
	if err := ignoreUnsupported(f.Sync()); err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	return nil
}

// ignoreUnsupported drops the errors of network file systems that cannot sync a
// directory: their server makes names durable by itself.
func ignoreUnsupported(err error) error {
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTSUP) {
		return nil
	}
	return err
}
