// Package rawfile reads files that others may have written: regular files only, of bounded
// size. A named pipe does not block it, and a device is not opened. All of this program
// reads files through it.
//
// It reads by system calls, without the cost of Go's poller, for code that reads thousands
// of small files.
package rawfile

import (
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"
)

// Open opens a file of any type for reading; flags are added to O_RDONLY. It follows links
// unless flags has O_NOFOLLOW. The caller checks the type with Fstat, and closes fd.
func Open(name string, flags int) (fd int, err error) {
	err = retry("open", name, func() (err error) {
		fd, err = unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY|flags, 0)
		return err
	})
	return fd, err
}

// Read reads into buf until it has want bytes or the file ends. It may return more than
// want bytes. name is for errors.
func Read(fd int, name string, buf []byte, want int) (n int, err error) {
	for n < want {
		var m int
		err := retry("read", name, func() (err error) {
			m, err = unix.Read(fd, buf[n:])
			return err
		})
		if err != nil || m == 0 {
			return n, err
		}
		n += m
	}
	return n, nil
}

// Head reads the beginning of a regular file, at most len(buf) bytes, into buf. It follows
// links.
func Head(name string, buf []byte) ([]byte, error) {
	fd, _, err := openRegular(name, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	n, err := Read(fd, name, buf, len(buf))
	return buf[:n], err
}

// Lstat calls lstat.
func Lstat(name string, st *unix.Stat_t) error { return LstatAt(unix.AT_FDCWD, name, st) }

// LstatAt calls lstat for a path relative to an open directory.
func LstatAt(dir int, name string, st *unix.Stat_t) error {
	return retry("lstat", name, func() error { return unix.Fstatat(dir, name, st, unix.AT_SYMLINK_NOFOLLOW) })
}

// IsAbsent reports whether an error means that a path does not exist. After any other error
// it is not known whether it does.
func IsAbsent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR)
}

// retry repeats a system call that a signal interrupts.
func retry(op, name string, call func() error) error {
	for {
		switch err := call(); err {
		case nil:
			return nil
		case unix.EINTR:
		default:
			return &fs.PathError{Op: op, Path: name, Err: err}
		}
	}
}
