package wheels

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/boot"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// durableFile is an empty file in an entry whose files are durable. An entry without it may
// lose content in a power failure, although its description is complete.
const durableFile = "durable"

// writebackSize is the size in bytes of files that are written to the disk early. Smaller
// ones are cheaper together.
const writebackSize = 1 << 20

// Check returns a *ChangedError if a file of an entry differs from the one that was unpacked.
// It compares attributes. Of an entry that was not made durable before the machine was
// started again it compares the content too, once.
func (e *Entry) Check(ctx context.Context) error {
	changed, err := e.Changed()
	if err == nil && len(changed) == 0 && e.mayBeLost() {
		if changed, err = e.Verify(ctx, nil); err == nil && len(changed) == 0 {
			err = e.makeDurable()
		}
	}
	if err == nil && len(changed) > 0 {
		err = &ChangedError{Dir: e.Dir, Name: e.Name, Version: e.Version, Path: changed[0]}
	}
	return err
}

func (e *Entry) mayBeLost() bool {
	if e.Boot != "" && e.Boot == boot.ID() {
		return false
	}
	var st unix.Stat_t
	return rawfile.Lstat(filepath.Join(e.Dir, durableFile), &st) != nil
}

func (e *Entry) makeDurable() error {
	root, err := os.OpenRoot(filepath.Dir(e.Dir))
	if err != nil {
		return err
	}
	defer root.Close()
	if err := atomicfile.SyncTree(root, filepath.Base(e.Dir)); err != nil {
		return err
	}
	return e.MarkDurable()
}

// MarkDurable records that the files of an entry are durable, after a sync of their file
// system.
func (e *Entry) MarkDurable() error {
	err := writeNew(filepath.Join(e.Dir, durableFile), 0o644, 0, func(io.Writer) error { return nil })
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}
