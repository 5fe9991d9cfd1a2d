package command

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// maxLine is the length at which a line is truncated, in bytes.
const maxLine = 4 << 10

// output is the writer for one stream of a program. It keeps the end and reports lines.
type output struct {
	stream  string
	command *Command
	lines   *sync.Mutex // of both streams, for calls of Line

	mu     sync.Mutex
	kept   []byte
	line   []byte
	closed bool
}

// Write never fails, so that a program does not end by SIGPIPE.
func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return len(b), nil
	}
	o.keep(b)
	if o.command.Line != nil {
		o.split(b)
	}
	return len(b), nil
}

func (o *output) keep(b []byte) {
	limit := o.command.Keep
	o.kept = append(o.kept, b...)
	if len(o.kept) > 2*limit { // not moved at each write
		o.kept = append(o.kept[:0], o.kept[len(o.kept)-limit:]...)
	}
}

func (o *output) split(b []byte) {
	for len(b) > 0 {
		i := bytes.IndexAny(b, "\r\n")
		if i < 0 {
			o.append(b)
			return
		}
		o.append(b[:i])
		o.emit()
		b = b[i+1:]
	}
}

// append adds to the line, up to twice the limit: redacting secrets may shorten it.
func (o *output) append(b []byte) {
	o.line = append(o.line, b[:min(len(b), max(0, 2*maxLine-len(o.line)))]...)
}

func (o *output) emit() {
	line := o.line
	o.line = o.line[:0]
	if len(line) == 0 {
		return
	}
	text := truncate(Escape(o.command.Redactor.String(string(line))))
	o.lines.Lock()
	defer o.lines.Unlock()
	o.command.Line(o.stream, text)
}

// close reports the last line and drops all later output.
func (o *output) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.closed && o.command.Line != nil {
		o.emit()
	}
	o.closed = true
}

func (o *output) bytes() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	return bytes.Clone(o.kept[max(0, len(o.kept)-o.command.Keep):])
}

// truncate shortens a line to maxLine.
func truncate(line string) string {
	if len(line) <= maxLine {
		return line
	}
	end := maxLine
	for end > 0 && !utf8.RuneStart(line[end]) {
		end--
	}
	return line[:end] + "…"
}

// Escape makes text safe to print on a terminal: it escapes control characters except
// tabs, invalid UTF-8, and characters that change the direction of writing.
func Escape(text string) string {
	if !strings.ContainsFunc(text, isUnsafe) && utf8.ValidString(text) {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case isUnsafe(r) && r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		case isUnsafe(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
		i += size
	}
	return b.String()
}

// isUnsafe reports whether r is a control or format character.
func isUnsafe(r rune) bool {
	return r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029')
}
