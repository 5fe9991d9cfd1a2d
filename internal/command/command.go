// Package command runs programs. No other package starts processes, so all have these
// properties:
//
//   - The environment is built here, never inherited; standard input is empty unless set.
//   - A program is an absolute path with arguments, never a shell command.
//   - It leads its own process group, which is ended as a whole: by SIGTERM, and after a
//     grace period by SIGKILL. On Linux it also ends when reconcile does. A program that
//     may use the terminal stays in our group, and is ended alone.
//   - It holds the machine lock as long as it runs.
//   - Its output is limited, and escaped before it is shown.
package command

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/reconcile-ml/reconcile/internal/redact"
)

// A Command is one program to run.
type Command struct {
	Program string // absolute
	// SHA256, unless zero, is the digest of Program. It is compared just before the start, of
	// the very file that is executed where the system can do that.
	SHA256  [sha256.Size]byte
	Args    []string      // after the program's name
	Env     []string      // KEY=value, overriding the variables that every child gets
	Dir     string        // absolute; "" for that of this process
	Timeout time.Duration // 0 for none
	Grace   time.Duration // between SIGTERM and SIGKILL; 0 for 5 seconds
	// Terminal keeps the program in our process group, the foreground group of the
	// terminal, so that it can prompt on /dev/tty. ^C then reaches both.
	Terminal bool
	// Private, unless "", is a directory of the caller that others cannot write. The program
	// gets an empty home and a temporary directory in it, and no variable of the user, so that
	// it finds no configuration and no credentials of its own.
	Private string
	// Isolated is the same as Private, but the program has no network if CanIsolate. It may
	// still read and write all files of the user.
	Isolated string
	// Contained, with Isolated, also puts the program into its own process namespace if
	// CanIsolate, so that all processes that it started end with it.
	Contained bool
	// Stdin is standard input; nil for an empty one. An *os.File is inherited, and the
	// program's end does not close it. Any other reader must end before the program does.
	Stdin io.Reader
	// Lock is inherited, so that a lock on it lasts until the last child ends.
	Lock *os.File
	// Kill kills the program at once when it is done; nil for never.
	Kill context.Context
	// Line is called for every line of output, escaped and truncated to 4 KiB, by one
	// goroutine at a time. A carriage return ends a line too.
	Line func(stream, line string)
	// Redactor removes secrets from lines and errors, before they are truncated.
	Redactor *redact.Redactor
	// Keep is the number of bytes that are kept of the end of each stream; 0 for 256 KiB.
	Keep int
}

// A Result is the output of a program.
type Result struct {
	Stdout  []byte // the end, as written
	Stderr  []byte
	Elapsed time.Duration
}

// Defaults and limits.
const (
	defaultGrace = 5 * time.Second
	// pipeDelay is how long to wait for the output of a process that outlives its parent
	// and holds the pipe.
	pipeDelay = 2 * time.Second
	// reapDelay is how long to wait for the end of a killed process. One that waits for a
	// device cannot be killed; it is reported and left running.
	reapDelay   = 5 * time.Second
	defaultKeep = 256 << 10
)

// Run runs the program. The error is an *Error if the program was started, wraps
// context.Canceled if ctx or c.Kill ended it, and wraps a *ChangedError if the program does
// not have the digest.
func Run(ctx context.Context, c Command) (Result, error) {
	if !filepath.IsAbs(c.Program) {
		return Result{}, fmt.Errorf("run %q: the path is not absolute", c.Program)
	}
	if err := ctx.Err(); err != nil {
		return Result{}, fmt.Errorf("run %s: %w", c.Program, err)
	}
	p, err := newProcess(c)
	if err != nil {
		return Result{}, fmt.Errorf("run %s: %w", c.Program, err)
	}
	if c.SHA256 != [sha256.Size]byte{} {
		f, err := openVerified(ctx, c.Program, c.SHA256)
		if err != nil {
			return Result{}, fmt.Errorf("run %s: %w", c.Program, err)
		}
		defer f.Close()
		p.cmd.Path = executable(f)
	}
	start := time.Now()
	go p.run()
	if err := <-p.started; err != nil {
		return Result{}, fmt.Errorf("run %s: %w", c.Program, err)
	}
	cause := p.wait(ctx)
	p.stdout.close()
	p.stderr.close()
	result := Result{Stdout: p.stdout.bytes(), Stderr: p.stderr.bytes(), Elapsed: time.Since(start)}
	if cause == nil && p.err == nil {
		return result, nil
	}
	return result, p.failure(cause)
}

