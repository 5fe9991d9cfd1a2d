package rsync

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The openrsync of macOS, told to pull and only say what it would do, names every file,
// also those that are here already, and no sizes. It lists a folder over there as every
// rsync does; what a pull would move is found by comparing, as rsync itself compares.

// Previews reports whether it can say what it would move if it received it.
func (v Version) HasDryRunReport() bool { return v.Flavor != OpenRsync }

// List is the call that lists the folder over there, in UTC if its environment says so.
func (t Transfer) List() Call {
	list := t.DryRun()
	return Call{list.Program, append([]string{"--list-only"}, slices.DeleteFunc(list.Args, func(w string) bool { return slices.Contains(verbose, w) })...)}
}

// A Listed is a file or a link over there.
type ListEntry struct {
	Path   string
	Size   int64
	Time   time.Time // in whole seconds
	Target string    // of a link, "" for a file
}

// listedLine is such as "-rw-r--r--       300000 2026/11/27 06:16:27 run-1/a b".
var listedLine = regexp.MustCompile(`^([-l])[-a-zA-Z]{9}.? +([0-9][0-9,]{0,24}) ([0-9]{4}/[0-9]{2}/[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}) (.+)$`)

// ParseListed reads a line of a list. ok is false for folders and all else.
func ParseListEntry(line string) (l ListEntry, ok bool) {
	m := listedLine.FindStringSubmatch(line)
	if m == nil {
		return l, false
	}
	size, err := strconv.ParseInt(strings.ReplaceAll(m[2], ",", ""), 10, 64)
	if err != nil {
		return l, false
	}
	when, err := time.Parse("2006/01/02 15:04:05", m[3])
	if err != nil {
		return l, false
	}
	l = ListEntry{Path: unescape(m[4]), Size: size, Time: when}
	if m[1] == "l" {
		var is bool
		if l.Path, l.Target, is = strings.Cut(l.Path, " -> "); !is {
			return l, false
		}
	}
	l.Path = strings.TrimPrefix(l.Path, "./")
	return l, l.Path != ""
}

// LeadsOut reports whether a link leads out of the folder, so that it does not travel.
func (l ListEntry) Escapes() bool {
	to := path.Join(path.Dir(l.Path), l.Target)
	return strings.HasPrefix(l.Target, "/") || to == ".." || strings.HasPrefix(to, "../")
}
