package manifest

import (
	"bytes"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/reconcile-ml/reconcile/internal/diag"
)

// A manifest may have minValues indicators of YAML values. Above that, one in eight bytes
// may be one, up to maxValues: 100,000 resources have 500,000. The limit bounds what a
// text can make the YAML library allocate.
const (
	minValues = 300_000
	maxValues = 3_000_000
)

// scan checks the bytes before the YAML library parses them. It reports bytes that are
// not UTF-8, control and bidirectional characters, a byte order mark, directives, a second
// document and too many values, also in comments. It returns false if the text should not
// be parsed.
func (s *source) scan() bool {
	if len(bytes.TrimSpace(s.data)) == 0 {
		s.report(1, 1, diag.Problem{
			Code: "manifest.empty", Summary: "the manifest is empty", Hint: "`reconcile init` writes a manifest to start from",
		})
		return false
	}
	values, ok := 0, true
	line, lastBad := 1, 0 // lastBad is the last line with a reported byte that is not UTF-8
	for i := 0; i < len(s.data); i++ {
		var next byte
		if i+1 < len(s.data) {
			next = s.data[i+1]
		}
		switch c := s.data[i]; {
		case c == '\n':
			line++
		case c == '[' || c == '{' || c == ',':
			values++
		case c == '-' || c == ':' || c == '?':
			if next <= ' ' || next == ',' {
				values++
			}
		case c < ' ' && c != '\t' && (c != '\r' || next != '\n') || c == 0x7f:
			ok = false
			s.reportAt(i, diag.Problem{
				Code: "manifest.control-character", Summary: fmt.Sprintf("control character 0x%02x", c),
				Hint: "remove it; in double quotes \\t and \\n can be written",
			})
		case c >= 0x80:
			r, size := utf8.DecodeRune(s.data[i:])
			if p := badRune(r, size, s.data[i:], i); p != nil {
				ok = false
				if p.Code != "manifest.encoding" || line != lastBad {
					s.reportAt(i, *p)
				}
				if p.Code == "manifest.encoding" {
					lastBad = line
				}
				if p.Summary == utf16 {
					return false // every second byte would be a problem too
				}
			}
			i += size - 1
		}
		if s.more > 0 {
			return false
		}
	}
	if limit := min(max(minValues, len(s.data)/8), maxValues); values > limit {
		s.report(1, 1, diag.Problem{
			Code: "manifest.too-many-values", Summary: fmt.Sprintf("the manifest has more than %d values", limit), Found: fmt.Sprintf("about %d", values),
		})
		return false
	}
	return s.scanMarkers() && ok
}

// reportAt reports a problem at an offset.
func (s *source) reportAt(offset int, p diag.Problem) {
	line, col := 1, 1
	if s.list.Len() < maxProblems {
		line, col = s.place(offset)
	}
	s.report(line, col, p)
}

const utf16 = "the file is UTF-16, not UTF-8"

// badRune returns the problem of a character beyond ASCII, or nil.
func badRune(r rune, size int, text []byte, offset int) *diag.Problem {
	encoding := func(summary, hint string) *diag.Problem {
		return &diag.Problem{Code: "manifest.encoding", Summary: summary, Hint: hint}
	}
	switch {
	case r == utf8.RuneError && size == 1 && offset == 0 && (bytes.HasPrefix(text, []byte{0xff, 0xfe}) || bytes.HasPrefix(text, []byte{0xfe, 0xff})):
		return encoding(utf16, "save it as UTF-8")
	case r == utf8.RuneError && size == 1:
		return encoding(fmt.Sprintf("byte 0x%02x is not UTF-8", text[0]), "save the file as UTF-8")
	case r == 0xfeff && offset == 0:
		return encoding("the file begins with a byte order mark", "save it as UTF-8 without one")
	case forbidden(r):
		return &diag.Problem{
			Code: "manifest.control-character", Summary: fmt.Sprintf("character %U, which is invisible or changes the order of text", r),
			Hint: "remove it",
		}
	}
	return nil
}

// forbidden reports whether no text of a manifest may contain a character: control
// characters other than tab and newline, line separators, characters that reorder or hide
// text, and noncharacters.
func forbidden(r rune) bool {
	switch {
	case r < ' ':
		return r != '\t' && r != '\n'
	case r < 0x7f:
		return false
	case r <= 0x9f, r == 0xad, r == 0x61c, r == 0x180e, r == 0xfeff:
		return true
	case 0x200b <= r && r <= 0x200f, 0x2028 <= r && r <= 0x202e, 0x2060 <= r && r <= 0x206f:
		return r != 0x200c && r != 0x200d // joiners: Persian, Indic scripts and emoji need them
	case 0xfff9 <= r && r <= 0xfffb, r&0xfffe == 0xfffe, 0xfdd0 <= r && r <= 0xfdef, 0xe0000 <= r && r <= 0xe007f:
		return true
	}
	return false
}

// scanMarkers reports directives, document markers and merge conflict markers, which
// begin a line. A file may begin with ---.
func (s *source) scanMarkers() bool {
	content := false // a line that is not a comment precedes
	offset := 0
	for line := range bytes.Lines(s.data) {
		at := offset
		offset += len(line)
		marker := func(markers ...string) bool {
			return slices.ContainsFunc(markers, func(m string) bool {
				rest, ok := bytes.CutPrefix(line, []byte(m))
				return ok && (len(rest) == 0 || rest[0] <= ' ')
			})
		}
		switch {
		case bytes.IndexByte([]byte("#\r\n"), line[0]) >= 0:
			continue
		case line[0] == '%':
			s.reportAt(at, diag.Problem{
				Code: "manifest.directive", Summary: "the line begins with %, which is a YAML directive",
				Hint: "remove the directive, or quote the text",
			})
			return false
		case marker("<<<<<<<", "=======", ">>>>>>>", "|||||||"):
			s.reportAt(at, diag.Problem{
				Code: "manifest.syntax", Summary: "a merge conflict marker",
				Hint: "choose one of the two sides, and remove all lines that begin with <<<<<<<, =======, >>>>>>> or |||||||",
			})
			return false
		case marker("---") && content, marker("..."):
			s.reportAt(at, diag.Problem{
				Code: "manifest.documents", Summary: "a second YAML document begins or the first one ends here",
				Hint: "a manifest is one document: remove the line",
			})
			return false
		}
		content = true
	}
	return true
}
