package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/failpoint"
)

// A FileID is what stood at a name when it was looked at, as far as it can be told
// from its inode: two equal ones are the same unchanged file.
type FileID struct {
	Exists       bool
	Mode         fs.FileMode // type and permission bits
	Dev, Ino     uint64
	Size         int64
	Mtime, Ctime [2]int64 // seconds, nanoseconds
	owner        owner
}

// owner is a user and a group.
type owner struct{ uid, gid int }

// Look says what stands at base; a link is not followed.
func (d *Dir) Stat(base string) (FileID, error) {
	var st unix.Stat_t
	err := unix.Fstatat(d.fd(), base, &st, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) {
		return FileID{}, nil
	}
	if err != nil {
		return FileID{}, d.fail("stat", base, err)
	}
	return FileID{
		Exists: true, Mode: fileMode(uint32(st.Mode)),
		Dev: uint64(st.Dev), Ino: st.Ino, Size: st.Size,
		Mtime: [2]int64{int64(st.Mtim.Sec), int64(st.Mtim.Nsec)}, Ctime: [2]int64{int64(st.Ctim.Sec), int64(st.Ctim.Nsec)},
		owner: owner{int(st.Uid), int(st.Gid)},
	}, nil
}

func fileMode(m uint32) fs.FileMode {
	mode := fs.FileMode(m & 0o777)
	switch m & unix.S_IFMT {
	case unix.S_IFREG:
	case unix.S_IFDIR:
		mode |= fs.ModeDir
	case unix.S_IFLNK:
		mode |= fs.ModeSymlink
	default:
		mode |= fs.ModeIrregular
	}
	return mode
}

// Stage writes content to a new temporary in d and returns its name. It is
// durable when Stage returns, or after the next Flush where d has a Flusher. was
// is what will be replaced: its owner and extended attributes are kept.
func (d *Dir) Stage(base string, mode fs.FileMode, content []byte, was FileID) (string, error) {
	temp := TempName()
	fd, err := d.openat(temp, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return "", d.fail("create a file beside", base, err)
	}
	f := os.NewFile(uintptr(fd), path.Join(d.path, base))
	if err := errors.Join(d.write(f, base, mode, content, was), f.Close()); err != nil {
		d.Discard(temp)
		return "", err
	}
	failpoint.Hit(failpoint.AtomicfileStaged)
	return temp, nil
}

func (d *Dir) write(f *os.File, base string, mode fs.FileMode, content []byte, was FileID) error {
	if _, err := f.Write(content); err != nil {
		return err
	}
	if err := d.keepOwner(f, was); err != nil {
		return err
	}
	if was.Exists && was.Mode.IsRegular() {
		if err := d.keepAttributes(f, base); err != nil {
			return err
		}
	}
	if mode.Perm() != 0o600 {
		if err := f.Chmod(mode.Perm()); err != nil {
			return err
		}
	}
	if d.flush != nil {
		return d.flush.syncFile(d, f)
	}
	return f.Sync()
}

// keepOwner gives f the owner of the file that it replaces. A new file of root in
// a directory of somebody else becomes theirs, so that sudo leaves nothing behind
// that its user cannot change.
func (d *Dir) keepOwner(f *os.File, was FileID) error {
	want, me := was.owner, owner{os.Geteuid(), os.Getegid()}
	switch {
	case !was.Exists && me.uid != 0:
		return nil // the system decides: our user, our group or that of a setgid directory
	case !was.Exists:
		want = d.owner
	}
	if want == me {
		return nil
	}
	return f.Chown(want.uid, want.gid)
}

// keepAttributes copies the extended attributes, which on linux are access
// control lists too. Those that only the system may set are left.
func (d *Dir) keepAttributes(f *os.File, base string) error {
	old, err := d.Open(base)
	if errors.Is(err, fs.ErrPermission) {
		return nil // what cannot be read cannot be copied; its mode and owner are kept
	}
	if err != nil {
		return err
	}
	defer old.Close()
	for _, name := range listAttributes(old) {
		value, err := readAttribute(old, name)
		if err != nil {
			continue
		}
		err = unix.Fsetxattr(int(f.Fd()), name, value, 0)
		if err != nil && !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.ENOTSUP) {
			return d.fail("keep attribute "+name+" of", base, err)
		}
	}
	return nil
}

func listAttributes(f *os.File) []string {
	size, err := unix.Flistxattr(int(f.Fd()), nil)
	if err != nil || size == 0 {
		return nil
	}
	list := make([]byte, size)
	if size, err = unix.Flistxattr(int(f.Fd()), list); err != nil {
		return nil
	}
	var names []string
	for start, i := 0, 0; i < size; i++ {
		if list[i] == 0 {
			names = append(names, string(list[start:i]))
			start = i + 1
		}
	}
	return names
}

func readAttribute(f *os.File, name string) ([]byte, error) {
	size, err := unix.Fgetxattr(int(f.Fd()), name, nil)
	if err != nil || size == 0 {
		return nil, err
	}
	value := make([]byte, size)
	size, err = unix.Fgetxattr(int(f.Fd()), name, value)
	return value[:max(size, 0)], err
}
