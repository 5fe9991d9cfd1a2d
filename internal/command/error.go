package command

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
)

// errTimeout is the cause of a program that exceeded its time limit.
var errTimeout = errors.New("ended")

// An Error describes how a program failed.
type Error struct {
	Program  string
	ExitCode int            // -1 if a signal ended it
	Signal   syscall.Signal // 0 if it exited
	Tail     []string       // last lines, escaped, of stderr, or of stdout if stderr is empty
	Cause    error          // why we ended it, or nil
}

// tailLines is the maximum number of lines in Error.Tail.
const tailLines = 20

// Error returns how the program ended, in one line without its output.
func (e *Error) Error() string {
	switch {
	case e.Cause != nil && errors.Is(e.Cause, errTimeout):
		return fmt.Sprintf("%s: %v", e.Program, e.Cause)
	case e.Cause != nil:
		return fmt.Sprintf("%s: stopped: %v", e.Program, e.Cause)
	case e.Signal != 0:
		return fmt.Sprintf("%s: ended by signal %d (%s)", e.Program, int(e.Signal), e.Signal)
	}
	return fmt.Sprintf("%s: exit status %d", e.Program, e.ExitCode)
}

// Unwrap returns Cause.
func (e *Error) Unwrap() error { return e.Cause }

// TimedOut reports whether the program exceeded its time limit.
func (e *Error) TimedOut() bool { return errors.Is(e.Cause, errTimeout) }

func (p *process) failure(cause error) error {
	e := &Error{Program: p.Program, ExitCode: -1, Cause: cause, Tail: p.tail()}
	select {
	case <-p.ended:
	default:
		return e // it still runs
	}
	if errors.Is(p.err, exec.ErrWaitDelay) && cause == nil {
		e.Cause = errors.New("it ended, but a process that it started kept its output open")
	}
	if state := p.cmd.ProcessState; state != nil {
		e.ExitCode = state.ExitCode()
		if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
			e.Signal = ws.Signal()
		}
	}
	return e
}

func (p *process) tail() []string {
	text := p.stderr.bytes()
	if len(strings.TrimSpace(string(text))) == 0 {
		text = p.stdout.bytes()
	}
	lines := strings.FieldsFunc(p.Redactor.String(string(text)), func(r rune) bool { return r == '\n' || r == '\r' })
	if len(lines) > tailLines {
		lines = lines[len(lines)-tailLines:]
	}
	for i, line := range lines {
		lines[i] = truncate(Escape(line))
	}
	return lines
}
