// Package realpath resolves links of paths whose last elements may not exist yet, and compares
// paths by their text.
package realpath

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// A DanglingError is a link to nothing in a path.
type DanglingError struct{ Path string }

func (e *DanglingError) Error() string { return e.Path + " is a dangling link" }

// Resolve returns a path with the links resolved of its longest prefix that exists. If the
// next element is a link, the error is a *DanglingError. A file in place of a directory is an
// error too.
func Resolve(name string) (string, error) {
	real, err := filepath.EvalSymlinks(name)
	if !errors.Is(err, fs.ErrNotExist) || name == filepath.Dir(name) {
		return real, err
	}
	if _, lerr := os.Lstat(name); lerr == nil {
		return "", &DanglingError{name}
	}
	parent, err := Resolve(filepath.Dir(name))
	return filepath.Join(parent, filepath.Base(name)), err
}

// Within reports whether a path is dir or below it. Both are absolute, or relative to the
// same directory.
func Within(dir, name string) bool {
	rel, err := filepath.Rel(dir, name)
	return err == nil && filepath.IsLocal(rel)
}
