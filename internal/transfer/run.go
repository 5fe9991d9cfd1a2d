package transfer

import (
	"context"
	"os"
	"time"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/rsync"
	"github.com/reconcile-ml/reconcile/internal/session"
)

// carry does the transfer.
func (s *Transfer) Run(ctx context.Context) (*report.Transfer, error) {
	ctx, kill, stop := session.Interruptible(ctx, s.options.Interrupted)
	defer stop()
	began := time.Now()
	seen, err := s.look(ctx, kill, true)
	if err != nil {
		return nil, s.ended(err)
	}
	if !s.Push {
		if err := s.makeHere(); err != nil {
			return nil, err
		}
	}
	result := s.Summary()
	if s.File != "" {
		result.Files, err = s.carryFile(ctx, kill, seen)
	} else {
		err = s.carryFolder(ctx, kill, &result)
	}
	result.Seconds = time.Since(began).Seconds()
	if code, _ := exit.CodeOf(err); err != nil && code != exit.Partly {
		return nil, s.ended(err)
	}
	if _, gone := os.Stat(s.kept); s.kept != "" && gone == nil {
		result.Replaced = hereAs(s.project, s.kept)
	}
	return &result, err
}

// makeHere makes the folder that is pulled into, and where what it replaces is kept.
func (s *Transfer) makeHere() error {
	if err := s.project.CheckDirectories(s.part); err != nil {
		return err
	}
	real, err := resolve(s.kept)
	if err != nil {
		return err
	}
	if !within(s.project.Root, real) {
		return &diag.Problem{Code: "sync.leads-out", Summary: "a link leads what reconcile keeps out of the project", Found: real, Hint: "remove it, if it came with a copy of the project"}
	}
	if err := os.MkdirAll(s.project.Path(s.part), 0o700); err != nil {
		return err
	}
	if err := s.project.IgnoreState(); err != nil {
		return err
	}
	return os.MkdirAll(s.LocalDir, 0o755)
}

func (s *Transfer) carryFolder(ctx, kill context.Context, result *report.Transfer) error {
	meter := &rsync.Progress{Total: s.local.HasTotalProgress()}
	tell, stop := func(int64, int) {}, func() {}
	if s.options.Progress != nil {
		tell, stop = s.options.Progress(s.what())
	}
	_, err := s.start(ctx, kill, s.Transfer.Run(s.local), 0, func(line string) {
		meter.Line(line)
		tell(meter.Bytes(), len(meter.Changes))
	})
	stop()
	result.Files, result.Left = append(result.Files, meter.Changes...), append(result.Left, meter.Skipped...)
	return err
}

// ended says how a transfer ended that did not succeed.
func (s *Transfer) ended(err error) error {
	if !isInterrupted(err) {
		return err
	}
	return exit.With(exit.Interrupted, &diag.Problem{
		Code: "sync.interrupted", Summary: s.what() + " was interrupted; no file was cut",
		Hint: "run the same again: what came so far is used",
	})
}
