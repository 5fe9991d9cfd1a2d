package report

import (
	"io"

	"github.com/reconcile-ml/reconcile/internal/diag"
)

// An ExplainedCode is a code with what it means.
type ExplainedCode struct {
	Code string `json:"code"`
	Area string `json:"area"` // what it is about, for people
	diag.Explanation
}

// Explanation prints what a code means and what to do about it.
func Explanation(w io.Writer, e ExplainedCode, o Options) error {
	p := newPage(w, o)
	p.hang(0, bold, e.Code, "  ("+e.Area+")")
	p.blank()
	p.hang(0, plain, "means: ", e.Means)
	p.hang(0, cyan, "do:    ", e.Do)
	return p.close()
}

// Codes prints codes by area, each with the first sentence of what it means. Codes of
// one area follow each other.
func Codes(w io.Writer, list []ExplainedCode, o Options) error {
	p := newPage(w, o)
	width := 0
	for _, e := range list {
		width = max(width, columns(e.Code))
	}
	for i, e := range list {
		if i == 0 || e.Area != list[i-1].Area {
			if i > 0 {
				p.blank()
			}
			p.heading(e.Area)
		}
		p.beside(plain, "", e.Code+spaces(width-columns(e.Code)+2), firstSentence(e.Means))
	}
	return p.close()
}

// firstSentence returns a text up to its first period, without it. A period inside of
// a word, such as that of manifest.yaml, ends none.
func firstSentence(text string) string {
	for i := range len(text) {
		if text[i] == '.' && (i+1 == len(text) || text[i+1] == ' ') {
			return text[:i]
		}
	}
	return text
}
