package wheels

import (
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"slices"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/facts"
)

// A Method is a way to put a file of the store into an environment.
type Method int32

// The methods, the best first: a clone shares its blocks until one of the two files is
// written, a hard link always shares them, a copy needs space.
const (
	Clone Method = iota
	Link
	Copy
)

func (m Method) String() string { return [...]string{"clone", "link", "copy"}[m] }

var methods = [...]func(from, to string, f *File) error{Clone: clone, Link: hardLink, Copy: copyFile}

// A linker puts files into an environment by the first method that the file systems
// support.
type linker struct {
	method atomic.Int32
	count  [len(methods)]atomic.Int64
}

func (l *linker) link(from, to string, f *File) error {
	for {
		m := l.method.Load()
		err := methods[m](from, to, f)
		switch {
		case err == nil:
			l.count[m].Add(1)
			return nil
		case int(m) == len(methods)-1 || !isUnsupported(err):
			return err
		}
		l.method.CompareAndSwap(m, m+1)
	}
}

// isUnsupported reports whether a file system does not support a method.
func isUnsupported(err error) bool {
	return slices.ContainsFunc([]error{
		unix.ENOTSUP, unix.EOPNOTSUPP, unix.ENOTTY, unix.EINVAL, unix.EXDEV, unix.EPERM, unix.EMLINK, unix.ENOSYS,
	}, func(e error) bool { return errors.Is(err, e) })
}

func hardLink(from, to string, _ *File) error { return os.Link(from, to) }

// errDiffers means that a file of the store does not have its digest.
var errDiffers = errors.New("its content differs")

// copyFile copies a file and compares its digest, unless that is not known.
func copyFile(from, to string, f *File) error {
	return createFrom(from, to, f, func(out, in *os.File) error {
		h := sha256.New()
		_, err := io.Copy(io.MultiWriter(out, h), in)
		if err == nil && !f.SHA256.IsZero() && facts.SHA256(h.Sum(nil)) != f.SHA256 {
			err = errDiffers
		}
		return err
	})
}

// createFrom creates a file with the mode and time of another. It removes the file if
// content fails.
func createFrom(from, to string, f *File, content func(out, in *os.File) error) error {
	var st unix.Stat_t
	fd, err := openRegular(from, &st)
	if err != nil {
		return err
	}
	in := os.NewFile(uintptr(fd), from)
	defer in.Close()
	fd, err = createNew(to)
	if err != nil {
		return err
	}
	out := os.NewFile(uintptr(fd), to)
	err = content(out, in)
	if err == nil {
		err = setAttributes(fd, to, f.Mode, unix.TimespecToNsec(st.Mtim))
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return errors.Join(err, os.Remove(to))
	}
	return nil
}

// Put puts a file to a new path by the first method that the file systems support, with its
// mode and modification time.
func Put(from, to string) error {
	info, err := os.Lstat(from)
	if err != nil {
		return err
	}
	var l linker
	return l.link(from, to, &File{Mode: facts.Mode(info.Mode().Perm()), Size: info.Size()})
}
