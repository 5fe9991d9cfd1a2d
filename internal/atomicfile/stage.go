package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/failpoint"
)

// A FileID identifies a file and its version by its inode: two equal ones are the same
// unchanged file. The zero value is a missing file.
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

// Stat returns the FileID of base, without following a symlink.
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

// Stage writes content to a temporary file in d and returns its name. It is durable when
// Stage returns, or after the next Flush if d has a Flusher. old is the file to replace,
// whose owner and extended attributes are kept.
func (d *Dir) Stage(base string, mode fs.FileMode, content []byte, old FileID) (string, error) {
	temp := TempName()
	fd, err := d.openat(temp, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return "", d.fail("create a temporary file for", base, err)
	}
	f := os.NewFile(uintptr(fd), path.Join(d.path, base))
	if err := errors.Join(d.write(f, base, mode, content, old), f.Close()); err != nil {
		d.Discard(temp)
		return "", err
	}
	failpoint.Hit(failpoint.AtomicfileStaged)
	return temp, nil
}

func (d *Dir) write(f *os.File, base string, mode fs.FileMode, content []byte, old FileID) error {
	if _, err := f.Write(content); err != nil {
		return err
	}
	if err := d.keepOwner(f, old); err != nil {
		return err
	}
	if old.Exists && old.Mode.IsRegular() {
		if err := d.keepAttributes(f, base); err != nil {
			return err
		}
	}
	if mode.Perm() != 0o600 {
		if err := f.Chmod(mode.Perm()); err != nil {
			return err
		}
	}
	switch {
	case d.flush == nil:
		return f.Sync()
	case d.syncfs:
		return nil
	}
	return syncFile(f)
}

// keepOwner gives f the owner of the file that it replaces. A new file that root creates
// gets the owner of the directory, so that the user can change it after a sudo.
func (d *Dir) keepOwner(f *os.File, old FileID) error {
	want, me := old.owner, owner{os.Geteuid(), os.Getegid()}
	switch {
	case !old.Exists && me.uid != 0:
		return nil // the group may be that of a setgid directory
	case !old.Exists:
		want = d.owner
	}
	if want == me {
		return nil
	}
	return f.Chown(want.uid, want.gid)
}

// keepAttributes copies the extended attributes, which include access control lists on
// Linux, except those that only the system may set.
func (d *Dir) keepAttributes(f *os.File, base string) error {
	old, err := d.Open(base)
	if errors.Is(err, fs.ErrPermission) {
		return nil // its mode and owner are kept
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
