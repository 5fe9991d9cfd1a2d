package apply

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/reconcile-ml/reconcile/internal/command"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/indexerror"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// defaultTimeout is the time limit of a program without its own.
const defaultTimeout = time.Hour

func (t *task) runProgram(ctx context.Context, s resources.Run) error {
	private, err := t.privateDir() // not in /tmp, which may be small
	if err != nil {
		return err
	}
	defer discard(private)
	c := t.command(s.Program, s.Args)
	c.SHA256, c.Private = s.SHA256, private.abs()
	c.Env, c.Timeout = s.Env, cmp.Or(s.Timeout, defaultTimeout)
	if s.Dir != "" {
		p, err := t.place(s.Dir)
		if err != nil {
			return err
		}
		c.Dir = p.abs()
	}
	if s.Index {
		env := t.o.IndexEnv
		if s.Channels {
			env = slices.Concat(env, t.o.ChannelEnv)
		}
		c.Env = slices.Concat(s.Env, env)
	}
	_, err = command.Run(ctx, c)
	if ran, ok := errors.AsType[*command.Error](err); ok && s.Index && ran.Cause == nil && ctx.Err() == nil {
		return explainInstaller(ran)
	}
	return withContext(ctx, err)
}

// explainInstaller returns the error of a program that downloads packages as a problem
// of the index, if it is one. System errors are left to explainProgram.
func explainInstaller(ran *command.Error) error {
	output := strings.Join(ran.Tail, "\n")
	if systemError(output) != 0 {
		return ran
	}
	if m, ok := indexerror.FindHashMismatch(output); ok {
		p := &diag.Problem{
			Code: "apply.hash", Summary: fmt.Sprintf("%s in the index differs from the lock, and was not installed", m.Package),
			Hint: "the file was changed at its source or in transit: ask the operator of the index, or use another one (`reconcile facts` prints it, under \"index\")",
		}
		if m.Got != "" {
			p.Found = "sha256 " + m.Got + ", not " + m.Want
		}
		return p
	}
	line, unreachable := indexerror.Unreachable(output)
	switch {
	case unreachable && indexerror.FromConda(output):
		return &diag.Problem{
			Code: "apply.channel", Summary: "a conda channel could not be reached", Found: line,
			Hint: "check the network; a mirror of all channels is set in ~/.config/reconcile/config.yaml as `conda_alias`, or in RECONCILE_CONDA_ALIAS",
		}
	case unreachable:
		return &diag.Problem{
			Code: "apply.index", Summary: "the package index could not be reached", Found: line,
			Hint: "check the network and the settings of the index; `reconcile facts` prints them, under \"index\"",
		}
	}
	short := *ran
	short.Tail = indexerror.Message(ran.Tail)
	return &short
}

// withContext adds the error of ctx to the error of a program that it stopped, so that the
// item counts as interrupted.
func withContext(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return errors.Join(ctx.Err(), err)
	}
	return err
}

// command returns a command with the settings of all programs of this run.
func (t *task) command(program string, args []string) command.Command {
	return command.Command{
		Program: program, Args: args, Dir: t.o.Root, Lock: t.o.Lock, Kill: t.o.Kill, Redactor: t.o.Redactor,
		Line: func(stream, line string) {
			t.emit(Event{Kind: Log, Addr: t.item.Resource.Addr, Step: t.step, Stream: stream, Text: line})
		},
	}
}

// ChangedProgram returns the problem that a pinned program has another digest.
func ChangedProgram(e *command.ChangedError) *diag.Problem {
	return &diag.Problem{
		Code: "apply.program-changed", Summary: e.Program + " is not the pinned program, and was not started",
		Found: fmt.Sprintf("sha256 %x, not %x", e.Got, e.Want),
		Hint:  "run the same command again, which installs the program again",
	}
}
