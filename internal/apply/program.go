package apply

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/reconcile-ml/reconcile/internal/command"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/indexerror"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// defaultTimeout is how long a program may take that names no time.
const defaultTimeout = time.Hour

func (t *task) runProgram(ctx context.Context, s resources.Run) error {
	if !s.SHA256.IsZero() {
		if err := checkProgram(s); err != nil {
			return err
		}
	}
	c := t.command(s.Program, s.Args)
	c.Env, c.Timeout = s.Env, s.Timeout
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
		c.Env, c.Secrets = slices.Concat(s.Env, env), Secrets(env)
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if len(s.Offline) > 0 {
		offline := c
		offline.Args = s.Offline
		offline.Line = nil // what it lacks is no news
		if _, err := command.Run(ctx, offline); err == nil || ctx.Err() != nil {
			return t.stoppedBy(ctx, err)
		}
	}
	_, err := command.Run(ctx, c)
	if ran, ok := errors.AsType[*command.Error](err); ok && s.Index && ran.Cause == nil && ctx.Err() == nil {
		return noPackages(ran)
	}
	return t.stoppedBy(ctx, err)
}

// noPackages says why a program that gets packages did not get them. What the
// system refused it is left to those who explain that.
func noPackages(ran *command.Error) error {
	output := strings.Join(ran.Tail, "\n")
	for _, refused := range systemErrors {
		if strings.Contains(strings.ToLower(output), refused.Error()) {
			return ran
		}
	}
	if m, ok := indexerror.FindHashMismatch(output); ok {
		p := &diag.Problem{
			Code: "apply.hash", Summary: fmt.Sprintf("what the index has as %s differs from the lock, and was not installed", m.Package),
			Hint: "the file was changed at its source, or on the way: ask whoever runs the index, or name another one (`reconcile facts` shows it, under \"index\")",
		}
		if m.Got != "" {
			p.Found = "sha256 " + m.Got + ", not " + m.Want
		}
		return p
	}
	if line, ok := indexerror.Unreachable(output); ok && indexerror.FromConda(output) {
		return &diag.Problem{
			Code: "apply.channel", Summary: "a channel of conda could not be reached", Found: line,
			Hint: "check the network; a mirror of all channels goes into .reconcile/local.yaml as `conda_alias`, or RECONCILE_CONDA_ALIAS",
		}
	} else if ok {
		return &diag.Problem{
			Code: "apply.index", Summary: "the package index could not be reached", Found: line,
			Hint: "check the network and the settings of the index; `reconcile facts` shows them, under \"index\"",
		}
	}
	short := *ran
	short.Tail = indexerror.Message(ran.Tail)
	return &short
}

// stoppedBy puts the wish to stop before what it made of a program.
func (t *task) stoppedBy(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return errors.Join(ctx.Err(), err)
	}
	return err
}

// command is what all programs of this run have in common.
func (t *task) command(program string, args []string) command.Command {
	return command.Command{
		Program: program, Args: args, Dir: t.o.Root, Lock: t.o.Lock, Kill: t.o.Kill,
		Line: func(stream, line string) {
			t.emit(Event{Kind: Log, Addr: t.item.Resource.Addr, Step: t.step, Stream: stream, Text: line})
		},
	}
}

// checkProgram makes sure that a pinned program still is what it was.
func checkProgram(s resources.Run) error {
	f, err := os.Open(s.Program)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return err
	}
	if got := facts.SHA256(h.Sum(nil)); got != s.SHA256 {
		return &diag.Problem{
			Code: "apply.program-changed", Summary: s.Program + " is not the program that is pinned, and was not started",
			Found: fmt.Sprintf("sha256 %s, not %s", got, s.SHA256),
			Hint:  "move it away; the next apply installs it anew: " + resources.ShellJoin("mv", s.Program, s.Program+".old"),
		}
	}
	return nil
}

// Secrets returns what must not be shown of an environment: users and passwords
// in its URLs, as written and decoded.
func Secrets(env []string) []string {
	var list []string
	for _, kv := range env {
		_, value, _ := strings.Cut(kv, "=")
		for word := range strings.FieldsSeq(value) {
			u, err := url.Parse(word)
			if err != nil || u.User == nil {
				continue
			}
			// The user alone may be a token, and may be no secret at all: hidden too.
			list = append(list, u.User.String())
			if p, ok := u.User.Password(); ok && p != "" {
				list = append(list, p, url.QueryEscape(p), url.PathEscape(p))
			} else if name := u.User.Username(); len(name) > 8 {
				list = append(list, name)
			}
		}
	}
	return list
}
