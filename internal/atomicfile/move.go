package atomicfile

import (
	"errors"

	"golang.org/x/sys/unix"
)

// Move renames the entry base of d to the entry name of another directory of the
// same file system, unless that name is taken: then nothing is renamed and the error
// is ErrChanged. Both names are durable after Sync of both directories.
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
	now, err := to.Stat(name) // the file system cannot promise it in one call
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

// RemoveEmpty removes the entry base, which must be an empty directory: the system
// itself refuses anything else.
func (d *Dir) RemoveEmpty(base string) error {
	if err := unix.Unlinkat(d.fd(), base, unix.AT_REMOVEDIR); err != nil {
		return d.fail("remove", base, err)
	}
	return nil
}
