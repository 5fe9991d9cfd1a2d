package sourcebuild

import (
	"context"
	"errors"
	"fmt"
	"os"
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
	case strings.HasSuffix(file, ".tar.gz"), strings.HasSuffix(file, ".tgz"):
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
