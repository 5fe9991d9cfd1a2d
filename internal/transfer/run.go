package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
	"github.com/reconcile-ml/reconcile/internal/realpath"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/rsync"
	"github.com/reconcile-ml/reconcile/internal/session"
)

// Run transfers. It returns a result and an error if some files were transferred and others
// were not; otherwise one of both is nil.
func (t *Transfer) Run(ctx context.Context) (*report.Transfer, error) {
	ctx, kill, stop := session.Interruptible(ctx, t.options.Interrupted)
	defer stop()
	t.kill = kill
	result, err := t.run(ctx)
	if errors.Is(err, context.Canceled) {
		return nil, exit.With(exit.Interrupted, &diag.Problem{
			Code: "sync.interrupted", Summary: t.String() + " was interrupted; no file is incomplete under its own name",
			Hint: "run the same command again to continue",
		})
	}
	return result, err
}

func (t *Transfer) run(ctx context.Context) (*report.Transfer, error) {
	start := time.Now()
	remote, err := t.probe(ctx, true)
	if err != nil {
		return nil, err
	}
	if !t.spec.Push {
		if err := t.createLocal(); err != nil {
			return nil, err
		}
	}
	result := t.Summary()
	if t.spec.File != "" {
		result.Files, err = t.runFile(ctx, remote)
	} else {
		err = t.runFolder(ctx, &result)
	}
	result.Seconds = time.Since(start).Seconds()
	if code, _ := exit.CodeOf(err); err != nil && code != exit.Partly {
		return nil, err
	}
	if _, statErr := os.Stat(t.project.Path(t.backup)); !t.spec.Push && statErr == nil {
		result.Replaced = t.backup
	}
	return &result, err
}

// createLocal creates the folder that is pulled into, and the project's state directory,
// which will hold the backup.
func (t *Transfer) createLocal() error {
	if _, err := t.project.Prepare(); err != nil {
		return err
	}
	return os.MkdirAll(t.spec.LocalDir, 0o755)
}

func (t *Transfer) runFolder(ctx context.Context, result *report.Transfer) error {
	progress := rsync.Progress{Total: t.local.HasTotalProgress()}
	update, stop := func(int64, int) {}, func() {}
	if t.options.Progress != nil {
		update, stop = t.options.Progress(t.String())
	}
	_, err := t.start(ctx, t.spec.Run(t.local), 0, func(line string) {
		progress.Line(line)
		update(progress.Bytes(), len(progress.Changes))
	})
	stop()
	result.Files, result.Left = append(result.Files, progress.Changes...), append(result.Left, progress.Skipped...)
	return err
}

// runFile copies a single file to a partial file and renames it when it is complete.
func (t *Transfer) runFile(ctx context.Context, remote rsync.ProbeResult) ([]rsync.Change, error) {
	files, err := t.dryRunFile(remote)
	if err != nil {
		return nil, err
	}
	if !t.spec.Push {
		if err := t.createParent(); err != nil {
			return nil, err
		}
	}
	if _, err := t.start(ctx, t.spec.Copy(), 0, nil); err != nil {
		return nil, err
	}
	if t.spec.Push {
		_, err = t.start(ctx, t.spec.Finish(), probeTimeout, nil)
	} else {
		files[0].Size, err = t.finishPull()
	}
	return files, err
}

// createParent creates the parent directory of a pulled file inside the folder. It refuses
// a partial file that is not a regular file: scp would write through a link.
func (t *Transfer) createParent() error {
	dir := filepath.Dir(t.spec.LocalFile())
	real, err := realpath.Resolve(dir)
	if err != nil {
		return err
	}
	folder, err := t.folder()
	if err != nil {
		return err
	}
	if !realpath.Within(folder, real) {
		return &diag.Problem{Code: "sync.leads-out", Summary: fmt.Sprintf("%s is outside %s through a link", t.spec.File, t.entry.Path), Found: real, Hint: "remove the link"}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	part := rsync.PartialFile(t.spec.LocalFile())
	info, err := os.Lstat(part)
	if rawfile.IsAbsent(err) || err == nil && info.Mode().IsRegular() {
		return nil
	}
	if err == nil {
		err = errors.New(info.Mode().String())
	}
	return &diag.Problem{Code: "sync.folder", Summary: part + " is not a regular file", Found: err.Error(), Hint: "remove it"}
}

// finishPull syncs a pulled file to disk, backs up the existing file and renames the pulled
// one over it. It returns its size in bytes.
func (t *Transfer) finishPull() (int64, error) {
	file := t.spec.LocalFile()
	part, err := rawfile.OpenFile(rsync.PartialFile(file), rawfile.NoFollow)
	if err != nil {
		return 0, err
	}
	info, err := part.Stat()
	if err := errors.Join(err, part.Sync(), part.Close()); err != nil {
		return 0, err
	}
	if err := t.backUp(file, info); err != nil {
		return 0, err
	}
	return info.Size(), os.Rename(part.Name(), file)
}

// backUp copies an existing file or link to the backup directory, unless it has the size
// and time of the pulled one: rsync also treats those as equal. The file itself remains
// until it is replaced.
func (t *Transfer) backUp(file string, pulled fs.FileInfo) error {
	info, err := os.Lstat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.IsDir():
		return &diag.Problem{Code: "sync.folder", Summary: file + " is a folder on this machine and a file on the remote one", Hint: "rename one of them"}
	case info.Mode().IsRegular() && info.Size() == pulled.Size() && info.ModTime().Unix() == pulled.ModTime().Unix():
		return nil
	}
	to := filepath.Join(t.project.Path(t.backup), filepath.FromSlash(t.spec.File))
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	if target, err := os.Readlink(file); err == nil {
		return os.Symlink(target, to)
	}
	if os.Link(file, to) == nil {
		return nil
	}
	return copyFile(file, to) // another file system, or one without hard links
}

// copyFile copies a regular file to a new file and syncs it to disk.
func copyFile(from, to string) error {
	in, err := rawfile.OpenFile(from, rawfile.NoFollow)
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
