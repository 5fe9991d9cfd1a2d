package explain

import (
	"strings"
	"sync"

	"github.com/reconcile-ml/reconcile"
	"github.com/reconcile-ml/reconcile/internal/diag"
)

// An Area is a section of docs/troubleshooting.md with the codes of one subject, sorted.
type Area struct {
	Title string
	Codes []string
}

// page is the part of docs/troubleshooting.md that explains codes.
type page struct {
	areas []Area
	codes diag.Explanations
}

// read parses docs/troubleshooting.md, which is part of the program: below "## Codes" each
// heading of level 3 is an area, and each of level 4 a code. The first paragraph of a code
// is its meaning, the others are the remedy.
var read = sync.OnceValue(func() page {
	p := page{codes: diag.Explanations{}}
	_, text, _ := strings.Cut(reconcile.Troubleshooting, "\n## Codes\n")
	for _, section := range strings.Split(text, "\n### ")[1:] {
		title, text, _ := strings.Cut(section, "\n")
		area := Area{Title: title}
		for _, section := range strings.Split(text, "\n#### ")[1:] {
			code, text, _ := strings.Cut(section, "\n")
			means, do, _ := strings.Cut(strings.TrimSpace(text), "\n\n")
			p.codes[code] = diag.Explanation{Means: unfold(means), Do: unfold(do)}
			area.Codes = append(area.Codes, code)
		}
		p.areas = append(p.areas, area)
	}
	return p
})

// unfold joins the lines of paragraphs.
func unfold(text string) string {
	paragraphs := strings.Split(text, "\n\n")
	for i, p := range paragraphs {
		paragraphs[i] = strings.Join(strings.Fields(p), " ")
	}
	return strings.Join(paragraphs, "\n\n")
}

// Codes returns the explanation of every code that this program prints.
func Codes() diag.Explanations { return read().codes }

// Areas returns the areas in the order of the page.
func Areas() []Area { return read().areas }

// AreaOf returns the area of a code; of an unknown one that of the codes with the same
// prefix before the dot, or of the prefix alone. It is the zero Area for none.
func AreaOf(code string) Area {
	prefix, _, _ := strings.Cut(code, ".")
	for _, area := range Areas() {
		for _, known := range area.Codes {
			if known == code || strings.HasPrefix(known, prefix+".") {
				return area
			}
		}
	}
	return Area{}
}
