package rsync

import (
	"strconv"
	"strings"
)

// Progress parses the output of a transfer.
type Progress struct {
	Total   bool // progress lines count the complete transfer, see Version.HasTotalProgress
	Changes []Change
	Skipped []Skipped

	done, last, current int64 // bytes of earlier files, of the file before this one, of this one
}

// Bytes returns the bytes of files that were transferred so far.
func (p *Progress) Bytes() int64 { return p.done + p.current }

// Line parses one line of output.
func (p *Progress) Line(line string) {
	if n, ok := parseProgress(line); ok {
		p.current = n
	} else if c, ok := ParseChange(line); ok {
		p.Changes = append(p.Changes, c)
		if !p.Total && !c.Link { // the file before it is complete; openrsync reports no more than that
			p.done, p.last, p.current = p.done+p.last, c.Size, 0
		}
	} else if s, ok := ParseSkipped(line); ok {
		p.Skipped = append(p.Skipped, s)
	}
}

// progressLine matches "  1,234,567  45%   10.50MB/s    0:00:12".
var progressLine = lazy(`^ *([0-9][0-9,.' ]*?) +[0-9]{1,3}% +[0-9.,]+[kKMGT]?B/s`)

func parseProgress(line string) (int64, bool) {
	m := progressLine().FindStringSubmatch(line)
	if m == nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.NewReplacer(",", "", ".", "", "'", "", " ", "").Replace(m[1]), 10, 64)
	return n, err == nil
}
