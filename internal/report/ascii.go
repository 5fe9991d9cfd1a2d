package report

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// spellings are what stands for our own characters where only ASCII can be shown.
var spellings = map[rune]string{'…': "...", '→': "->", '–': "-", '—': "-", '’': "'", '·': "*", '×': "x"}

// spell returns text in ASCII: our own characters as their spelling, all others by
// their number, as Escape writes those that nobody may see.
func spell(text string) string {
	if isASCII(text) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		switch own, ok := spellings[r]; {
		case r < utf8.RuneSelf:
			b.WriteRune(r)
		case ok:
			b.WriteString(own)
		default:
			writeEscape(&b, r)
		}
	}
	return b.String()
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// byteEscape writes a word for the $'…' form of a shell, byte by byte: a number of a
// character would be read back only where the locale has that character.
func byteEscape(word string) string {
	var b strings.Builder
	for i := range len(word) {
		switch c := word[i]; {
		case c == '\\' || c == '\'':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c >= 0x7f:
			// Three octal digits end by themselves; two hexadecimal ones would take in
			// a digit behind them in some shells.
			fmt.Fprintf(&b, `\%03o`, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// spelled returns text as the reader can show it.
func (o Options) spelled(text string) string {
	if o.ASCII {
		return spell(text)
	}
	return text
}

// ellipsis stands where a text is cut.
func (o Options) ellipsis() string { return o.spelled("…") }

// Spelled returns a writer that hands on what is written to it as the reader can show
// it. Each call of Write must hold whole characters.
func Spelled(w io.Writer, o Options) io.Writer {
	if !o.ASCII {
		return w
	}
	return spelling{w}
}

type spelling struct{ io.Writer }

// Fd is the descriptor below, so that a terminal is known for one; of none it is one
// that no file has.
func (s spelling) Fd() uintptr {
	if file, ok := s.Writer.(interface{ Fd() uintptr }); ok {
		return file.Fd()
	}
	return ^uintptr(0)
}

// Write reports the length that it was given, whatever that became.
func (s spelling) Write(b []byte) (int, error) {
	if _, err := io.WriteString(s.Writer, spell(string(b))); err != nil {
		return 0, err
	}
	return len(b), nil
}
