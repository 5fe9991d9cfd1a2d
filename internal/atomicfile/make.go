package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"syscall"

	"github.com/reconcile-ml/reconcile/internal/failpoint"
)

// special are the bits that a directory inherits and that a mode of a manifest
// does not name.
const inheritedBits = fs.ModeSetgid | fs.ModeSticky

// MakeDir makes one directory below root, whatever the umask. One that is there
// stays as it is; anything else there is an error. It reports whether it made it.
func MakeDir(root *os.Root, name string, mode fs.FileMode) (bool, error) {
	err := root.Mkdir(name, mode.Perm())
	if errors.Is(err, fs.ErrExist) {
		return false, requireDir(root, name)
	}
	if err != nil {
		return false, err
	}
	info, err := root.Lstat(name)
	if err != nil {
		return true, err
	}
	if os.Geteuid() == 0 {
		if err := chownToParent(root, name); err != nil {
			return true, err
		}
	}
	if info.Mode().Perm() == mode.Perm() {
		return true, nil
	}
	return true, root.Chmod(name, mode.Perm()|info.Mode()&inheritedBits)
}

// mustBeDir accepts a link to a directory too: whether one may stand there is
// for the caller, who has seen it.
func requireDir(root *os.Root, name string) error {
	info, err := root.Stat(name)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return &fs.PathError{Op: "make directory", Path: path.Join(root.Name(), name), Err: syscall.ENOTDIR}
	}
	return nil
}

func chownToParent(root *os.Root, name string) error {
	parent, err := root.Stat(path.Dir(name))
	if err != nil {
		return err
	}
	st, ok := parent.Sys().(*syscall.Stat_t)
	if !ok || int(st.Uid) == os.Geteuid() && int(st.Gid) == os.Getegid() {
		return nil
	}
	return root.Lchown(name, int(st.Uid), int(st.Gid))
}

// MakeAll makes a directory and its missing parents below root and returns those
// that it made, outermost first. Parents get the same mode, and their owner may
// always enter and write them.
func MakeAll(root *os.Root, name string, mode fs.FileMode) ([]string, error) {
	if name == "." {
		return nil, nil
	}
	made, err := MakeDir(root, name, mode)
	if err == nil {
		if !made {
			return nil, nil
		}
		return []string{name}, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	above, err := MakeAll(root, path.Dir(name), mode|0o700)
	if err != nil {
		return above, err
	}
	made, err = MakeDir(root, name, mode)
	if made {
		above = append(above, name)
	}
	return above, err
}

// SetMode changes the permission bits of a file or directory below root, and
// leaves the bits that a mode of a manifest does not name.
func SetMode(root *os.Root, name string, mode fs.FileMode) error {
	info, err := root.Lstat(name)
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		return &fs.PathError{Op: "change the mode of", Path: path.Join(root.Name(), name), Err: syscall.ELOOP}
	}
	return root.Chmod(name, mode.Perm()|info.Mode()&(inheritedBits|fs.ModeSetuid))
}

// Symlink makes a link below root, or points an existing one elsewhere, in one
// rename. Anything but a link at name is an error. The name is durable after the
// directory is synced.
func Symlink(root *os.Root, name, target string) error {
	info, err := root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case info.Mode()&fs.ModeSymlink == 0:
		return &fs.PathError{Op: "link", Path: path.Join(root.Name(), name), Err: errors.New("something that is not a link stands there")}
	}
	temp := path.Join(path.Dir(name), TempName())
	if err := root.Symlink(target, temp); err != nil {
		return err
	}
	if os.Geteuid() == 0 {
		if err := chownToParent(root, temp); err != nil {
			return errors.Join(err, root.Remove(temp))
		}
	}
	failpoint.Hit(failpoint.AtomicfileStaged)
	if err := root.Rename(temp, name); err != nil {
		return errors.Join(err, root.Remove(temp))
	}
	failpoint.Hit(failpoint.AtomicfileMoved)
	return nil
}
