package redact

import (
	"io"
	"sync"
)

// maxContext is how many bytes are kept of what a Writer has written: the character before
// a secret decides whether it is a word, and whether it is in an escape.
const maxContext = 64

// A Writer writes to another writer what it is given, without secrets, also if a secret is
// split over several writes. It withholds only the end of a line that may be the beginning
// of a secret, until the next write, the end of the line or Flush. Without secrets it
// passes everything on at once.
type Writer struct {
	redactor *Redactor
	w        io.Writer

	mu      sync.Mutex
	isJSON  bool
	context int    // bytes of text that are written
	text    []byte // context, and what is withheld
	out     []byte
}

// Writer returns a Writer to w.
func (r *Redactor) Writer(w io.Writer) *Writer { return &Writer{redactor: r, w: w} }

// SetJSON sets whether the text is JSON, which must remain valid.
func (w *Writer) SetJSON(isJSON bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.isJSON = isJSON
}

// Write writes b without secrets. It returns the error of the other writer.
func (w *Writer) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.redactor.table.Load() == nil && len(w.text) == w.context {
		return w.w.Write(b)
	}
	w.text = append(w.text, b...)
	if err := w.write(false); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Flush writes what is withheld.
func (w *Writer) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.text) == w.context {
		return nil
	}
	return w.write(true)
}

func (w *Writer) write(final bool) error {
	t := w.redactor.table.Load()
	if t == nil {
		_, err := w.w.Write(w.text[w.context:])
		w.text, w.context = w.text[:0], 0
		return err
	}
	out, done := t.replace(w.out[:0], w.text, w.context, final, w.isJSON)
	keep := max(0, done-maxContext)
	w.text = append(w.text[:0], w.text[keep:]...)
	w.context = done - keep
	w.out = out
	if len(out) == 0 {
		return nil
	}
	_, err := w.w.Write(out)
	return err
}
