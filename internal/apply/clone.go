package apply

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// copyMethods copy a file, the best first: a clone shares its blocks until one of the
// two is written, a hard link always shares them, a copy needs disk space. All keep
// the modification time of a source, which its bytecode contains.
var copyMethods = [...]func(from, to string, info fs.FileInfo) error{clone, hardLink, copyFile}

// unsupported reports whether a file system does not support a copy method.
func unsupported(err error) bool {
	return isAny(err, unix.ENOTSUP, unix.EOPNOTSUPP, unix.ENOTTY, unix.EINVAL, unix.EXDEV, unix.EPERM, unix.EMLINK, unix.ENOSYS)
}

func hardLink(from, to string, _ fs.FileInfo) error { return os.Link(from, to) }

func copyFile(from, to string, info fs.FileInfo) error {
	return createLike(from, to, info, func(out, in *os.File) error {
		_, err := io.Copy(out, in)
		return err
	})
}

// createLike creates a file with the mode and time of another. It removes the file if
// content fails.
func createLike(from, to string, info fs.FileInfo, content func(out, in *os.File) error) error {
	in, err := rawfile.OpenFile(from, 0)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = content(out, in)
	if err == nil {
		err = out.Chmod(info.Mode().Perm())
	}
	err = errors.Join(err, out.Close())
	if err == nil {
		err = os.Chtimes(to, info.ModTime(), info.ModTime())
	}
	if err != nil {
		return errors.Join(err, os.Remove(to))
	}
	return nil
}
