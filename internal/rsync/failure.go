package rsync

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Exit codes of rsync with a specific meaning.
const (
	fileIO   = 11 // a file could not be read or written
	signaled = 20 // SIGINT, SIGTERM or SIGHUP
	partial  = 23 // some files could not be transferred; the others were
	vanished = 24 // some files disappeared before their turn; the others were transferred
)

// IsPartial reports whether an exit code means that all but some files were transferred.
func IsPartial(program string, code int) bool {
	return program == "rsync" && (code == partial || code == vanished)
}

// IsInterrupted reports whether an exit code means that the program was stopped by a signal.
func IsInterrupted(program string, code int) bool { return program == "rsync" && code == signaled }

// A symptom is output of ssh, rsync or scp, and its meaning.
type symptom struct {
	texts         []string // lower case; any of them
	code, summary string
	hint          string // %[1]s is the ssh destination with its options, %[2]s its name in known_hosts
}

// symptoms are ordered: causes before their consequences.
var symptoms = []symptom{
	{texts: []string{"remote host identification has changed"}, code: "sync.host-key", summary: "the host key of the remote machine has changed",
		hint: "this also happens when a rented machine gets a reused address; in that case run `ssh-keygen -R %[2]s`, then `ssh %[1]s` and compare the fingerprint"},
	{texts: []string{"host key verification failed", "no matching host key", "authenticity of host"}, code: "sync.host-key", summary: "the host key of the remote machine is unknown",
		hint: "connect once in a terminal, `ssh %[1]s`, and compare the fingerprint with the one that the provider shows"},
	{texts: []string{"permission denied (publickey", "permission denied (password", "permission denied (keyboard", "permission denied (gssapi", "too many authentication failures", "no supported authentication methods"}, code: "sync.denied", summary: "the remote machine rejects the key",
		hint: "name it with --identity FILE or in ~/.ssh/config, or load it: ssh-add FILE; try `ssh %[1]s`"},
	{texts: []string{"connection refused"}, code: "sync.refused", summary: "no ssh server listens at that address and port",
		hint: "check that the machine is running, and the port; RunPod maps port 22 to another one, which changes with each start of a pod"},
	{texts: []string{"could not resolve hostname", "name or service not known", "nodename nor servname"}, code: "sync.unreachable", summary: "the name of the remote machine cannot be resolved", hint: "check host: in the manifest, or the alias in ~/.ssh/config"},
	{texts: []string{"connection timed out", "operation timed out", "no route to host", "network is unreachable"}, code: "sync.unreachable", summary: "the remote machine does not answer",
		hint: "check that it is running and reachable from this network: `ssh %[1]s`"},
	{texts: []string{"no space left on device", "disk quota exceeded"}, code: "sync.full", summary: "the destination disk is full",
		hint: "no file is incomplete under its own name: partial files are in " + PartialDir + " and can be removed there"},
	{texts: []string{"rsync: command not found", "rsync: not found", "unknown command: rsync", "rsync: no such file or directory"}, code: "sync.no-rsync", summary: "rsync is not installed on the remote machine", hint: NoRsyncHint},
	{texts: []string{"read-only file system"}, code: "sync.read-only", summary: "the destination file system is read-only"},
	{texts: []string{"is your shell clean", "protocol version mismatch"}, code: "sync.shell", summary: "the remote shell prints something when it starts, which rsync cannot separate from data", hint: quietShellHint},
	{texts: []string{"subsystem request failed", "sftp-server: not found", "sftp-server: no such file"}, code: "sync.no-sftp", summary: "the remote machine has no sftp, which scp uses", hint: "transfer the folder instead, or run the printed scp with -O, its older protocol"},
	{texts: []string{"unknown option", "unrecognized option", "invalid option"}, code: "sync.option", summary: "one of the two rsync programs does not support an option",
		hint: "`reconcile sync … --dry-run -v` shows both versions; 2.6.9 is the oldest that works"},
	{texts: []string{"connection closed", "connection reset", "broken pipe", "connection unexpectedly closed", "timeout, server", "lost connection", "closed by remote host"}, code: "sync.lost", summary: "the connection was lost",
		hint: "no file is incomplete under its own name: run the same command again to continue"},
}

const (
	// NoRsyncHint is the hint for a remote machine without rsync.
	NoRsyncHint    = "on RunPod, Lambda and other Debian or Ubuntu images: `apt-get update && apt-get install -y rsync` on the remote machine, as root or with sudo; a single file needs no rsync: --file PATH"
	quietShellHint = "let its .bashrc or .profile print only in a terminal: [ -t 1 ] && echo …"
)

// Explain returns the problem of a program that ended with a code other than 0, by the last
// lines of its output.
func (t Transfer) Explain(program string, code int, tail []string) *diag.Problem {
	tail = slices.DeleteFunc(slices.Clone(tail), isProgress)
	for _, s := range symptoms {
		for _, text := range s.texts {
			if i := slices.IndexFunc(tail, func(line string) bool { return strings.Contains(strings.ToLower(line), text) }); i >= 0 {
				return &diag.Problem{Code: s.code, Summary: s.summary, Found: tail[i], Hint: t.expand(s.hint)}
			}
		}
	}
	p := &diag.Problem{Code: "sync.failed", Summary: fmt.Sprintf("%s ended with status %d", program, code), Found: strings.Join(tail[max(0, len(tail)-5):], "\n")}
	switch {
	case program == "rsync" && code == fileIO:
		p.Code, p.Summary = "sync.io", "a file could not be read or written"
		p.Hint = "check whether the destination disk is full: `df -h`; partial files in " + PartialDir + " can be removed there, and no file is incomplete under its own name"
	case program == "rsync" && code == vanished:
		p.Code, p.Summary = "sync.partial", "some files disappeared during the transfer; the others were transferred"
		p.Hint = "something writes to the folder: run the same command again when it has finished"
	case IsPartial(program, code):
		p.Code, p.Summary = "sync.partial", "some files were not transferred; the others were"
		p.Hint = "fix the reported errors, and run the same command again"
	}
	return p
}

// isProgress reports whether a line is not about a failure.
func isProgress(line string) bool {
	_, change := ParseChange(line)
	_, progress := parseProgress(line)
	return change || progress
}

// expand replaces %[1]s by the arguments of ssh and %[2]s by the name in known_hosts.
func (t Transfer) expand(hint string) string {
	args, known := t.Remote.Login(), t.Remote.Host
	if t.SSH.Identity != "" {
		args = "-i " + resources.ShellQuote(t.SSH.Identity) + " " + args
	}
	if t.SSH.Config != "" {
		args = "-F " + resources.ShellQuote(t.SSH.Config) + " " + args
	}
	if t.Remote.Port != 0 {
		args = "-p " + strconv.Itoa(t.Remote.Port) + " " + args
		known = "'[" + known + "]:" + strconv.Itoa(t.Remote.Port) + "'"
	}
	return strings.NewReplacer("%[1]s", args, "%[2]s", known).Replace(hint)
}
