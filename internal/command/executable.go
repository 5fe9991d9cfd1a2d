package command

import (
	"errors"
	"os"
)

// CheckExecutable returns nil if file can be executed, an error that satisfies
// errors.Is(err, fs.ErrNotExist) or errors.Is(err, syscall.ENOTDIR) if it is absent, and
// otherwise why it cannot.
func CheckExecutable(file string) error {
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return err
	case info.IsDir():
		return errors.New("it is a directory")
	case info.Mode()&0o111 == 0:
		return errors.New("it may not be executed: " + info.Mode().Perm().String())
	}
	return nil
}
