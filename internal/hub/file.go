package hub

import (
	"errors"
	"io"
	"io/fs"

	"golang.org/x/sys/unix"
)

// A stamp is how a file looked: what a write to it cannot leave as it was.
type fileID struct {
	dev, ino     uint64
	size         int64
	mtime, ctime int64 // nanoseconds
}

func fileIDOf(st *unix.Stat_t) fileID {
	return fileID{uint64(st.Dev), st.Ino, st.Size, unix.TimespecToNsec(st.Mtim), unix.TimespecToNsec(st.Ctim)}
}

// A content is a regular file, open for reading. It is a bare descriptor: an os.File
// would ask the kernel for each one whether it can be waited for.
type content struct {
	fd   int
	name string
}

var errNotRegular = errors.New("not a regular file")

// open opens a regular file, through no link and never one that blocks.
func open(name string) (content, fileID, error) {
	c := content{-1, name}
	err := again(func() (err error) {
		c.fd, err = unix.Open(name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return c, fileID{}, c.fail("open", err)
	}
	st, err := c.stat()
	if err != nil {
		c.close()
		return c, fileID{}, err
	}
	return c, st, nil
}

// again repeats what a signal interrupted.
func again(f func() error) error {
	for {
		if err := f(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func (c content) fail(op string, err error) error {
	return &fs.PathError{Op: op, Path: c.name, Err: err}
}

func (c content) close() { _ = unix.Close(c.fd) } // nothing was written

func (c content) stat() (fileID, error) {
	var st unix.Stat_t
	if err := again(func() error { return unix.Fstat(c.fd, &st) }); err != nil {
		return fileID{}, c.fail("stat", err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return fileID{}, c.fail("open", errNotRegular)
	}
	return fileIDOf(&st), nil
}

// Read reads on; at the end it returns 0 and io.EOF.
func (c content) Read(b []byte) (n int, err error) {
	err = again(func() (err error) {
		n, err = unix.Read(c.fd, b)
		return err
	})
	return c.got(n, err)
}

// ReadAt fills b from a place in the file, or returns io.EOF.
func (c content) ReadAt(b []byte, at int64) (n int, err error) {
	for n < len(b) {
		var m int
		err = again(func() (err error) {
			m, err = unix.Pread(c.fd, b[n:], at+int64(n))
			return err
		})
		if m, err = c.got(m, err); err != nil {
			return n, err
		}
		n += m
	}
	return n, nil
}

// got is the result of one read that should bring some bytes.
func (c content) got(n int, err error) (int, error) {
	switch {
	case err != nil:
		return 0, c.fail("read", err)
	case n == 0:
		return n, io.EOF
	}
	return n, nil
}
