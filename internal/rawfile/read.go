package rawfile

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// NoFollow is the flag that refuses a symbolic link at the end of a path.
const NoFollow = unix.O_NOFOLLOW

// An Error is the reason why a file was not read: it is not a regular file, or too large.
type Error struct {
	Path string
	Type fs.FileMode // the type bits of its mode; 0 for a regular file
	Max  int64       // the number of bytes that a regular file exceeds
}

// Error names the file and the reason.
func (e *Error) Error() string { return e.Path + " " + e.Reason() }

// Reason returns the reason without the file, such as "is larger than 64 KiB".
func (e *Error) Reason() string {
	switch {
	case e.Type&fs.ModeSymlink != 0:
		return "is a symbolic link, which is not followed"
	case e.Type.IsDir():
		return "is a directory, not a regular file"
	case e.Type&fs.ModeNamedPipe != 0:
		return "is a named pipe, not a regular file"
	case e.Type&fs.ModeDevice != 0:
		return "is a device, not a regular file"
	case e.Type != 0:
		return "is not a regular file"
	case e.Max >= 1<<20 && e.Max%(1<<20) == 0:
		return fmt.Sprintf("is larger than %d MiB", e.Max>>20)
	case e.Max >= 1<<10 && e.Max%(1<<10) == 0:
		return fmt.Sprintf("is larger than %d KiB", e.Max>>10)
	}
	return fmt.Sprintf("is larger than %d bytes", e.Max)
}

// Reason returns the text of an error of this package or of os without the path of the file.
func Reason(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return "it " + e.Reason()
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err.Error()
	}
	return err.Error()
}

// ReadFile reads a regular file of at most limit bytes. Other files, such as a named pipe or
// /dev/zero, are an *Error, and are not opened. A link at the end of name is followed unless
// flags is NoFollow.
func ReadFile(name string, limit int64, flags int) ([]byte, error) {
	return ReadInto(nil, name, limit, flags)
}

// ReadInto is ReadFile into buf, which it grows if necessary. The result is valid until buf is
// used again.
func ReadInto(buf []byte, name string, limit int64, flags int) ([]byte, error) {
	fd, size, err := openRegular(name, flags)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	return readAll(buf, name, size, limit, func(b []byte) (int, error) { return Read(fd, name, b, len(b)) })
}

