package transfer

import (
	"context"
	"errors"
	"os"
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

// lookLimit is how long a look may take: questions that ssh asks a person included.
const lookLimit = 5 * time.Minute

const localRsyncHint = "install one, `brew install rsync` on macOS, `apt-get install rsync` on Debian and Ubuntu; one file goes by scp: --file PATH"

// localRsync returns what the rsync of this machine is, and where.
func (s *Transfer) localRsync(ctx context.Context) (rsync.Version, string, error) {
	program, err := s.program("rsync")
	if err != nil {
		return rsync.Version{}, "", err
	}
	r, err := command.Run(ctx, command.Command{Program: program, Args: []string{"--version"}, Env: s.environment(), Timeout: 10 * time.Second})
	if err != nil {
		return rsync.Version{}, "", err
	}
	return rsync.ParseVersion(string(r.Stdout)), program, nil
}

// program finds a program on the search path. Folders that are relative would depend on
// where one stands.
func (s *Transfer) program(name string) (string, error) {
	for _, dir := range filepath.SplitList(s.project.Config.Getenv("PATH")) {
		if !filepath.IsAbs(dir) {
			continue
		}
		if program := filepath.Join(dir, name); command.CheckExecutable(program) == nil {
			return program, nil
		}
	}
	if name == "rsync" {
		return "", &diag.Problem{Code: "sync.no-rsync", Summary: "there is no rsync on this machine's search path", Hint: localRsyncHint}
	}
	return "", &diag.Problem{Code: "sync.no-ssh", Summary: "there is no " + name + " on this machine's search path", Hint: "install OpenSSH's client: `apt-get install openssh-client`"}
}

// sshVariables are what ssh needs of the environment to find keys and to ask. Nothing
// else is handed on, so that no RSYNC_… changes what a transfer does.
var sshVariables = []string{"SSH_AUTH_SOCK", "SSH_ASKPASS", "SSH_ASKPASS_REQUIRE", "DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR", "KRB5CCNAME", "TERM"}

// environment is that of everything that a transfer starts. The search path is for
// ProxyCommand of ssh's configuration, and for the ssh that rsync starts.
func (s *Transfer) environment() []string {
	var dirs []string
	for _, dir := range filepath.SplitList(s.project.Config.Getenv("PATH")) {
		if filepath.IsAbs(dir) {
			dirs = append(dirs, dir)
		}
	}
	env := []string{"TZ=UTC", "PATH=" + strings.Join(dirs, string(os.PathListSeparator))}
	for _, name := range sshVariables {
		if value := s.project.Config.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// start runs one call and says what it means if it does not succeed.
func (s *Transfer) start(ctx, kill context.Context, call rsync.Call, limit time.Duration, line func(string)) (string, error) {
	program, err := s.program(call.Program)
	if err != nil {
		return "", err
	}
	s.verbose(resources.ShellJoin(call.Argv()...))
	var said []string // the end of stderr
	r, err := command.Run(ctx, command.Command{
		Program: program, Args: call.Args, Env: s.environment(), Dir: s.project.Root, Timeout: limit, Kill: kill, Terminal: !s.SSH.Batch,
		Line: func(stream, text string) {
			if line != nil {
				line(text) // an openrsync lists files on stderr
			}
			if stream == "stderr" || line != nil {
				s.verbose(text)
			}
			if stream == "stderr" {
				said = append(said[max(0, len(said)-19):], text)
			}
		},
	})
	if err == nil || isInterrupted(err) {
		return string(r.Stdout), err
	}
	e, ok := errors.AsType[*command.Error](err)
	if ok && (ctx.Err() != nil || rsync.IsInterrupted(call.Program, e.ExitCode) || e.Signal == syscall.SIGINT) {
		return string(r.Stdout), context.Canceled // ^C on a terminal reaches it before we hear of it
	}
	if ok && !e.TimedOut() && e.Signal == 0 {
		if len(said) == 0 {
			said = e.Tail
		}
		problem := s.Explain(call.Program, e.ExitCode, said)
		if rsync.IsPartial(call.Program, e.ExitCode) {
			return string(r.Stdout), exit.With(exit.Partly, problem)
		}
		return string(r.Stdout), problem
	}
	return string(r.Stdout), &diag.Problem{Code: "sync.failed", Summary: call.Program + " did not end by itself", Found: err.Error(), Hint: "no file was cut: run the same again"}
}
