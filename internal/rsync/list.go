package rsync

import (
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A dry run of a pull with the openrsync of macOS names every file, also unchanged ones, and
// no sizes. Like every rsync, it can list a remote folder; comparing that list as rsync
// does gives the preview.

// HasDryRunReport reports whether a dry run of the receiving side prints its changes.
func (v Version) HasDryRunReport() bool { return v.Flavor != OpenRsync }

// List returns the command that lists the remote folder, in the time zone of its environment.
func (t Transfer) List() Call {
	list := t.DryRun()
	return Call{list.Program, append([]string{"--list-only"}, slices.DeleteFunc(list.Args, func(arg string) bool { return slices.Contains(verbose, arg) })...)}
}

// A ListEntry is a file or a link in the remote folder.
type ListEntry struct {
	Path   string
	Size   int64
	Time   time.Time // in seconds
	Target string    // of a link, "" for a file
}

// listLine matches "-rw-r--r--       300000 2026/11/27 06:16:27 run-1/a b".
var listLine = lazy(`^([-l])[-a-zA-Z]{9}.? +([0-9][0-9,]{0,24}) ([0-9]{4}/[0-9]{2}/[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}) (.+)$`)

// ParseListEntry parses a line of a list. ok is false for folders and other lines.
func ParseListEntry(line string) (l ListEntry, ok bool) {
	m := listLine().FindStringSubmatch(line)
	if m == nil {
		return l, false
	}
	size, err := strconv.ParseInt(strings.ReplaceAll(m[2], ",", ""), 10, 64)
	when, err2 := time.Parse("2006/01/02 15:04:05", m[3])
	if err != nil || err2 != nil {
		return l, false
	}
	name, target := unescape(m[4]), ""
	if m[1] == "l" {
		if name, target, ok = strings.Cut(name, " -> "); !ok {
			return l, false
		}
	}
	if name = strings.TrimPrefix(name, "./"); name == "" {
		return l, false
	}
	return ListEntry{name, size, when, target}, true
}

// Escapes reports whether a link leads out of the folder, so that it is not transferred.
func (l ListEntry) Escapes() bool {
	to := path.Join(path.Dir(l.Path), l.Target)
	return strings.HasPrefix(l.Target, "/") || to == ".." || strings.HasPrefix(to, "../")
}
