package report

import (
	"io"

	"github.com/reconcile-ml/reconcile/internal/diag"
)

// An ExplainedCode is the explanation of a problem code.
type ExplainedCode struct {
	Code string `json:"code"`
	Area string `json:"area"` // title of the area, for people
	diag.Explanation
}

// Explanation prints the meaning and the remedy of a code.
func Explanation(w io.Writer, e ExplainedCode, o Options) error {
	p := newPage(w, o)
	p.hang(0, bold, e.Code, "  ("+e.Area+")")
	p.blank()
	p.hang(0, plain, "means: ", e.Means)
	p.hang(0, cyan, "do:    ", e.Do)
	return p.close()
}

// Codes prints codes with the first sentence of their meaning. The list is sorted by area.
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
		p.beside(plain, "", pad(e.Code, width+2), firstSentence(e.Means))
	}
	return p.close()
}

// firstSentence returns a text up to its first period. A period inside a word, such as
// manifest.yaml, does not count.
func firstSentence(text string) string {
	for i := range len(text) {
		if text[i] == '.' && (i+1 == len(text) || text[i+1] == ' ') {
			return text[:i]
		}
	}
	return text
}
