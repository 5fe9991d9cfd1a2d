package rsync

import (
	"regexp"
	"strconv"
	"strings"
)

// A Change is one file that is, or would be, transferred.
type Change struct {
	Path string `json:"path"` // below the folder
	Size int64  `json:"size"` // bytes of the whole file
	New  bool   `json:"new"`  // it is not there yet; else the one that is there differs
	Link bool   `json:"link,omitempty"`
}

// changeLine is "%i %l %n". The first two letters tell what is done to what; nine more
// (seven before rsync 3, and with openrsync) tell which attributes differ.
var changeLine = regexp.MustCompile(`^([<>c])([fL])([^ ]{7,10}) +([0-9]{1,18}) (.+)$`)

// ParseChange reads a line of a transfer that tells of a file or a link. ok is false for
// any other line, those of folders among them.
func ParseChange(line string) (c Change, ok bool) {
	m := changeLine.FindStringSubmatch(line)
	if m == nil || m[2] == "f" && m[1] == "c" {
		return c, false
	}
	size, err := strconv.ParseInt(m[4], 10, 64)
	if err != nil {
		return c, false
	}
	return Change{
		Path: strings.TrimPrefix(unescape(m[5]), "./"), Size: size,
		New: strings.Trim(m[3], "+") == "", Link: m[2] == "L",
	}, true
}

// unescape turns \#303 into the byte that it stands for. rsync writes so what its
// locale cannot show, and a backslash that looks like the beginning of one.
func unescape(name string) string {
	var b strings.Builder
	for {
		before, after, ok := strings.Cut(name, `\#`)
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		if len(after) >= 3 {
			if n, err := strconv.ParseUint(after[:3], 8, 8); err == nil {
				b.WriteByte(byte(n))
				name = after[3:]
				continue
			}
		}
		b.WriteString(`\#`)
		name = after
	}
}

// A Left is something that stays where it is, and why.
type Skipped struct {
	Path string `json:"path"`
	Why  string `json:"why"`
}

var (
	unsafeLink = regexp.MustCompile(`^ignoring unsafe symlink:? "?(.+?)"? -> "?(.+?)"?$`)
	nonRegular = regexp.MustCompile(`^skipping non-regular file "(.+)"$`)
)

// ParseLeft reads a line that tells of a link or a device that does not travel.
func ParseSkipped(line string) (Skipped, bool) {
	if m := unsafeLink.FindStringSubmatch(line); m != nil {
		return Skipped{strings.TrimPrefix(unescape(m[1]), "./"), "a link that leads out of the folder, to " + unescape(m[2])}, true
	}
	if m := nonRegular.FindStringSubmatch(line); m != nil {
		return Skipped{strings.TrimPrefix(unescape(m[1]), "./"), "neither a file nor a link"}, true
	}
	return Skipped{}, false
}
