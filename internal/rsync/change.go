package rsync

import (
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// lazy returns a function that compiles expr on its first call: few commands need one.
func lazy(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}

// A Change is a file that is, or would be, transferred.
type Change struct {
	Path string `json:"path"` // below the folder
	Size int64  `json:"size"` // bytes of the complete file
	New  bool   `json:"new"`  // does not exist at the destination; otherwise it differs
	Link bool   `json:"link,omitempty"`
}

// changeLine matches "%i %l %n". The first two letters of %i are the action and the type;
// nine more (seven before rsync 3 and in openrsync) are the attributes that differ.
var changeLine = lazy(`^([<>c])([fL])([^ ]{7,10}) +([0-9]{1,18}) (.+)$`)

// ParseChange parses an output line about a file or a link. ok is false for other lines,
// such as those of folders.
func ParseChange(line string) (c Change, ok bool) {
	m := changeLine().FindStringSubmatch(line)
	if m == nil || m[2] == "f" && m[1] == "c" {
		return c, false
	}
	size, err := strconv.ParseInt(m[4], 10, 64)
	return Change{Path: cleanName(m[5]), Size: size, New: strings.Trim(m[3], "+") == "", Link: m[2] == "L"}, err == nil
}

var escape = lazy(`\\#[0-7]{3}`)

// unescape replaces \#303 by the byte with that octal value. rsync escapes bytes that its
// locale cannot show, and a backslash that would start an escape.
func unescape(name string) string {
	return escape().ReplaceAllStringFunc(name, func(s string) string {
		n, err := strconv.ParseUint(s[2:], 8, 8)
		if err != nil {
			return s
		}
		return string([]byte{byte(n)})
	})
}

func cleanName(name string) string { return strings.TrimPrefix(unescape(name), "./") }

// A Skipped is a path that is not transferred.
type Skipped struct {
	Path string `json:"path"`
	Why  string `json:"why"`
}

var (
	unsafeLink = lazy(`^ignoring unsafe symlink:? "?(.+?)"? -> "?(.+?)"?$`)
	nonRegular = lazy(`^skipping non-regular file "(.+)"$`)
)

// ParseSkipped parses an output line about a link or a device that is not transferred.
func ParseSkipped(line string) (Skipped, bool) {
	if m := unsafeLink().FindStringSubmatch(line); m != nil {
		return Skipped{cleanName(m[1]), "a link that leads out of the folder, to " + unescape(m[2])}, true
	}
	if m := nonRegular().FindStringSubmatch(line); m != nil {
		return Skipped{cleanName(m[1]), "neither a file nor a link"}, true
	}
	return Skipped{}, false
}