// process is a running Command.
type process struct {
	Command
	cmd            *exec.Cmd
	stdout, stderr *output
	started        chan error
	ended          chan struct{} // closed once err is set
	err            error         // of Wait
}

func newProcess(c Command) (*process, error) {
	p := &process{Command: c, started: make(chan error, 1), ended: make(chan struct{})}
	p.Grace, p.Keep = cmp.Or(p.Grace, defaultGrace), cmp.Or(p.Keep, defaultKeep)
	if p.Kill == nil {
		p.Kill = context.Background()
	}
	lines := &sync.Mutex{}
	p.stdout = &output{stream: "stdout", command: &p.Command, lines: lines}
	p.stderr = &output{stream: "stderr", command: &p.Command, lines: lines}
	p.cmd = exec.Command(c.Program, c.Args...)
	variables, err := c.variables()
	if err != nil {
		return nil, err
	}
	p.cmd.Env = environment(c.Env, variables)
	p.cmd.Dir = c.Dir
	p.cmd.Stdin = c.Stdin
	p.cmd.Stdout, p.cmd.Stderr = p.stdout, p.stderr
	p.cmd.WaitDelay = pipeDelay
	p.cmd.SysProcAttr = attributes()
	p.cmd.SysProcAttr.Setpgid = !c.Terminal
	if c.Isolated != "" {
		isolate(p.cmd.SysProcAttr, c.Contained)
	}
	if c.Lock != nil {
		p.cmd.ExtraFiles = []*os.File{c.Lock}
	}
	return p, nil
}

// umask serialises the starts of programs, since the umask that a child inherits belongs
// to the whole process. Files that reconcile creates get their mode by chmod.
var umask sync.Mutex

// run starts the program and reaps it. It keeps its thread: Linux sends the parent-death
// signal when the thread that started the child ends.
func (p *process) run() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	umask.Lock()
	old := syscall.Umask(0o022)
	err := p.cmd.Start()
	syscall.Umask(old)
	umask.Unlock()
	p.started <- err
	if err != nil {
		return
	}
	p.err = p.cmd.Wait()
	if !p.Terminal {
		p.signal(syscall.SIGKILL) // background processes of the program
	}
	close(p.ended)
}

// signal sends a signal to the program, and to its group unless that is ours.
func (p *process) signal(s syscall.Signal) {
	if p.Terminal {
		_ = p.cmd.Process.Signal(s) // no effect once it is reaped
		return
	}
	_ = syscall.Kill(-p.cmd.Process.Pid, s)
}

// wait returns nil if the program ended by itself, or the reason why it was ended.
func (p *process) wait(ctx context.Context) error {
	var timeout <-chan time.Time
	if p.Timeout > 0 {
		timer := time.NewTimer(p.Timeout)
		defer timer.Stop()
		timeout = timer.C
	}
	var cause error
	select {
	case <-p.ended:
		return nil
	case <-p.Kill.Done():
		return p.end(p.Kill.Err(), 0)
	case <-ctx.Done():
		cause = ctx.Err()
	case <-timeout:
		cause = fmt.Errorf("%w after %s", errTimeout, p.Timeout)
	}
	return p.end(cause, p.Grace)
}

// end stops the process group and returns cause.
func (p *process) end(cause error, grace time.Duration) error {
	if grace > 0 {
		p.signal(syscall.SIGTERM)
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-p.ended:
			return cause
		case <-p.Kill.Done():
		case <-timer.C:
		}
	}
	p.signal(syscall.SIGKILL)
	timer := time.NewTimer(reapDelay)
	defer timer.Stop()
	select {
	case <-p.ended:
		return cause
	case <-timer.C:
		return fmt.Errorf("%w; process %d does not end; it waits for a device or file server", cause, p.cmd.Process.Pid)
	}
}
