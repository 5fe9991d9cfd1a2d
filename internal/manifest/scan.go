package manifest

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"github.com/reconcile-ml/reconcile/internal/diag"
)

// The classes of bytes that scan tells apart; most of a file is plain.
const (
	plain = iota
	newline
	indicator // begins or separates values in YAML
	maybe     // is an indicator where a blank follows
	control
	high // part of a character beyond ASCII
)

// minValues is the number of indicators that any manifest may have. Above it,
// one in eight bytes may be one, up to maxValues: 100,000 resources have
// 500,000. The limit is on what a text could make the YAML library allocate.
const (
	minValues = 300_000
	maxValues = 3_000_000
)

var classes = func() (table [256]byte) {
	for c := range table {
		switch {
		case c == '\n':
			table[c] = newline
		case c < ' ' && c != '\t' || c == 0x7f:
			table[c] = control
		case c >= 0x80:
			table[c] = high
		}
	}
	for _, c := range "[{," {
		table[c] = indicator
	}
	for _, c := range "-:?" {
		table[c] = maybe
	}
	return table
}()

// scan looks at the bytes before the YAML library does, and reports what no
// manifest may hold anywhere, comments included: bytes that are not UTF-8,
// control and bidirectional characters, a byte order mark, directives, a second
// document, and more values than any honest manifest of the size. It reports
// whether it is worth parsing.
func (s *source) scan() bool {
	if len(bytes.TrimSpace(s.data)) == 0 {
		s.report(1, 1, diag.Problem{
			Code: "manifest.empty", Summary: "the manifest is empty",
			Hint: "reconcile init writes one to start from",
		})
		return false
	}
	values, ok := 0, true
	line, lastBad := 1, 0 // lastBad is the line of the last byte that is not UTF-8: one a line is enough
	for i := 0; i < len(s.data); i++ {
		switch c := s.data[i]; classes[c] {
		case newline:
			line++
		case indicator:
			values++
		case maybe:
			if i+1 == len(s.data) || s.data[i+1] <= ' ' || s.data[i+1] == ',' {
				values++
			}
		case control:
			if c == '\r' && i+1 < len(s.data) && s.data[i+1] == '\n' {
				continue
			}
			ok = false
			s.reportAt(i, diag.Problem{
				Code: "manifest.control-character", Summary: fmt.Sprintf("control character 0x%02x", c),
				Hint: "remove it; in a text between double quotes \\t and \\n can be written",
			})
		case high:
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
					return false // every other byte would be a problem too
				}
			}
			i += size - 1
		}
		if s.more > 0 {
			return false // enough is shown
		}
	}
	if limit := min(max(minValues, len(s.data)/8), maxValues); values > limit {
		s.report(1, 1, diag.Problem{
			Code: "manifest.too-many-values", Summary: fmt.Sprintf("the manifest has more than %d values", limit),
			Found: fmt.Sprintf("about %d", values),
		})
		return false
	}
	return s.scanMarkers() && ok
}

// reportAt reports a problem at an offset.
func (s *source) reportAt(offset int, p diag.Problem) {
	if s.list.Len() >= maxProblems {
		s.more++
		return
	}
	line, col := s.place(offset)
	s.report(line, col, p)
}

const utf16 = "the file is UTF-16, not UTF-8"

// badRune returns why a character beyond ASCII may not be in a manifest, or nil.
func badRune(r rune, size int, text []byte, offset int) *diag.Problem {
	switch {
	case r == utf8.RuneError && size == 1 && offset == 0 && (bytes.HasPrefix(text, []byte{0xff, 0xfe}) || bytes.HasPrefix(text, []byte{0xfe, 0xff})):
		return &diag.Problem{Code: "manifest.encoding", Summary: utf16, Hint: "save it as UTF-8"}
	case r == utf8.RuneError && size == 1:
		return &diag.Problem{
			Code: "manifest.encoding", Summary: fmt.Sprintf("byte 0x%02x is not UTF-8", text[0]),
			Hint: "save the file as UTF-8",
		}
	case r == 0xfeff && offset == 0:
		return &diag.Problem{
			Code: "manifest.encoding", Summary: "the file begins with a byte order mark",
			Hint: "save it as UTF-8 without one",
		}
	case forbidden(r):
		return &diag.Problem{
			Code: "manifest.control-character", Summary: fmt.Sprintf("character %U, which is invisible or changes the order of text", r),
			Hint: "remove it",
		}
	}
	return nil
}

// forbidden reports whether a character may be in no text of a manifest: control
// characters other than tab and newline, line separators, marks that reorder or
// hide text, and what Unicode keeps for itself.
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

// scanMarkers reports directives, document markers and what a merge left, which only count at the
// start of a line; --- may open the file.
func (s *source) scanMarkers() bool {
	content := false // something other than comments was seen
	for offset := 0; offset < len(s.data); {
		line := s.data[offset:]
		if end := bytes.IndexByte(line, '\n'); end >= 0 {
			line = line[:end]
		}
		if len(line) == 0 {
			offset++
			continue
		}
		switch c := line[0]; {
		case c == '#' || c == '\r':
		case c == '%':
			s.reportAt(offset, diag.Problem{
				Code: "manifest.directive", Summary: "a line begins with %, which is a YAML directive",
				Hint: "remove the directive, or quote the text",
			})
			return false
		case isConflict(line):
			s.reportAt(offset, diag.Problem{
				Code: "manifest.syntax", Summary: "a merge conflict marker",
				Hint: "decide between the two sides, and remove all lines that begin with <<<<<<<, =======, >>>>>>> or |||||||",
			})
			return false
		case isMarker(line, "---") && !content:
			content = true
		case isMarker(line, "---"), isMarker(line, "..."):
			s.reportAt(offset, diag.Problem{
				Code: "manifest.documents", Summary: "a second YAML document begins or the first one ends here",
				Hint: "a manifest is one document: remove the line",
			})
			return false
		default:
			content = true
		}
		offset += len(line) + 1
	}
	return true
}

// isMarker reports whether a line is a document marker, alone or before a blank.
func isMarker(line []byte, marker string) bool {
	rest, ok := bytes.CutPrefix(line, []byte(marker))
	return ok && (len(rest) == 0 || rest[0] <= ' ')
}

// isConflict reports whether a line is one that version control writes between
// two sides of a file that it could not merge.
func isConflict(line []byte) bool {
	for _, marker := range []string{"<<<<<<<", "=======", ">>>>>>>", "|||||||"} {
		if isMarker(line, marker) {
			return true
		}
	}
	return false
}
