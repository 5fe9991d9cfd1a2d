package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// MaxSize is the maximum size of a manifest in bytes.
const MaxSize = 64 << 20

const (
	maxProblems = 100 // reported in one run
	maxQuoted   = 80  // characters of a value in a message
	maxLine     = 160 // characters of a line in a message
)

// A source is the text of a file, and the problems found in it.
type source struct {
	file   string
	data   []byte
	starts []int // offsets of lines, set by the first problem
	list   diag.List
	more   int // problems beyond maxProblems; reading stops if there are any
}

// at returns a position; lines and columns count from 1.
func (s *source) at(line, col int) diag.Pos { return diag.Pos{File: s.file, Line: line, Col: col} }

// problemAt reports a problem with its line of text. The code is given without "manifest.".
func (s *source) problemAt(pos diag.Pos, code, summary, found, hint string) {
	if s.list.Len() >= maxProblems {
		s.more++
		return
	}
	s.list.Add(&diag.Problem{
		Code: "manifest." + code, Pos: pos, Source: excerpt(s.line(pos.Line), pos.Col), Summary: summary, Found: found, Hint: hint,
	})
}

// err returns nil, or all problems in the order of their positions.
func (s *source) err() error {
	if s.more > 0 {
		s.list.Add(&diag.Problem{
			Code: "manifest.more-problems", Pos: diag.Pos{File: s.file, Line: len(s.starts) + 1, Col: 1},
			Summary: "there are more problems than are shown", Hint: "fix the ones above first",
		})
		s.more = 0
	}
	return s.list.Err()
}

// line returns one line without its newline.
func (s *source) line(n int) string {
	if s.starts == nil {
		s.starts = append(s.starts, 0)
		for i, c := range s.data {
			if c == '\n' {
				s.starts = append(s.starts, i+1)
			}
		}
	}
	if n < 1 || n > len(s.starts) {
		return ""
	}
	line, _, _ := bytes.Cut(s.data[s.starts[n-1]:], []byte{'\n'})
	return string(line)
}

// position returns the position of an offset.
func (s *source) position(offset int) diag.Pos {
	before := s.data[:offset]
	return s.at(bytes.Count(before, []byte{'\n'})+1, utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])+1)
}

// redact hides the user and password of every URL in a text.
func redact(s string) string {
	for from := 0; ; {
		scheme := strings.Index(s[from:], "://")
		if scheme < 0 {
			return s
		}
		from += scheme + len("://")
		end := len(s)
		if i := strings.IndexAny(s[from:], " \t\n\"'/,]}"); i >= 0 {
			end = from + i
		}
		if at := strings.LastIndexByte(s[from:end], '@'); at >= 0 {
			s = s[:from] + "***" + s[from+at:]
		}
	}
}

// excerpt returns a line for a message: without indentation, escaped, and if it is longer
// than maxLine characters, the part around col.
func excerpt(line string, col int) string {
	line = redact(line)
	if len(line) > maxLine {
		runes := []rune(line)
		first := min(max(0, col-1-maxLine/2), len(runes))
		last := min(first+maxLine, len(runes))
		line = string(runes[first:last])
		if first > 0 {
			line = "…" + line
		}
		if last < len(runes) {
			line += "…"
		}
	}
	return printable(strings.TrimSpace(line))
}

// printable escapes everything that a terminal does not print as it is.
func printable(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '\t':
			b.WriteByte(' ')
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			q := strconv.QuoteRuneToASCII(r)
			b.WriteString(q[1 : len(q)-1])
		}
		i += size
	}
	return b.String()
}

// quote returns a text of the user for a message, escaped and shortened.
func quote(s string) string {
	s = redact(s)
	if n := 0; len(s) > maxQuoted {
		for i := range s {
			if n++; n > maxQuoted {
				return strconv.Quote(s[:i]) + "…"
			}
		}
	}
	return strconv.Quote(s)
}

// readFile reads at most limit bytes of a regular file. The problem has no position in
// the file.
func readFile(fsys fs.FS, name string, limit int64) ([]byte, *diag.Problem) {
	text, err := rawfile.ReadFS(fsys, name, limit)
	if err == nil {
		return text, nil
	}
	if e, ok := errors.AsType[*rawfile.Error](err); ok && e.Type == 0 {
		return nil, &diag.Problem{Code: "manifest.too-large", Pos: diag.Pos{File: name}, Summary: e.Reason()}
	}
	return nil, &diag.Problem{Code: "manifest.unreadable", Pos: diag.Pos{File: name}, Summary: "cannot be read: " + printable(rawfile.Reason(err))}
}
