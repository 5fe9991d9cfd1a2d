package rsync

import (
	"path"
	"strconv"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
)

// probeScript runs on the remote machine. It is constant; paths are arguments. It is in
// single quotes, so it must not contain any, and neither ! nor backslash, which some login
// shells interpret even there.
//
//	$1 the project   $2 the folder   $3 the file, or a dot
//	$4 the folder to create, or a dot
//	$5 rsync if nothing is to be created without rsync
const probeScript = `echo reconcile-probe 1; echo system $(uname -s); ` +
	`test -d "$1" && echo project yes; test -d "$2" && echo folder yes; ` +
	`test -d "$3" || { test -f "$3" && echo size $(wc -c < "$3"); }; ` +
	`if command -v rsync > /dev/null 2>&1; then echo rsync yes; rsync --version 2>&1 | head -n 2; elif test "$5" = rsync; then echo rsync no; exit 0; fi; ` +
	`test "$4" = . || { test -d "$1" && mkdir -p "$4" && echo made yes; }; ` +
	`d=$1; test -d "$2" && d=$2; test -d "$d" && echo disk $(df -Pk "$d" | tail -n 1); echo end`

// Probe returns the command that probes the remote machine. With create, it also creates the
// destination folder of a push if the project exists.
func (t Transfer) Probe(create bool) Call {
	file, folder, needs := ".", ".", "rsync"
	if t.File != "" {
		file, needs = t.RemoteFile(), "scp"
	}
	if create && t.Push {
		folder = t.RemoteDir()
		if t.File != "" {
			folder = path.Dir(t.RemoteFile())
		}
	}
	return t.ssh(strings.Join([]string{"sh -c '" + probeScript + "' probe", t.Remote.Path, t.RemoteDir(), file, folder, needs}, " "))
}

// A ProbeResult is the state of the remote machine.
type ProbeResult struct {
	System  string // from uname -s
	Project bool   // the folder of the project exists
	Dir     bool   // the folder of the transfer exists
	Made    bool   // the destination folder was created or existed
	Size    int64  // of the file to transfer; -1 if it does not exist
	Rsync   Version
	Free    int64 // bytes available to the user; -1 if unknown
}

// ParseProbe parses the output of Probe. Output of the remote shell before it is a problem:
// rsync would read it as protocol data.
func ParseProbe(text string) (ProbeResult, *diag.Problem) {
	r := ProbeResult{Size: -1, Free: -1}
	noise, answer, ok := strings.Cut(text, "reconcile-probe 1\n")
	if !ok {
		return r, refuse("sync.shell", "the remote machine does not answer like a shell", firstLine(text), "try it: `ssh HOST echo hello`")
	}
	if noise != "" {
		return r, refuse("sync.shell", "the remote shell prints something when it starts, which rsync and scp cannot separate from data", firstLine(noise), quietShellHint)
	}
	for line := range strings.Lines(answer) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch key {
		case "system":
			r.System = value
		case "project":
			r.Project = true
		case "folder":
			r.Dir = true
		case "made":
			r.Made = true
		case "size":
			r.Size = parseSize(value)
		case "disk":
			r.Free = parseFree(value)
		}
	}
	if strings.Contains(answer, "\nrsync yes\n") {
		r.Rsync = ParseVersion(answer)
	}
	return r, nil
}

// parseFree parses a line of `df -Pk`: device, blocks, used, available, capacity, mount
// point. The device may contain spaces, so the field before the capacity (with %) counts.
func parseFree(line string) int64 {
	fields := strings.Fields(line)
	for i, f := range fields {
		if i > 0 && strings.HasSuffix(f, "%") {
			if kib := parseSize(fields[i-1]); kib >= 0 && kib < 1<<53 {
				return kib << 10
			}
		}
	}
	return -1
}

func parseSize(digits string) int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
	if err != nil || n < 0 {
		return -1
	}
	return n
}

// firstLine returns the first line of a text that is not empty, shortened for a message.
func firstLine(text string) string {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			return line[:min(len(line), 200)]
		}
	}
	return "nothing"
}
