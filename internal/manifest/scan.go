package manifest

import (
	"bytes"
	"fmt"
	"slices"
	"unicode/utf8"
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
		s.problemAt(s.at(1, 1), "empty", "the manifest is empty", "", "`reconcile init` writes a manifest to start from")
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
			s.problemAt(s.position(i), "control-character", fmt.Sprintf("control character 0x%02x", c), "", "remove it; in double quotes \\t and \\n can be written")
		case c >= 0x80:
			r, size := utf8.DecodeRune(s.data[i:])
			switch {
			case r == utf8.RuneError && size == 1:
				if i == 0 && (bytes.HasPrefix(s.data, []byte{0xff, 0xfe}) || bytes.HasPrefix(s.data, []byte{0xfe, 0xff})) {
					s.problemAt(s.at(1, 1), "encoding", "the file is UTF-16, not UTF-8", "", "save it as UTF-8")
					return false // every second byte would be a problem too
				}
				if line != lastBad {
					s.problemAt(s.position(i), "encoding", fmt.Sprintf("byte 0x%02x is not UTF-8", c), "", "save the file as UTF-8")
				}
				ok, lastBad = false, line
			case r == 0xfeff && i == 0:
				s.problemAt(s.at(1, 1), "encoding", "the file begins with a byte order mark", "", "save it as UTF-8 without one")
				ok = false
			case forbidden(r):
				s.problemAt(s.position(i), "control-character", fmt.Sprintf("character %U, which is invisible or changes the order of text", r), "", "remove it")
				ok = false
			}
			i += size - 1
		}
		if s.more > 0 {
			return false
		}
	}
	if limit := min(max(minValues, len(s.data)/8), maxValues); values > limit {
		s.problemAt(s.at(1, 1), "too-many-values", fmt.Sprintf("the manifest has more than %d values", limit), fmt.Sprintf("about %d", values), "")
		return false
	}
	return s.scanMarkers() && ok
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
			s.problemAt(s.position(at), "directive", "the line begins with %, which is a YAML directive", "", "remove the directive, or quote the text")
			return false
		case marker("<<<<<<<", "=======", ">>>>>>>", "|||||||"):
			s.problemAt(s.position(at), "syntax", "a merge conflict marker", "", "choose one of the two sides, and remove all lines that begin with <<<<<<<, =======, >>>>>>> or |||||||")
			return false
		case marker("---") && content, marker("..."):
			s.problemAt(s.position(at), "documents", "a second YAML document begins or the first one ends here", "", "a manifest is one document: remove the line")
			return false
		}
		content = true
	}
	return true
}
