package transfer

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/reconcile-ml/reconcile/internal/command"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/rsync"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// probeTimeout includes the time in which a person answers the questions of ssh.
const probeTimeout = 5 * time.Minute

const localRsyncHint = "install it, `brew install rsync` on macOS, `apt-get install rsync` on Debian and Ubuntu; a single file uses scp: --file PATH"

// localRsync returns the version of the rsync of this machine.
func (t *Transfer) localRsync(ctx context.Context) (rsync.Version, error) {
	program, err := t.program("rsync")
	if err != nil {
		return rsync.Version{}, err
	}
	r, err := command.Run(ctx, command.Command{Program: program, Args: []string{"--version"}, Env: t.environment(), Timeout: 10 * time.Second})
	if err != nil {
		return rsync.Version{}, err
	}
	return rsync.ParseVersion(string(r.Stdout)), nil
}

// searchPath returns the absolute directories of PATH. The meaning of relative ones depends
// on the working directory.
func (t *Transfer) searchPath() []string {
	var dirs []string
	for _, dir := range filepath.SplitList(t.project.Config.Getenv("PATH")) {
		if filepath.IsAbs(dir) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// program returns the path of a program in the search path.
func (t *Transfer) program(name string) (string, error) {
	for _, dir := range t.searchPath() {
		if program := filepath.Join(dir, name); command.CheckExecutable(program) == nil {
			return program, nil
		}
	}
	p := &diag.Problem{Code: "sync.no-ssh", Summary: name + " is not in the PATH of this machine", Hint: "install the client of OpenSSH: `apt-get install openssh-client`"}
	if name == "rsync" {
		p.Code, p.Hint = "sync.no-rsync", localRsyncHint
	}
	return "", p
}

// environment returns the variables of every started program: those with which ssh finds
// keys and asks for passwords, and PATH for ProxyCommand and for the ssh that rsync starts.
// No RSYNC_… variable is passed on, since they change the effect of a transfer.
func (t *Transfer) environment() []string {
	env := []string{"TZ=UTC", "PATH=" + strings.Join(t.searchPath(), string(filepath.ListSeparator))}
	for _, name := range []string{"SSH_AUTH_SOCK", "SSH_ASKPASS", "SSH_ASKPASS_REQUIRE", "DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR", "KRB5CCNAME", "TERM"} {
		if value := t.project.Config.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// start runs a call and returns its standard output. line, if not nil, receives each line
// of both streams. A limit of 0 is none. The error is context.Canceled if the user stopped
// the program.
func (t *Transfer) start(ctx context.Context, call rsync.Call, limit time.Duration, line func(string)) (string, error) {
	program, err := t.program(call.Program)
	if err != nil {
		return "", err
	}
	t.options.Verbose(resources.ShellJoin(call.Argv()...))
	var tail []string // of standard error
	r, err := command.Run(ctx, command.Command{
		Program: program, Args: call.Args, Env: t.environment(), Dir: t.project.Root, Timeout: limit, Kill: t.kill, Terminal: !t.spec.SSH.Batch,
		Line: func(stream, text string) {
			if line != nil {
				line(text) // openrsync may list files on standard error
			}
			if stream == "stderr" || line != nil {
				t.options.Verbose(text)
			}
			if stream == "stderr" {
				tail = append(tail[max(0, len(tail)-19):], text)
			}
		},
	})
	output := string(r.Stdout)
	if err == nil || errors.Is(err, context.Canceled) {
		return output, err
	}
	e, ok := errors.AsType[*command.Error](err)
	switch {
	case ok && (ctx.Err() != nil || rsync.IsInterrupted(call.Program, e.ExitCode) || e.Signal == syscall.SIGINT):
		return output, context.Canceled // ^C on a terminal reaches the program before ctx ends
	case !ok || e.TimedOut() || e.Signal != 0:
		return output, &diag.Problem{Code: "sync.failed", Summary: call.Program + " was stopped", Found: err.Error(), Hint: "no file is incomplete under its own name: run the same command again"}
	}
	if len(tail) == 0 {
		tail = e.Tail
	}
	problem := t.spec.Explain(call.Program, e.ExitCode, tail)
	if rsync.IsPartial(call.Program, e.ExitCode) {
		return output, exit.With(exit.Partly, problem)
	}
	return output, problem
}

// probe probes both machines and returns a problem if the transfer cannot succeed. With
// create it creates the remote folder of a push.
func (t *Transfer) probe(ctx context.Context, create bool) (rsync.ProbeResult, error) {
	t.spec.SSH.Batch = !t.options.Interactive
	if t.spec.File == "" {
		var err error
		if t.local, err = t.localRsync(ctx); err != nil {
			return rsync.ProbeResult{}, err
		}
		if problem := t.spec.CheckLocal(t.local); problem != nil {
			return rsync.ProbeResult{}, problem
		}
	}
	answer, err := t.start(ctx, t.spec.Probe(create), probeTimeout, nil)
	if err != nil {
		return rsync.ProbeResult{}, err
	}
	r, problem := rsync.ParseProbe(answer)
	if problem == nil {
		problem = t.checkRemote(r, create)
	}
	if problem != nil {
		return r, problem
	}
	t.spec.SecludedArgs = t.local.HasSecludedArgs() && r.Rsync.HasSecludedArgs()
	if !t.spec.Push && t.spec.File == "" && !t.local.ConfinesPaths() {
		t.options.Notice(fmt.Sprintf("Note: in rsync releases before 3.4 a remote machine can write outside the folder; unless this system has a fixed %s, pull only from machines that you trust.", t.local))
	}
	t.options.Verbose(fmt.Sprintf("%s on this machine, %s on the remote one (%s)", t.local, r.Rsync, r.System))
	return r, nil
}

// checkRemote returns why the transfer cannot succeed with the remote machine; nil if it
// can.
func (t *Transfer) checkRemote(r rsync.ProbeResult, create bool) *diag.Problem {
	login, isFile := t.spec.Remote.Login(), t.spec.File != ""
	p := &diag.Problem{Code: "sync.path"}
	switch {
	case !isFile && r.Rsync.Flavor == rsync.Absent:
		p.Code, p.Summary, p.Hint = "sync.no-rsync", "rsync is not installed on "+login, rsync.NoRsyncHint
	case !isFile && !(r.Rsync.HasDelayUpdates() && t.local.HasDelayUpdates()):
		p.Code, p.Summary = "sync.option", "one of the two rsync programs lacks the options that prevent incomplete files"
		p.Found, p.Hint = fmt.Sprintf("%s on this machine, %s on the remote one", t.local, r.Rsync), "install GNU rsync 2.6.9 or newer, or use the openrsync of macOS"
	case !r.Project:
		p.Summary = fmt.Sprintf("folder %s does not exist on %s", t.spec.Remote.Path, login)
		p.Hint = "clone the project there first, or fix the path; folders are created only inside the project, so that a wrong path fills no disk"
	case !t.spec.Push && isFile && r.Size < 0:
		p.Summary, p.Hint = fmt.Sprintf("file %s does not exist on %s", t.spec.RemoteFile(), login), "without --file the whole folder is pulled"
	case !t.spec.Push && !isFile && !r.Dir:
		p.Summary, p.Hint = fmt.Sprintf("folder %s does not exist on %s, so there is nothing to pull", t.spec.RemoteDir(), login), "check that the training there has written its first file"
	case create && t.spec.Push && !r.Made:
		p.Summary, p.Hint = fmt.Sprintf("folder %s cannot be created on %s", t.spec.RemoteDir(), login), "check the owner of "+t.spec.Remote.Path+" there; -v shows the output of the shell"
	default:
		return nil
	}
	return p
}
