package transfer

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/rsync"
	"github.com/reconcile-ml/reconcile/internal/session"
)

// preview lists what a run would transfer. It changes nothing at either end.
func (s *Transfer) DryRun(ctx context.Context) (*report.Transfer, error) {
	ctx, kill, stop := session.Interruptible(ctx, func() {})
	defer stop()
	seen, err := s.look(ctx, kill, false)
	if err != nil {
		return nil, interruptedOr(err)
	}
	result := s.Summary()
	if seen.Free >= 0 {
		result.Free = &seen.Free
	}
	switch {
	case s.File != "":
		result.Files, err = s.previewFile(seen)
	case s.Push && !seen.Rsync.HasDryRunReport():
		err = &diag.Problem{
			Code: "sync.option", Summary: fmt.Sprintf("%s, which is over there, does not say what a push would move", seen.Rsync),
			Hint: "--run works with it; for a preview install GNU rsync over there: `brew install rsync`",
		}
	default:
		err = s.previewFolder(ctx, kill, &result)
	}
	if err != nil {
		return nil, interruptedOr(err)
	}
	return &result, nil
}

func (s *Transfer) previewFolder(ctx, kill context.Context, result *report.Transfer) error {
	if !s.Push && !s.local.HasDryRunReport() {
		return s.compareFolder(ctx, kill, result)
	}
	dry := s.Transfer
	if !s.Push {
		// Not every rsync lists what it would put into a folder that is not there.
		if _, err := os.Stat(s.LocalDir); isAbsent(err) {
			empty, err := os.MkdirTemp("", "reconcile-sync-")
			if err != nil {
				return err
			}
			defer os.Remove(empty)
			dry.LocalDir = empty
		}
	}
	meter := &rsync.Progress{}
	_, err := s.start(ctx, kill, dry.DryRun(), 0, meter.Line)
	result.Files, result.Left = append(result.Files, meter.Changes...), append(result.Left, meter.Skipped...)
	return err
}

// compareFolder finds what a pull would move where rsync does not say it: what is not
// here, or differs in size or time.
func (s *Transfer) compareFolder(ctx, kill context.Context, result *report.Transfer) error {
	if s.Checksum {
		return &diag.Problem{Code: "sync.option", Summary: s.local.String() + " does not say which contents a pull would change", Hint: "leave out --checksum, or " + localRsyncHint}
	}
	_, err := s.start(ctx, kill, s.List(), 0, func(line string) {
		l, ok := rsync.ParseListEntry(line)
		switch {
		case !ok:
		case l.Target != "" && l.Escapes():
			result.Left = append(result.Left, rsync.Skipped{Path: l.Path, Why: "a link that leads out of the folder, to " + l.Target})
		default:
			if is, new := s.isHere(l); !is {
				result.Files = append(result.Files, rsync.Change{Path: l.Path, Size: l.Size, New: new, Link: l.Target != ""})
			}
		}
	})
	return err
}

// isHere reports whether a file over there is here as it is, and whether none of its name
// is.
func (s *Transfer) isHere(l rsync.ListEntry) (is, new bool) {
	file := filepath.Join(s.LocalDir, filepath.FromSlash(l.Path))
	info, err := os.Lstat(file)
	switch {
	case err != nil:
		return false, true
	case l.Target != "":
		to, err := os.Readlink(file)
		return err == nil && to == l.Target, false
	}
	return info.Mode().IsRegular() && info.Size() == l.Size && info.ModTime().Unix() == l.Time.Unix(), false
}

// previewFile is the list of one file, which scp always copies.
func (s *Transfer) previewFile(seen rsync.ProbeResult) ([]rsync.Change, error) {
	c := rsync.Change{Path: s.File, Size: seen.Size, New: seen.Size < 0}
	info, err := os.Stat(s.LocalFile())
	if s.Push {
		if err != nil {
			return nil, err
		}
		c.Size = info.Size()
	} else {
		c.New = err != nil
	}
	return []rsync.Change{c}, nil
}

// interruptedOr ends a preview that was interrupted without a word: nothing was begun.
func interruptedOr(err error) error {
	if isInterrupted(err) {
		return exit.Quietly(exit.Interrupted)
	}
	return err
}
