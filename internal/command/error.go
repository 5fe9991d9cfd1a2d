package command

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
)

// errTimeout is the reason of a program that was ended for taking too long.
var errTimeout = errors.New("ended")

// An Error says how a program ended that did not end well.
type Error struct {
	Program  string
	ExitCode int            // -1 if a signal ended it
	Signal   syscall.Signal // 0 if it exited by itself
	Tail     []string       // its last lines, escaped; of stderr, or of stdout where stderr is empty
	Cause    error          // why we ended it, or nil
}

// tailLines is how many lines of output an Error carries.
const tailLines = 20

// Error says in one line how the program ended; the output is in Tail.
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

// Unwrap returns why the program was ended.
func (e *Error) Unwrap() error { return e.Cause }

// TimedOut reports whether the program was ended for taking too long.
func (e *Error) TimedOut() bool { return errors.Is(e.Cause, errTimeout) }

func (p *process) failure(cause error) error {
	e := &Error{Program: p.Program, ExitCode: -1, Cause: cause, Tail: p.tail()}
	select {
	case <-p.ended:
	default:
		return e // it never ended; nothing more can be known
	}
	if errors.Is(p.err, exec.ErrWaitDelay) && cause == nil {
		e.Cause = errors.New("it ended, but something that it started kept its output open")
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
	lines := strings.FieldsFunc(redact(string(text), p.Secrets), func(r rune) bool { return r == '\n' || r == '\r' })
	if len(lines) > tailLines {
		lines = lines[len(lines)-tailLines:]
	}
	for i, line := range lines {
		lines[i] = truncate(Escape(line))
	}
	return lines
}
