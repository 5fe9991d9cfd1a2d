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

// ErrChanged says that what stands at the target is not what the caller saw.
var ErrChanged = errors.New("it changed in the meantime")

// A Dir is an open directory. Its methods take the name of one entry, never a
// path, and follow no link.
type Dir struct {
	f      *os.File
	path   string // for messages
	owner  owner
	flush  *Flusher // nil: every operation is durable when it returns
	syncfs bool     // flush syncs the whole file system later
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

// File returns the open directory itself; it stays d's.
func (d *Dir) File() *os.File { return d.f }

func (d *Dir) fd() int { return int(d.f.Fd()) }

func (d *Dir) fail(op, base string, err error) error {
	return &fs.PathError{Op: op, Path: path.Join(d.path, base), Err: err}
}

// Commit renames temp to base. With want, what stands at base must still be that,
// else nothing is renamed and the error is ErrChanged. The name is durable after
// Sync.
func (d *Dir) Commit(temp, base string, want *FileID) error {
	if err := d.commit(temp, base, want); err != nil {
		return err
	}
	failpoint.Hit(failpoint.AtomicfileMoved)
	return nil
}

func (d *Dir) commit(temp, base string, want *FileID) error {
	if want == nil {
		return d.rename(temp, base)
	}
	if !want.Exists {
		return d.renameNew(temp, base)
	}
	now, err := d.Stat(base)
	if err != nil {
		return err
	}
	if now != *want {
		return d.fail("replace", base, ErrChanged)
	}
	return d.rename(temp, base)
}

func (d *Dir) rename(temp, base string) error {
	if err := unix.Renameat(d.fd(), temp, d.fd(), base); err != nil {
		return d.fail("rename to", base, err)
	}
	return nil
}

// renameNew renames only if nothing stands at base.
func (d *Dir) renameNew(temp, base string) error {
	return d.Move(temp, d, base)
}

// Discard removes a temporary that will not be committed. It is called when
// something else has failed already; what it cannot remove, the next run can.
func (d *Dir) Discard(temp string) { _ = unix.Unlinkat(d.fd(), temp, 0) }

// Sync makes the names in the directory durable, or leaves it to the Flusher.
func (d *Dir) Sync() error {
	if d.flush != nil {
		return d.flush.syncDir(d)
	}
	return SyncDir(d.f)
}

// Open opens an entry for reading; it neither follows a link nor waits for the
// other end of a pipe.
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

// SyncDir makes the names in an open directory durable. Some network file
// systems cannot sync a directory and say EINVAL or ENOTSUP: their server keeps
// names itself, so that is no error.
func SyncDir(f *os.File) error {
	err := f.Sync()
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTSUP) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	return nil
}