// OpenFile opens a regular file of any size for reading, as ReadFile does.
func OpenFile(name string, flags int) (*os.File, error) {
	fd, _, err := openRegular(name, flags)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// OpenDir opens a directory for reading. Other files, which it does not block on, are an error.
func OpenDir(name string, flags int) (*os.File, error) {
	fd, err := Open(name, unix.O_DIRECTORY|flags)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// openRegular opens a regular file and returns its size. The type is checked before the file
// is opened too, because opening a device can have effects.
func openRegular(name string, flags int) (fd int, size int64, err error) {
	var st unix.Stat_t
	err = retry("stat", name, func() error {
		if flags&NoFollow != 0 {
			return unix.Lstat(name, &st)
		}
		return unix.Stat(name, &st)
	})
	if err == nil {
		err = checkType(name, &st)
	}
	if err != nil {
		return 0, 0, err
	}
	fd, err = Open(name, flags)
	if flags&NoFollow != 0 && errors.Is(err, unix.ELOOP) {
		return 0, 0, &Error{Path: name, Type: fs.ModeSymlink}
	}
	if err != nil {
		return 0, 0, err
	}
	if err := Fstat(fd, name, &st); err != nil {
		unix.Close(fd)
		return 0, 0, err
	}
	return fd, st.Size, nil
}

// Fstat calls fstat, and returns an *Error unless the file is regular.
func Fstat(fd int, name string, st *unix.Stat_t) error {
	if err := retry("stat", name, func() error { return unix.Fstat(fd, st) }); err != nil {
		return err
	}
	return checkType(name, st)
}

func checkType(name string, st *unix.Stat_t) error {
	e := &Error{Path: name}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		return nil
	case unix.S_IFLNK:
		e.Type = fs.ModeSymlink
	case unix.S_IFDIR:
		e.Type = fs.ModeDir
	case unix.S_IFIFO:
		e.Type = fs.ModeNamedPipe
	case unix.S_IFBLK, unix.S_IFCHR:
		e.Type = fs.ModeDevice
	default:
		e.Type = fs.ModeIrregular
	}
	return e
}

// readAll reads a file of about size bytes into buf. The size of a file of /proc is 0.
func readAll(buf []byte, name string, size, limit int64, read func([]byte) (int, error)) ([]byte, error) {
	if size > limit {
		return nil, &Error{Path: name, Max: limit}
	}
	need := int(size) + 1 // one more byte shows that the file grew
	if size == 0 {
		need = int(min(limit, 4<<10)) + 1
	}
	if cap(buf) < need {
		buf = make([]byte, need)
	}
	buf = buf[:cap(buf)]
	for n := 0; ; {
		m, err := read(buf[n:])
		n += m
		switch {
		case int64(n) > limit:
			return nil, &Error{Path: name, Max: limit}
		case err != nil && err != io.EOF:
			return nil, err
		case err == io.EOF || m == 0:
			return buf[:n], nil
		}
		if n == len(buf) {
			buf = append(buf, make([]byte, min(int64(n), limit+1-int64(n)))...)
		}
	}
}

// ReadRoot reads a file below root as ReadFile does. Links to files outside of root are errors.
func ReadRoot(root *os.Root, name string, limit int64, flags int) ([]byte, error) {
	f, err := OpenRoot(root, name, flags)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return ReadOpen(f, name, limit)
}

// OpenRoot opens a file below root as OpenFile does.
func OpenRoot(root *os.Root, name string, flags int) (*os.File, error) {
	const attempts = 10 // a file that is replaced at each of them is not opened
	for range attempts {
		stat := root.Stat
		if flags&NoFollow != 0 {
			stat = root.Lstat
		}
		before, err := stat(name)
		if err != nil {
			return nil, err
		}
		if t := before.Mode().Type(); t != 0 {
			return nil, &Error{Path: name, Type: t}
		}
		f, err := root.OpenFile(name, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
		if err != nil {
			return nil, err
		}
		after, err := f.Stat()
		if err == nil && os.SameFile(before, after) {
			return f, nil
		}
		f.Close()
		if err != nil {
			return nil, err
		}
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: errors.New("it is replaced while it is opened")}
}

// ReadFS reads a regular file of at most limit bytes.
func ReadFS(fsys fs.FS, name string, limit int64) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return ReadOpen(f, name, limit)
}

// HeadFS reads the beginning of a regular file of a file system, at most limit bytes.
func HeadFS(fsys fs.FS, name string, limit int64) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if t := info.Mode().Type(); t != 0 {
		return nil, &Error{Path: name, Type: t}
	}
	return io.ReadAll(io.LimitReader(f, limit))
}

// ReadOpen reads the rest of an open regular file of at most limit bytes. name is for errors.
func ReadOpen(f fs.File, name string, limit int64) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if t := info.Mode().Type(); t != 0 {
		return nil, &Error{Path: name, Type: t}
	}
	return readAll(nil, name, info.Size(), limit, f.Read)
}

// ReadStream reads a stream of at most limit bytes, such as standard input. name is for errors.
func ReadStream(r io.Reader, name string, limit int64) ([]byte, error) {
	return readAll(nil, name, 0, limit, r.Read)
}

// FS returns the files below root. Unlike the file system of root.FS, it opens regular files
// and directories only, and never blocks.
func FS(root *os.Root) fs.FS { return confined{root.FS().(rootFS), root} }

type rootFS interface {
	fs.StatFS
	fs.ReadDirFS
	fs.ReadLinkFS
}

type confined struct {
	rootFS
	root *os.Root
}

// Open opens a regular file or a directory.
func (c confined) Open(name string) (fs.File, error) {
	info, err := c.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return OpenRoot(c.root, name, 0)
	}
	return c.root.OpenFile(name, unix.O_RDONLY|unix.O_DIRECTORY, 0)
}

// SHA256 hashes the rest of a file of any size, until ctx ends.
func SHA256(ctx context.Context, r io.Reader) (sum [sha256.Size]byte, err error) {
	h := sha256.New()
	buf := make([]byte, 256<<10)
	for {
		n, err := r.Read(buf)
		h.Write(buf[:n])
		if err == nil {
			err = ctx.Err()
		}
		if err == io.EOF {
			return [sha256.Size]byte(h.Sum(nil)), nil
		}
		if err != nil {
			return sum, err
		}
	}
}
