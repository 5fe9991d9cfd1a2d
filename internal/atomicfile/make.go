package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"syscall"

	"github.com/reconcile-ml/reconcile/internal/failpoint"
)

// inheritedBits are the mode bits that a directory inherits and a manifest cannot set.
const inheritedBits = fs.ModeSetgid | fs.ModeSticky

// MakeDir makes one directory below root with a mode that does not depend on the umask,
// and reports whether it made it. An existing directory is not changed; any other
// existing file is an error.
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

// requireDir returns an error unless name is a directory or a symlink to one, which the
// caller has to check.
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

// MakeAll makes a directory and its missing parents below root and returns those that it
// made, outermost first. Parents get the same mode with rwx for the owner.
func MakeAll(root *os.Root, name string, mode fs.FileMode) ([]string, error) {
	if name == "." {
		return nil, nil
	}
	made, err := MakeDir(root, name, mode)
	var list []string
	if errors.Is(err, fs.ErrNotExist) {
		if list, err = MakeAll(root, path.Dir(name), mode|0o700); err != nil {
			return list, err
		}
		made, err = MakeDir(root, name, mode)
	}
	if made {
		list = append(list, name)
	}
	return list, err
}

// SetMode changes the permission bits of a file or directory below root, and no others.
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

// Symlink creates or replaces a symlink below root, in one rename. Any other existing
// file at name is an error. The name is durable after the directory is synced.
func Symlink(root *os.Root, name, target string) error {
	info, err := root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case info.Mode()&fs.ModeSymlink == 0:
		return &fs.PathError{Op: "link", Path: path.Join(root.Name(), name), Err: errors.New("it exists and is not a symlink")}
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
