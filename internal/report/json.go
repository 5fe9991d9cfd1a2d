package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode"
	"unicode/utf8"

	"github.com/reconcile-ml/reconcile/internal/apply"
	"github.com/reconcile-ml/reconcile/internal/facts"
)

// JSON writes v as one line of JSON that cannot control a terminal.
func JSON(w io.Writer, v any) error { return writeJSON(w, v, "") }

// Facts writes the facts of a machine as one document, which `plan --facts` reads.
func Facts(w io.Writer, f *facts.Facts) error { return writeJSON(w, f, "  ") }

// EventsJSON returns a function for apply.Options.Events that writes each event as one
// line of JSON.
func EventsJSON(w io.Writer) func(apply.Event) {
	return func(e apply.Event) {
		_ = writeJSON(w, eventLine{Version, e, e.Elapsed.Seconds()}, "") // a closed pipe does not stop an apply
	}
}

type eventLine struct {
	Version int `json:"version"`
	apply.Event
	Elapsed float64 `json:"elapsed,omitempty"` // seconds
}

// writeJSON writes v as one document, indented, or as one line of a stream.
func writeJSON(w io.Writer, v any, indent string) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(escapeJSON(b.Bytes()))
	return err
}

// escapeJSON escapes every character that could control a terminal as \uXXXX. They occur
// in strings only; the encoder has escaped those below a space.
func escapeJSON(doc []byte) []byte {
	if !bytes.ContainsFunc(doc, hidden) {
		return doc
	}
	out := make([]byte, 0, len(doc)+16)
	for len(doc) > 0 {
		r, n := utf8.DecodeRune(doc)
		switch {
		case !hidden(r):
			out = append(out, doc[:n]...)
		case r > 0xffff:
			high, low := (r-0x10000)>>10+0xd800, (r-0x10000)&0x3ff+0xdc00
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		doc = doc[n:]
	}
	return out
}

func hidden(r rune) bool { return r > '~' && !unicode.IsGraphic(r) }
