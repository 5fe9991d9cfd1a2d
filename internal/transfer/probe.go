package transfer

import (
	"context"
	"fmt"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/rsync"
)

// look finds out what is at both ends, and refuses what cannot succeed. With makes the
// folder that is pushed to is made.
func (s *Transfer) look(ctx, kill context.Context, makes bool) (rsync.ProbeResult, error) {
	s.SSH.Batch = !s.options.Interactive
	if s.File == "" {
		var err error
		if s.local, _, err = s.localRsync(ctx); err != nil {
			return rsync.ProbeResult{}, err
		}
		if problem := s.CheckLocal(s.local); problem != nil {
			return rsync.ProbeResult{}, problem
		}
	}
	answer, err := s.start(ctx, kill, s.Probe(makes), lookLimit, nil)
	if err != nil {
		return rsync.ProbeResult{}, err
	}
	seen, problem := rsync.ParseProbe(answer)
	if problem == nil {
		problem = s.judge(seen, makes)
	}
	if problem != nil {
		return seen, problem
	}
	s.SecludedArgs = s.local.HasSecludedArgs() && seen.Rsync.HasSecludedArgs()
	if !s.Push && s.File == "" && !s.local.ConfinesPaths() && s.options.Notice != nil {
		s.options.Notice(fmt.Sprintf("Note: in releases of rsync before 3.4 a far machine can write outside of the folder; unless this system has mended its %s, pull only from machines that you trust.", s.local))
	}
	s.verbose(fmt.Sprintf("%s here, %s over there (%s)", s.local, seen.Rsync, seen.System))
	return seen, nil
}

// judge says why a transfer cannot succeed with what is over there.
func (s *Transfer) judge(seen rsync.ProbeResult, makes bool) *diag.Problem {
	host := s.Remote.Login()
	switch {
	case s.File == "" && seen.Rsync.Flavor == rsync.Absent:
		return &diag.Problem{Code: "sync.no-rsync", Summary: "there is no rsync at " + host, Hint: rsync.NoRsyncHint}
	case s.File == "" && !(seen.Rsync.HasDelayUpdates() && s.local.HasDelayUpdates()):
		return &diag.Problem{
			Code: "sync.option", Summary: "one of the two rsyncs is too old or too small for a transfer that leaves no cut file",
			Found: fmt.Sprintf("%s here, %s over there", s.local, seen.Rsync), Hint: "any GNU rsync from 2.6.9 will do, and the openrsync of macOS",
		}
	case !seen.Project:
		return &diag.Problem{
			Code: "sync.path", Summary: fmt.Sprintf("there is no folder %s at %s", s.Remote.Path, host),
			Hint: "clone the project there first, or mend the path; a folder is made below the project alone, so that a mistyped path fills no disk",
		}
	case !s.Push && s.File != "" && seen.Size < 0:
		return &diag.Problem{Code: "sync.path", Summary: fmt.Sprintf("there is no file %s at %s", s.RemoteFile(), host), Hint: "without --file all of the folder is pulled"}
	case !s.Push && s.File == "" && !seen.Dir:
		return &diag.Problem{Code: "sync.path", Summary: fmt.Sprintf("there is no folder %s at %s, so there is nothing to pull", s.RemoteDir(), host), Hint: "has the training over there written anything yet?"}
	case makes && s.Push && !seen.Made:
		return &diag.Problem{Code: "sync.path", Summary: fmt.Sprintf("%s cannot be made at %s", s.RemoteDir(), host), Hint: "who owns " + s.Remote.Path + " over there? -v shows what the shell says"}
	}
	return nil
}
