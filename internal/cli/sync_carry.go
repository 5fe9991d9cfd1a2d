package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/rsync"
	"github.com/reconcile-ml/reconcile/internal/session"
)

// carry does the transfer.
func (s *shipment) carry(ctx context.Context) error {
	ctx, kill, stop := session.Interruptible(ctx, func() {
		fmt.Fprintln(s.err, "\nInterrupted: ending the transfer. Once more ends it at once.")
	})
	defer stop()
	began := time.Now()
	seen, err := s.look(ctx, kill, true)
	if err != nil {
		return s.ended(err)
	}
	if !s.Push {
		if err := s.makeHere(); err != nil {
			return err
		}
	}
	result := s.summary()
	if s.File != "" {
		result.Files, err = s.carryFile(ctx, kill, seen)
	} else {
		err = s.carryFolder(ctx, kill, &result)
	}
	result.Seconds = time.Since(began).Seconds()
	if code, _ := exit.CodeOf(err); err != nil && code != exit.Partly {
		return s.ended(err)
	}
	if _, gone := os.Stat(s.kept); s.kept != "" && gone == nil {
		result.Replaced = hereAs(s.project, s.kept)
	}
	if !s.json {
		return errors.Join(report.WriteTransfer(s.out, result, s.report(s.out)), err)
	}
	code, problem := exit.CodeOf(err)
	if problem != nil {
		result.Problem = diag.Problems(problem)[0]
	}
	return errors.Join(report.TransferJSON(s.out, result), exit.Quietly(code))
}

// makeHere makes the folder that is pulled into, and where what it replaces is kept.
func (s *shipment) makeHere() error {
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

func (s *shipment) carryFolder(ctx, kill context.Context, result *report.Transfer) error {
	meter := &rsync.Progress{Total: s.local.HasTotalProgress()}
	tell, stop := func(int64, int) {}, func() {}
	if !s.quiet && !s.json && !s.verbose { // the lines of -v say more, and would break into it
		tell, stop = report.TransferMeter(s.err, s.report(s.err), s.what())
	}
	_, err := s.start(ctx, kill, s.Run(s.local), 0, func(line string) {
		meter.Line(line)
		tell(meter.Bytes(), len(meter.Changes))
	})
	stop()
	result.Files, result.Left = append(result.Files, meter.Changes...), append(result.Left, meter.Skipped...)
	return err
}

// ended says how a transfer ended that did not succeed.
func (s *shipment) ended(err error) error {
	if !isInterrupted(err) {
		return err
	}
	return exit.With(exit.Interrupted, &diag.Problem{
		Code: "sync.interrupted", Summary: s.what() + " was interrupted; no file was cut",
		Hint: "run the same again: what came so far is used",
	})
}
