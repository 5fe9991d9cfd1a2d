package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/reconcile-ml/reconcile/internal/diag"
)

const (
	maxSize     = 64 << 20 // bytes of a manifest
	maxProblems = 100      // shown in one run
	maxQuoted   = 80       // characters of a value in a message
	maxLine     = 160      // characters of a line in a message
)

// A source is the text of one file that problems point into.
type source struct {
	file   string
	data   []byte
	starts []int // offsets of lines, filled by the first problem
	list   diag.List
	more   int // problems beyond maxProblems; reading stops when there are some
}

// report adds a problem with its line of text. Positions count from 1.
func (s *source) report(line, col int, p diag.Problem) {
	if s.list.Len() >= maxProblems {
		s.more++
		return
	}
	p.Pos = diag.Pos{File: s.file, Line: line, Col: col}
	p.Source = excerpt(s.line(line), col)
	s.list.Add(&p)
}

// err returns nil, or all problems in order of place.
func (s *source) err() error {
	if s.more > 0 {
		s.list.Add(&diag.Problem{
			Code: "manifest.more-problems", Pos: diag.Pos{File: s.file, Line: len(s.starts) + 1, Col: 1},
			Summary: "there are more problems than are shown",
			Hint:    "mend those above first",
		})
		s.more = 0
	}
	return s.list.Err()
}

// line returns one line without its end.
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
	rest := s.data[s.starts[n-1]:]
	if end := bytes.IndexByte(rest, '\n'); end >= 0 {
		rest = rest[:end]
	}
	// A line may be the whole file: keep what excerpt can need. Columns count
	// characters of at most four bytes.
	return string(rest)
}

// place turns an offset into a line and a column, both from 1.
func (s *source) place(offset int) (line, col int) {
	before := s.data[:offset]
	line = bytes.Count(before, []byte{'\n'}) + 1
	col = utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:]) + 1
	return line, col
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

// excerpt returns a line fit for a terminal: escaped, without indentation, and
// of a long one the part around col.
func excerpt(line string, col int) string {
	line = redact(line)
	if len(line) > maxLine {
		line = around(line, col-1)
	}
	return printable(strings.TrimSpace(line))
}

// around returns maxLine characters of a line, with the one at position at
// inside, and dots for what is cut.
func around(line string, at int) string {
	from := max(0, at-maxLine/2)
	first, last, n := 0, len(line), 0
	for i := range line {
		if n == from {
			first = i
		}
		if n == from+maxLine {
			last = i
			break
		}
		n++
	}
	cut := line[first:last]
	if first > 0 {
		cut = "…" + cut
	}
	if last < len(line) {
		cut += "…"
	}
	return cut
}

// printable escapes what could do more on a terminal than show itself.
func printable(s string) string {
	clean := true
	for _, r := range s {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
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

// quote returns user text for a message, escaped and cut.
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

// readFile reads at most limit bytes of a regular file. What users can mend
// comes back as a problem without a place in the file.
func readFile(fsys fs.FS, name string, limit int64) ([]byte, *diag.Problem) {
	unreadable := func(err error) *diag.Problem {
		var pathErr *fs.PathError
		if errors.As(err, &pathErr) {
			err = pathErr.Err
		}
		return &diag.Problem{
			Code: "manifest.unreadable", Pos: diag.Pos{File: name},
			Summary: "cannot be read: " + printable(err.Error()),
		}
	}
	// Opening a pipe would wait for a writer: look first.
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, unreadable(err)
	}
	if !info.Mode().IsRegular() {
		return nil, unreadable(errors.New("not a regular file"))
	}
	tooLarge := &diag.Problem{
		Code: "manifest.too-large", Pos: diag.Pos{File: name},
		Summary: fmt.Sprintf("is larger than %d MiB", limit>>20),
		Found:   fmt.Sprintf("%d bytes", info.Size()),
	}
	if info.Size() > limit {
		return nil, tooLarge
	}
	f, err := fsys.Open(name)
	if err != nil {
		return nil, unreadable(err)
	}
	defer f.Close() // read only: nothing is lost where closing fails
	text := make([]byte, info.Size(), info.Size()+bytes.MinRead)
	n, err := io.ReadFull(f, text)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, unreadable(err)
	}
	if text = text[:n]; int64(n) < info.Size() {
		return text, nil
	}
	// It may have grown since it was looked at.
	buf := bytes.NewBuffer(text)
	if _, err := buf.ReadFrom(io.LimitReader(f, limit+1-int64(n))); err != nil {
		return nil, unreadable(err)
	}
	if int64(buf.Len()) > limit {
		return nil, tooLarge
	}
	return buf.Bytes(), nil
}
