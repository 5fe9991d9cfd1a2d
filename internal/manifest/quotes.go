package manifest

import (
	"bytes"
	"strings"
)

// A badQuote is a quoted text that does not end where its value should: it is not
// closed at all, or something follows its closing quote.
type badQuote struct {
	line, col int // of the opening quote
	inside    bool
}

// problem is how we say it.
func (q *badQuote) problem() (summary, hint string) {
	if q.inside {
		return "something follows the closing quote of the text that begins here",
			"quote the whole text, or put a comma after it; inside of single quotes a quote is doubled: 'it''s'"
	}
	return "the quote that begins here is not closed", "close the quote on this line, or double a quote inside of single quotes"
}

// badQuote finds the first quoted text of the file that is broken, or nil. It knows
// of YAML what it must to tell quotes from other characters, and is asked only
// about a text that the library refused.
func (s *source) badQuote() *badQuote {
	flow := 0     // open brackets
	value := true // a value may begin here
	for i := 0; i < len(s.data); i++ {
		switch c := s.data[i]; {
		case c == '\n':
			value = true
		case c == ' ' || c == '\t' || c == '\r':
		case c == '#' && (i == 0 || s.data[i-1] <= ' '):
			i = s.endOfLine(i) - 1
		case value && (c == '"' || c == '\''):
			end := closing(s.data, i)
			if q := s.brokenQuote(i, end); q != nil {
				return q
			}
			i, value = end, false
		case value && (c == '|' || c == '>') && flow == 0:
			i, value = s.endOfBlock(i)-1, true
		case value && (c == '[' || c == '{'):
			flow++
		case flow > 0 && (c == ']' || c == '}'):
			flow--
			value = false
		case flow > 0 && c == ',':
			value = true
		case strings.IndexByte(":-?", c) >= 0 && (i+1 == len(s.data) || s.data[i+1] <= ' '):
			value = c == ':' || value
		default:
			value = false
		}
	}
	return nil
}

// brokenQuote judges one quoted text, from its opening quote to its closing one;
// end is the length of the text where there is none.
func (s *source) brokenQuote(begin, end int) *badQuote {
	after := byte('\n')
	if end+1 < len(s.data) {
		after = s.data[end+1]
	}
	if end < len(s.data) {
		for rest := s.data[end+1:]; after == ' ' && len(rest) > 1; rest = rest[1:] {
			after = rest[1]
		}
		if after <= ' ' || strings.IndexByte(",]}:#", after) >= 0 {
			return nil
		}
	}
	line, col := s.place(begin)
	oneLine := end < len(s.data) && !bytes.ContainsRune(s.data[begin:end], '\n')
	return &badQuote{line: line, col: col, inside: oneLine}
}

// closing returns the offset of the quote that closes the one at begin, or the
// length of the text.
func closing(text []byte, begin int) int {
	quote := text[begin]
	for i := begin + 1; i < len(text); i++ {
		switch {
		case text[i] == '\\' && quote == '"':
			i++
		case text[i] != quote:
		case quote == '\'' && i+1 < len(text) && text[i+1] == quote:
			i++
		default:
			return i
		}
	}
	return len(text)
}

// endOfLine returns the offset of the end of the line that i is in.
func (s *source) endOfLine(i int) int {
	if end := bytes.IndexByte(s.data[i:], '\n'); end >= 0 {
		return i + end
	}
	return len(s.data)
}

// endOfBlock returns where the text ends whose | or > stands at i: before the
// first line that is indented no more than the line of its key.
func (s *source) endOfBlock(i int) int {
	begin := bytes.LastIndexByte(s.data[:i], '\n') + 1
	end := s.endOfLine(i)
	for end < len(s.data) {
		next := s.endOfLine(end + 1)
		line := s.data[end+1 : next]
		if len(bytes.TrimSpace(line)) > 0 && indentation(line) <= indentation(s.data[begin:]) {
			break
		}
		end = next
	}
	return end
}

// indentation counts the blanks that a line begins with.
func indentation(line []byte) int { return len(line) - len(bytes.TrimLeft(line, " ")) }
