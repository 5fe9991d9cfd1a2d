package declared

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// problem adds a problem and returns it for its other fields.
func (r *reader) problem(code string, pos diag.Pos, format string, args ...any) *diag.Problem {
	p := &diag.Problem{Code: code, Pos: pos, Summary: fmt.Sprintf(format, args...)}
	r.problems.Add(p)
	return p
}

func (r *reader) notRead(pos diag.Pos, text, reason string) {
	if len(r.set.NotRead) < maxItems {
		r.set.NotRead = append(r.set.NotRead, NotRead{pos, Shown(text), reason})
	}
}

const absentHint = "create the file, or correct the line that names it"

// text returns the text of a file. from is the position that names it, if it is included.
func (r *reader) text(name string, from diag.Pos) (string, bool) {
	at := from
	if !at.IsValid() {
		at = diag.Pos{File: name}
	}
	if r.reads++; r.reads > maxFiles {
		r.problem("requirements.size", at, "more than %d files are included", maxFiles)
		return "", false
	}
	if !fs.ValidPath(name) {
		r.problem("requirements.absent", at, "%q is not a path in the project", printable(name)).Hint = absentHint
		return "", false
	}
	limit := int64(maxFile)
	if path.Base(name) == pyprojectFile {
		limit = maxTOML
	}
	b, err := rawfile.ReadFS(r.fsys, name, limit)
	refused, isRefused := errors.AsType[*rawfile.Error](err)
	switch {
	case isRefused:
		r.problem("requirements.unreadable", at, "%s %s", printable(name), refused.Reason())
	case errors.Is(err, fs.ErrNotExist):
		r.problem("requirements.absent", at, "%s does not exist", printable(name)).Hint = absentHint
	case err != nil:
		r.problem("requirements.unreadable", at, "%s cannot be read", printable(name)).Found = rawfile.Reason(err)
	}
	if err != nil {
		return "", false
	}
	if !slices.Contains(r.set.Files, name) {
		r.set.Files = append(r.set.Files, name)
	}
	return decode(b), true
}

// decode returns the text of a file by its byte order mark. PowerShell writes UTF-16.
func decode(b []byte) string {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(b, []byte{0xff, 0xfe}):
		order = binary.LittleEndian
	case bytes.HasPrefix(b, []byte{0xfe, 0xff}):
		order = binary.BigEndian
	default:
		return strings.ToValidUTF8(strings.TrimPrefix(string(b), "\ufeff"), "\ufffd")
	}
	units := make([]uint16, len(b)/2-1)
	for i := range units {
		units[i] = order.Uint16(b[2+2*i:])
	}
	return string(utf16.Decode(units))
}

// isAbsent reports whether a name does not exist, not even as a link.
func isAbsent(fsys fs.FS, name string) bool {
	if !fs.ValidPath(name) {
		return true
	}
	_, err := fs.Lstat(fsys, name)
	return errors.Is(err, fs.ErrNotExist)
}

// beside returns the path that a file names relative to its directory, or false for one outside
// of the project.
func beside(file, named string) (string, bool) {
	if named == "" || path.IsAbs(named) || strings.ContainsAny(named, "\\\x00") || strings.Contains(named, "://") {
		return "", false
	}
	name := path.Join(path.Dir(file), named)
	return name, fs.ValidPath(name)
}

// Shown returns a text for messages: one line of limited length, without control characters and
// without the credentials and queries of URLs.
func Shown(text string) string {
	words := strings.Fields(text)
	for i, word := range words {
		words[i] = withoutSecrets(word)
	}
	return printable(strings.Join(words, " "))
}

// withoutSecrets removes the user, the password and the query of the URL in a word. A word with
// @ after a colon that is no URL is removed as a whole.
func withoutSecrets(word string) string {
	before, rest, isURL := strings.Cut(word, "://")
	if !isURL {
		if colon := strings.IndexByte(word, ':'); colon >= 0 && strings.IndexByte(word[colon:], '@') >= 0 {
			return "***"
		}
		return word
	}
	end := len(rest)
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		end = i
	}
	host, tail := rest[:end], rest[end:]
	if i := strings.LastIndexByte(host, '@'); i >= 0 && host[:i] != "git" {
		host = "***" + host[i:]
	}
	if strings.ContainsAny(tail, "?") || strings.Contains(tail, "://") {
		tail = tail[:strings.IndexAny(tail, "?:")]
	}
	return before + "://" + host + tail
}

// printable is Printable with the limit of messages.
func printable(s string) string { return Printable(s, maxShown) }

// Printable returns a text on one line without control characters, of at most limit bytes.
func Printable(s string, limit int) string {
	var b strings.Builder
	for i, r := range s {
		if i >= limit {
			b.WriteString("…")
			break
		}
		if r == utf8.RuneError || !unicode.IsPrint(r) || unicode.Is(unicode.Cf, r) {
			r = '?'
		}
		b.WriteRune(r)
	}
	return b.String()
}
