package transfer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/rsync"
	"github.com/reconcile-ml/reconcile/internal/session"
)

// DryRun returns what Run would transfer. It changes nothing on either machine.
func (t *Transfer) DryRun(ctx context.Context) (*report.Transfer, error) {
	ctx, kill, stop := session.Interruptible(ctx, nil)
	defer stop()
	t.kill = kill
	result, err := t.dryRun(ctx)
	if errors.Is(err, context.Canceled) {
		return nil, exit.Quietly(exit.Interrupted)
	}
	return result, err
}

func (t *Transfer) dryRun(ctx context.Context) (*report.Transfer, error) {
	remote, err := t.probe(ctx, false)
	if err != nil {
		return nil, err
	}
	result := t.Summary()
	if remote.Free >= 0 {
		result.Free = &remote.Free
	}
	switch {
	case t.spec.File != "":
		result.Files, err = t.dryRunFile(remote)
	case t.spec.Push && !remote.Rsync.HasDryRunReport():
		err = &diag.Problem{
			Code: "sync.option", Summary: fmt.Sprintf("%s on the remote machine does not report what a push would transfer", remote.Rsync),
			Hint: "--run works with it; for a preview install GNU rsync there: `brew install rsync`",
		}
	case !t.spec.Push && !t.local.HasDryRunReport():
		err = t.compareFolder(ctx, &result)
	default:
		err = t.dryRunFolder(ctx, &result)
	}
	if err != nil {
		return nil, err
	}
	return &result, nil
}

func (t *Transfer) dryRunFolder(ctx context.Context, result *report.Transfer) error {
	spec := t.spec
	if _, err := os.Stat(spec.LocalDir); !spec.Push && rawfile.IsAbsent(err) {
		// Some versions of rsync report nothing for a destination that does not exist.
		empty, err := os.MkdirTemp("", "reconcile-sync-")
		if err != nil {
			return err
		}
		defer os.Remove(empty)
		spec.LocalDir = empty
	}
	var progress rsync.Progress
	_, err := t.start(ctx, spec.DryRun(), 0, progress.Line)
	result.Files, result.Left = append(result.Files, progress.Changes...), append(result.Left, progress.Skipped...)
	return err
}

// compareFolder is dryRunFolder for a pull with an rsync that does not report what it would
// transfer: it compares sizes and times itself.
func (t *Transfer) compareFolder(ctx context.Context, result *report.Transfer) error {
	if t.spec.Checksum {
		return &diag.Problem{Code: "sync.option", Summary: t.local.String() + " does not report which contents a pull would change", Hint: "omit --checksum, or " + localRsyncHint}
	}
	_, err := t.start(ctx, t.spec.List(), 0, func(line string) {
		e, ok := rsync.ParseListEntry(line)
		switch {
		case !ok:
		case e.Target != "" && e.Escapes():
			result.Left = append(result.Left, rsync.Skipped{Path: e.Path, Why: "a link that leads out of the folder, to " + e.Target})
		default:
			if same, absent := t.compareLocal(e); !same {
				result.Files = append(result.Files, rsync.Change{Path: e.Path, Size: e.Size, New: absent, Link: e.Target != ""})
			}
		}
	})
	return err
}

// compareLocal reports whether this machine has the same file or link as the remote one,
// and whether it has none of that name.
func (t *Transfer) compareLocal(e rsync.ListEntry) (same, absent bool) {
	file := filepath.Join(t.spec.LocalDir, filepath.FromSlash(e.Path))
	info, err := os.Lstat(file)
	switch {
	case err != nil:
		return false, true
	case e.Target != "":
		target, err := os.Readlink(file)
		return err == nil && target == e.Target, false
	}
	return info.Mode().IsRegular() && info.Size() == e.Size && info.ModTime().Unix() == e.Time.Unix(), false
}

// dryRunFile returns the change of a single file, which scp always copies.
func (t *Transfer) dryRunFile(remote rsync.ProbeResult) ([]rsync.Change, error) {
	info, err := os.Stat(t.spec.LocalFile())
	switch {
	case !t.spec.Push:
		return []rsync.Change{{Path: t.spec.File, Size: remote.Size, New: err != nil}}, nil
	case err != nil:
		return nil, err
	}
	return []rsync.Change{{Path: t.spec.File, Size: info.Size(), New: remote.Size < 0}}, nil
}
