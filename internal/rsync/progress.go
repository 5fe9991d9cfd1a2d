package rsync

import (
	"regexp"
	"strconv"
	"strings"
)

// A Meter reads the lines of a transfer: what was moved, what was left, and how many
// bytes have come so far.
type Progress struct {
	Total   bool // progress lines tell of the whole transfer, as Version.ShowsTotal says
	Changes []Change
	Skipped []Skipped

	done, last, current int64 // bytes: of earlier files, of the file before this one, of this one
}

// Bytes returns how much has come, in bytes of the files.
func (m *Progress) Bytes() int64 { return m.done + m.current }

// Line takes one line of output.
func (m *Progress) Line(line string) {
	if n, ok := parseProgress(line); ok {
		m.current = n
		return
	}
	if c, ok := ParseChange(line); ok {
		m.Changes = append(m.Changes, c)
		if !m.Total && !c.Link { // the one before has come; openrsync shows no more than that
			m.done, m.last, m.current = m.done+m.last, c.Size, 0
		}
		return
	}
	if l, ok := ParseSkipped(line); ok {
		m.Skipped = append(m.Skipped, l)
	}
}

// progressLine is such as "  1,234,567  45%   10.50MB/s    0:00:12".
var progressLine = regexp.MustCompile(`^ *([0-9][0-9,.' ]*?) +[0-9]{1,3}% +[0-9.,]+[kKMGT]?B/s`)

func parseProgress(line string) (int64, bool) {
	m := progressLine.FindStringSubmatch(line)
	if m == nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.NewReplacer(",", "", ".", "", "'", "", " ", "").Replace(m[1]), 10, 64)
	return n, err == nil
}
