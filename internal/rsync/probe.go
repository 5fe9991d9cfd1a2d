package rsync

import (
	"path"
	"strconv"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
)

// lookScript is what a look runs over there, always the same text: places come as words.
// It stands in single quotes, so it holds none, and no ! and no backslash either, which
// some login shells read even there.
//
//	$1 the project   $2 the folder   $3 the file, or a dot
//	$4 the folder to make, or a dot for none
//	$5 rsync, where nothing is made without one
const probeScript = `echo reconcile-look 1; echo system $(uname -s); ` +
	`test -d "$1" && echo project yes; test -d "$2" && echo folder yes; ` +
	`test -d "$3" || { test -f "$3" && echo size $(wc -c < "$3"); }; ` +
	`if command -v rsync > /dev/null 2>&1; then echo rsync yes; rsync --version 2>&1 | head -n 2; elif test "$5" = rsync; then echo rsync no; exit 0; fi; ` +
	`test "$4" = . || { test -d "$1" && mkdir -p "$4" && echo made yes; }; ` +
	`d=$1; test -d "$2" && d=$2; test -d "$d" && echo disk $(df -Pk "$d" | tail -n 1); echo end`

// Look is the call that finds out what is over there. With make it also makes the folder
// that is pushed to, if the project is there.
func (t Transfer) Probe(makes bool) Call {
	file, folder, needs := ".", ".", "rsync"
	if t.File != "" {
		file, needs = t.RemoteFile(), "scp"
	}
	if makes && t.Push {
		folder = t.RemoteDir()
		if t.File != "" {
			folder = path.Dir(t.RemoteFile())
		}
	}
	words := []string{"sh -c '" + probeScript + "' look", t.Remote.Path, t.RemoteDir(), file, folder, needs}
	return t.remote(strings.Join(words, " "))
}

// A Seen is what a look found over there.
type ProbeResult struct {
	System  string // what uname says
	Project bool   // the project's folder is there
	Dir     bool   // the folder that travels is there
	Made    bool   // the folder to push to was made, or was there
	Size    int64  // of the file that travels; -1 where it is not there
	Rsync   Version
	Free    int64 // bytes that a user can fill; -1 where it is not told
}

// ParseLook reads the answer to a look. What the shell over there printed before it is a
// problem: rsync would take it for its own protocol.
func ParseProbe(text string) (ProbeResult, *diag.Problem) {
	s := ProbeResult{Size: -1, Free: -1}
	noise, answer, ok := strings.Cut(text, "reconcile-look 1\n")
	if !ok {
		return s, refuse("sync.shell", "the machine over there does not answer as a shell does", firstLine(text), "try it by hand: `ssh HOST echo hello`")
	}
	if noise != "" {
		return s, refuse("sync.shell", "the shell over there prints something when it starts, which rsync and scp cannot tell from data", firstLine(noise), "let its .bashrc or .profile print only in a terminal: [ -t 1 ] && echo …")
	}
	for line := range strings.Lines(answer) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch key {
		case "system":
			s.System = value
		case "project":
			s.Project = true
		case "folder":
			s.Dir = true
		case "made":
			s.Made = true
		case "size":
			s.Size = parseSize(value)
		case "disk":
			s.Free = parseFree(value)
		}
	}
	if strings.Contains(answer, "\nrsync yes\n") {
		s.Rsync = ParseVersion(answer)
	}
	return s, nil
}

// free reads a line of `df -Pk`: device, blocks, used, available, capacity, place. The
// device may hold blanks, so it is read from the capacity, the one with a % sign.
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

// first is the first line of a text that is not empty, cut to what a message can hold.
func firstLine(text string) string {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			return line[:min(len(line), 200)]
		}
	}
	return "nothing"
}
