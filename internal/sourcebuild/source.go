package sourcebuild

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/extract"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// Limits of a source distribution.
const (
	maxEntries  = 200_000
	maxUnpacked = 8 << 30
)

// Unpack extracts a source distribution (.tar.gz or .zip) into a new directory at an absolute path.
// file is its file name.
func Unpack(ctx context.Context, archive, file, dir string) error {
	f, err := rawfile.OpenFile(archive, rawfile.NoFollow)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	limits := extract.Options{Strip: 1, Entries: maxEntries, Bytes: maxUnpacked}
	switch {
	case strings.HasSuffix(file, ".tar.gz"):
		_, err = extract.TarGz(ctx, f, root, limits)
	case strings.HasSuffix(file, ".zip"):
		info, err2 := f.Stat()
		if err2 != nil {
			return err2
		}
		_, err = extract.Zip(ctx, f, info.Size(), root, limits)
	default:
		err = errors.New("it is neither a .tar.gz nor a .zip file")
	}
	if err != nil {
		return fmt.Errorf("unpack %s: %w", file, err)
	}
	return nil
}

// Directory returns the absolute path of a source in a directory of a project. root is absolute
// without links, name relative and slash-separated. A link that leads elsewhere is an error.
func Directory(root, name string) (string, error) {
	dir := filepath.Join(root, filepath.FromSlash(name))
	if real, err := filepath.EvalSymlinks(dir); err != nil || real != dir || !fs.ValidPath(name) {
		return "", errors.Join(fmt.Errorf("%q is not a directory of the project", name), err)
	}
	return dir, nil
}

// Subdirectory returns the absolute path of a package in a source at an absolute path without
// links. name is slash-separated, "" for the source itself.
func Subdirectory(dir, name string) (string, error) {
	if name == "" {
		return dir, nil
	}
	real, err := filepath.EvalSymlinks(filepath.Join(dir, filepath.FromSlash(name)))
	if err != nil || !fs.ValidPath(name) || !strings.HasPrefix(real, dir+string(filepath.Separator)) {
		return "", errors.Join(fmt.Errorf("%q is not a directory of the source", name), err)
	}
	return real, nil
}
