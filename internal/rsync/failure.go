package rsync

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Exit codes of rsync and ssh that mean something else than "it did not work".
const (
	fileIO   = 11 // a file could not be read or written; why is not always said
	signaled = 20 // SIGINT, SIGTERM or SIGHUP
	partial  = 23 // some files could not be transferred; the others were
	vanished = 24 // some files were gone when their turn came; the others were transferred
)

// IsPartial reports whether an rsync that ended so has transferred all but some files.
func IsPartial(program string, code int) bool {
	return program == "rsync" && (code == partial || code == vanished)
}

// IsInterrupted reports whether a program that ended so was told to end.
func IsInterrupted(program string, code int) bool { return program == "rsync" && code == signaled }

// A symptom is a text that ssh, rsync or scp print, and what it means.
type symptom struct {
	texts         []string // in lower case; any of them
	code, summary string
	hint          string // %s is HOST with its port, as ssh is told
}

// symptoms are looked at in this order: the causes that others follow from come first.
var symptoms = []symptom{
	{texts: []string{"remote host identification has changed"}, code: "sync.host-key", summary: "the machine over there has another host key than before",
		hint: "a rented machine that got an address which another had before looks so too. If that is it: `ssh-keygen -R %[2]s`, then `ssh %[1]s` and compare the fingerprint"},
	{texts: []string{"host key verification failed", "no matching host key", "authenticity of host"}, code: "sync.host-key", summary: "the host key of the machine over there is not known here",
		hint: "connect once in a terminal, `ssh %[1]s`, and compare the fingerprint with what the provider shows"},
	{texts: []string{"permission denied (publickey", "permission denied (password", "permission denied (keyboard", "permission denied (gssapi", "too many authentication failures", "no supported authentication methods"}, code: "sync.denied", summary: "the machine over there does not take the key",
		hint: "name it with --identity FILE or in ~/.ssh/config, or load it: ssh-add FILE; try `ssh %[1]s`"},
	{texts: []string{"connection refused"}, code: "sync.refused", summary: "nothing listens over there at that address and port",
		hint: "is the machine running, and the port right? RunPod maps port 22 to another one, which changes with each start of a pod"},
	{texts: []string{"could not resolve hostname", "name or service not known", "nodename nor servname"}, code: "sync.unreachable", summary: "the name of the machine over there is not known", hint: "check host: in the manifest, or the alias in ~/.ssh/config"},
	{texts: []string{"connection timed out", "operation timed out", "no route to host", "network is unreachable", "connection timed out during banner exchange"}, code: "sync.unreachable", summary: "the machine over there does not answer",
		hint: "is it running, and reachable from this network? `ssh %[1]s`"},
	{texts: []string{"no space left on device", "disk quota exceeded"}, code: "sync.full", summary: "the disk that is written to is full",
		hint: "no file was cut: what is not whole lies in " + PartialDir + " and can be removed there"},
	{texts: []string{"rsync: command not found", "rsync: not found", "unknown command: rsync", "rsync: no such file or directory"}, code: "sync.no-rsync", summary: "there is no rsync over there", hint: NoRsyncHint},
	{texts: []string{"read-only file system"}, code: "sync.read-only", summary: "the file system that is written to is read-only", hint: ""},
	{texts: []string{"is your shell clean", "protocol version mismatch"}, code: "sync.shell", summary: "the shell over there prints something when it starts, which rsync cannot tell from data",
		hint: "let its .bashrc or .profile print only in a terminal: [ -t 1 ] && echo …"},
	{texts: []string{"subsystem request failed", "sftp-server: not found", "sftp-server: no such file"}, code: "sync.no-sftp", summary: "the machine over there has no sftp, which scp uses", hint: "move the folder instead, or type the printed scp with -O, its older way"},
	{texts: []string{"unknown option", "unrecognized option", "invalid option"}, code: "sync.option", summary: "one of the two rsyncs does not know an option",
		hint: "`reconcile sync … --dry-run -v` shows which two they are; 2.6.9 is the oldest that will do"},
	{texts: []string{"connection closed", "connection reset", "broken pipe", "connection unexpectedly closed", "timeout, server", "lost connection", "closed by remote host"}, code: "sync.lost", summary: "the connection was lost",
		hint: "no file was cut: run the same again, what came so far is used"},
}

// NoRsyncHint says how to get an rsync where there is none.
const NoRsyncHint = "on RunPod, Lambda and other Debian or Ubuntu images: `apt-get update && apt-get install -y rsync` over there, as root or with sudo; one file goes without: --file PATH"

// Explain says what it means that a program ended with a code other than 0, from the last
// lines that it printed.
func (t Transfer) Explain(program string, code int, tail []string) *diag.Problem {
	tail = slices.DeleteFunc(slices.Clone(tail), isProgress)
	text := strings.ToLower(strings.Join(tail, "\n"))
	for _, s := range symptoms {
		for _, known := range s.texts {
			if strings.Contains(text, known) {
				return &diag.Problem{Code: s.code, Summary: s.summary, Found: lineWith(tail, known), Hint: t.expand(s.hint)}
			}
		}
	}
	p := &diag.Problem{Code: "sync.failed", Summary: fmt.Sprintf("%s ended with status %d", program, code), Found: strings.Join(tail[max(0, len(tail)-5):], "\n")}
	if program == "rsync" && code == fileIO {
		p.Code, p.Summary = "sync.io", "a file could not be read or written"
		p.Hint = "is the disk that is written to full? `df -h` there, and what remains in " + PartialDir + " can be removed; no file was cut"
	}
	if IsPartial(program, code) {
		p.Code, p.Summary = "sync.partial", "some files were not transferred; the others were"
		p.Hint = "mend what is said of them, and run the same again"
		if code == vanished {
			p.Summary, p.Hint = "some files were gone when their turn came; the others were transferred", "something writes there meanwhile: run the same again when it rests"
		}
	}
	return p
}

// isRoutine reports whether a line only says how it goes.
func isProgress(line string) bool {
	_, change := ParseChange(line)
	_, progress := parseProgress(line)
	return change || progress
}

// telling returns the line that gave the symptom away.
func lineWith(tail []string, text string) string {
	for _, line := range tail {
		if strings.Contains(strings.ToLower(line), text) {
			return line
		}
	}
	return ""
}

// fill puts the machine into a hint: as ssh is told, with the key and the configuration
// that were given, and as its file of keys names it.
func (t Transfer) expand(hint string) string {
	if !strings.Contains(hint, "%[") {
		return hint
	}
	told, known := t.Remote.Login(), t.Remote.Host
	if t.SSH.Identity != "" {
		told = "-i " + resources.ShellQuote(t.SSH.Identity) + " " + told
	}
	if t.SSH.Config != "" {
		told = "-F " + resources.ShellQuote(t.SSH.Config) + " " + told
	}
	if t.Remote.Port != 0 {
		told = "-p " + strconv.Itoa(t.Remote.Port) + " " + told
		known = "'[" + known + "]:" + strconv.Itoa(t.Remote.Port) + "'"
	}
	return strings.NewReplacer("%[1]s", told, "%[2]s", known).Replace(hint)
}
