// Package command runs programs. It is the only place that starts processes, so
// what holds for one holds for all:
//
//   - the environment is built here, never inherited; standard input is empty
//   - a program is named by its absolute path and gets words, never a shell line
//   - it leads its own process group, which is ended as a whole: SIGTERM, and
//     after a grace SIGKILL; on linux it also ends when reconcile does. One that may
//     ask on the terminal stays in ours, and is ended alone
//   - it holds the machine lock as long as it lives
//   - its output is capped, and escaped before anybody sees it
package command

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// A Command is one program to run.
type Command struct {
	Program string        // absolute
	Args    []string      // after the program's name
	Env     []string      // KEY=value, beside and before those that every child gets
	Dir     string        // absolute; "" for that of this process
	Timeout time.Duration // 0 for none
	Grace   time.Duration // between SIGTERM and SIGKILL; 0 for 5 seconds
	// Terminal leaves the program in our process group, the one that a terminal listens
	// to, so that it can open /dev/tty and ask; ^C then reaches it and us. Its standard
	// input is empty all the same.
	Terminal bool
	// Lock is inherited, so that a lock on it lasts until the last child has ended.
	Lock *os.File
	// Kill ends the program at once when it is done; nil for never.
	Kill context.Context
	// Line is called for every line of output, escaped and cut to 4 KiB, from one
	// goroutine at a time. A carriage return ends a line too.
	Line func(stream, line string)
	// Secrets are replaced by *** in lines and errors.
	Secrets []string
	// Keep is how many bytes of the end of each stream are kept; 0 for 256 KiB.
	Keep int
}

// A Result is what a program left when it ended well.
type Result struct {
	Stdout  []byte // as written, the end of it
	Stderr  []byte
	Elapsed time.Duration
}

// Times that hold where a Command says nothing.
const (
	defaultGrace = 5 * time.Second
	// pipeDelay is how long output is awaited of a process that outlives its
	// parent and holds the pipe.
	pipeDelay = 2 * time.Second
	// reapDelay is how long a killed process may take to end. One that waits for
	// a device cannot be killed; it is reported and left.
	reapDelay   = 5 * time.Second
	defaultKeep = 256 << 10
)

// Run starts the program and waits for it. The error is an *Error when the
// program ran, and matches context.Canceled when ctx or c.Kill ended it.
func Run(ctx context.Context, c Command) (Result, error) {
	if !filepath.IsAbs(c.Program) {
		return Result{}, fmt.Errorf("run %q: the path of a program must be absolute", c.Program)
	}
	if err := ctx.Err(); err != nil {
		return Result{}, fmt.Errorf("run %s: %w", c.Program, err)
	}
	p := newProcess(c)
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

func newProcess(c Command) *process {
	p := &process{Command: c, started: make(chan error, 1), ended: make(chan struct{})}
	if p.Grace == 0 {
		p.Grace = defaultGrace
	}
	if p.Keep == 0 {
		p.Keep = defaultKeep
	}
	if p.Kill == nil {
		p.Kill = context.Background()
	}
	lines := &sync.Mutex{}
	p.stdout = newOutput("stdout", &p.Command, lines)
	p.stderr = newOutput("stderr", &p.Command, lines)
	p.cmd = exec.Command(c.Program, c.Args...)
	p.cmd.Env = environment(c.Env)
	p.cmd.Dir = c.Dir
	p.cmd.Stdout, p.cmd.Stderr = p.stdout, p.stderr
	p.cmd.WaitDelay = pipeDelay
	p.cmd.SysProcAttr = attributes()
	p.cmd.SysProcAttr.Setpgid = !c.Terminal
	if c.Lock != nil {
		p.cmd.ExtraFiles = []*os.File{c.Lock}
	}
	return p
}

// umask orders the starts of programs: the umask belongs to the whole process,
// so it is ours only for the moment in which a child inherits it. Files that
// reconcile itself makes get their mode by chmod and do not depend on it.
var umask sync.Mutex

// run starts the program and reaps it. It keeps its thread: linux ends a child
// with a parent-death signal when the thread that started it ends.
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
		p.signal(syscall.SIGKILL) // what the program left running in its group ends with it
	}
	close(p.ended)
}

// signal reaches the program and all of its group, unless that is ours.
func (p *process) signal(s syscall.Signal) {
	if p.Terminal {
		_ = p.cmd.Process.Signal(s) // none once it was reaped: its number may be another's
		return
	}
	_ = syscall.Kill(-p.cmd.Process.Pid, s)
}

// wait returns nil when the program has ended by itself, else why it was ended.
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
		return fmt.Errorf("%w; process %d does not end, the system is waiting for a device or file server", cause, p.cmd.Process.Pid)
	}
}
