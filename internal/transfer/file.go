package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/rsync"
)

// carryFile copies one file under another name and gives it its own when it is whole.
func (s *Transfer) carryFile(ctx, kill context.Context, seen rsync.ProbeResult) ([]rsync.Change, error) {
	files, err := s.previewFile(seen)
	if err != nil {
		return nil, err
	}
	if !s.Push {
		if err := s.makeRoom(); err != nil {
			return nil, err
		}
	}
	if _, err := s.start(ctx, kill, s.Copy(), 0, nil); err != nil {
		return nil, err
	}
	if s.Push {
		_, err := s.start(ctx, kill, s.Finish(), lookLimit, nil)
		return files, err
	}
	files[0].Size, err = s.finishHere()
	return files, err
}

// makeRoom makes the folder that a file is pulled into, below that of the entry.
func (s *Transfer) makeRoom() error {
	dir := filepath.Dir(s.LocalFile())
	above, err := resolve(dir)
	if err != nil {
		return err
	}
	folder, err := s.folder()
	if err != nil {
		return err
	}
	if !within(folder, above) {
		return &diag.Problem{Code: "sync.leads-out", Summary: fmt.Sprintf("a link leads %s out of %s", s.File, s.entry.Path), Hint: "remove the link"}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return partIsFree(s.LocalFile())
}

// partIsFree refuses to pull a file whose temporary name is taken by what is not a plain
// file: scp would write through a link.
func partIsFree(file string) error {
	part := rsync.PartialFile(file)
	info, err := os.Lstat(part)
	if isAbsent(err) || err == nil && info.Mode().IsRegular() {
		return nil
	}
	if err == nil {
		err = errors.New(info.Mode().String())
	}
	return &diag.Problem{Code: "sync.folder", Summary: part + " is in the way", Found: err.Error(), Hint: "remove it"}
}

// finishHere gives a pulled file its name, once it is on the disk and what it replaces is
// kept, and returns its size in bytes.
func (s *Transfer) finishHere() (size int64, err error) {
	file := s.LocalFile()
	part, err := os.OpenFile(rsync.PartialFile(file), os.O_RDWR|unix.O_NOFOLLOW, 0)
	if err != nil {
		return 0, err
	}
	came, err := part.Stat()
	if err := errors.Join(err, part.Sync(), part.Close()); err != nil {
		return 0, err
	}
	if err := s.keep(file, came); err != nil {
		return 0, err
	}
	return came.Size(), os.Rename(rsync.PartialFile(file), file)
}

// keep puts what stands at the name of a file that came beside what other pulls replaced,
// and leaves it where it is, so that the name is never without a file. One of the same
// size and time is the same file, as rsync compares.
func (s *Transfer) keep(file string, came fs.FileInfo) error {
	is, err := os.Lstat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case is.IsDir():
		return &diag.Problem{Code: "sync.folder", Summary: file + " is a folder here, and a file over there", Hint: "rename one of them"}
	case is.Mode().IsRegular() && is.Size() == came.Size() && is.ModTime().Unix() == came.ModTime().Unix():
		return nil
	}
	kept := filepath.Join(s.kept, filepath.FromSlash(s.File))
	if err := os.MkdirAll(filepath.Dir(kept), 0o700); err != nil {
		return err
	}
	if to, err := os.Readlink(file); err == nil {
		return os.Symlink(to, kept)
	}
	if os.Link(file, kept) == nil {
		return nil
	}
	return copyFile(file, kept) // another file system, or one without links
}

// copyFile copies a regular file to a name that nothing has, onto the disk.
func copyFile(from, to string) error {
	in, err := os.OpenFile(from, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return errors.Join(err, os.Remove(to))
	}
	return nil
}
