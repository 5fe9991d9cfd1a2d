// Package report prints plans, progress, results, problems and facts. It makes no
// decisions and reads nothing; equal inputs give equal bytes.
//
// Text is for people and may change. JSON has a format version and is stable. Text from a
// manifest, a file, a tool or a package is escaped, so that it cannot control a terminal.
// Every output has the same meaning without color.
package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Version is the format version of every JSON document and event.
const Version = 1

// Options control printing. The zero value is for a file or a pipe.
type Options struct {
	Width    int    // columns at which text is folded; 0 for never
	Color    bool   // use colors
	Terminal bool   // the output is a terminal
	Verbose  bool   // also print the output of programs, and all notes
	Detail   bool   // print the details of every change, however many there are
	Manifest string // name of the manifest; "" for manifest.yaml
	// ReadText returns the content of a file of this machine, for diffs. It is nil if
	// the plan is for another machine.
	ReadText func(path string) (string, error)
}

func (o Options) manifest() string {
	if o.Manifest == "" {
		return "manifest.yaml"
	}
	return o.Manifest
}

// A Machine is the data of one machine for Status, PlanHTML and GraphOf.
type Machine struct {
	Plan      *planner.Plan        // for the machine as it is now
	Resources []resources.Resource // all resources of the manifest
	Facts     *facts.Facts         // its environments, GPU and disks are printed
	Options
}

// A color is a display attribute, as the parameter of an ECMA-48 SGR sequence.
type color string

const (
	plain  color = ""
	bold   color = "1"
	faint  color = "2"
	red    color = "31"
	green  color = "32"
	yellow color = "33"
	cyan   color = "36"
)

// A page is a text output. close returns its first error.
type page struct {
	w *bufio.Writer
	o Options
}

func newPage(w io.Writer, o Options) *page { return &page{w: bufio.NewWriter(w), o: o} }

func (p *page) close() error { return p.w.Flush() }

// paint returns text in a color if colors are used.
func (p *page) paint(c color, text string) string {
	if !p.o.Color || c == plain || text == "" {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
}

// raw writes text, which must be escaped, unchanged.
func (p *page) raw(text string) { _, _ = p.w.WriteString(text) }

// blank writes an empty line.
func (p *page) blank() { p.raw("\n") }

// heading writes the title of a section, which must be escaped.
func (p *page) heading(text string) { p.raw(p.paint(bold, text) + "\n") }

// line escapes and writes one line; if it is folded, the rest is indented by two more.
func (p *page) line(indent int, format string, args ...any) {
	p.folded(indent, indent+2, plain, "", fmt.Sprintf(format, args...))
}

// hang writes a label in a color and a text that is folded beside it.
func (p *page) hang(indent int, c color, label, text string) {
	p.folded(indent, indent+columns(Escape(label)), c, label, text)
}

// last writes the final line, which scripts search for: without a width it is one line.
func (p *page) last(c color, label, text string) { p.folded(0, 2, c, label, text) }

// folded escapes and writes a label and a text of one or more lines. Every line but the
// first begins at column under.
func (p *page) folded(indent, under int, c color, label, text string) {
	label = Escape(label)
	first := indent + columns(label)
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		for j, piece := range fold(Escape(line), p.o.Width-max(first, under)) {
			switch {
			case i == 0 && j == 0:
				p.raw(spaces(indent) + p.paint(c, label) + piece + "\n")
			case piece == "":
				p.blank()
			default:
				p.raw(spaces(under) + piece + "\n")
			}
		}
	}
}

// table writes rows of a name and a text; the texts are aligned.
func (p *page) table(indent int, rows [][2]string) {
	width := 0
	for _, row := range rows {
		width = max(width, columns(Escape(row[0])))
	}
	for _, row := range rows {
		p.hang(indent, plain, pad(Escape(row[0]), width)+"  ", row[1])
	}
}

// Table prints rows of aligned cells; the first row is the heading.
func Table(w io.Writer, rows [][]string, o Options) error {
	p := newPage(w, o)
	p.grid(rows)
	return p.close()
}

// grid writes rows of aligned cells; the first row is in bold.
func (p *page) grid(rows [][]string) {
	widths := gridWidths(rows)
	for n, row := range rows {
		line := ""
		for i, cell := range row {
			line += pad(Escape(cell), widths[i]) + "  "
		}
		c := plain
		if n == 0 {
			c = bold
		}
		p.raw(p.paint(c, strings.TrimRight(line, " ")) + "\n")
	}
}

// gridWidths returns the width of each column.
func gridWidths(rows [][]string) []int {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], columns(Escape(cell)))
		}
	}
	return widths
}

// list writes short texts in as many columns as fit, down first, then right. Without a
// width each text has its own line.
func (p *page) list(indent int, texts []string) {
	width := 0
	for i := range texts {
		texts[i] = Escape(texts[i])
		width = max(width, columns(texts[i])+2)
	}
	across := 1
	if p.o.Width > indent && width > 0 {
		across = max(1, (p.o.Width-indent)/width)
	}
	down := (len(texts) + across - 1) / across
	for row := range down {
		line := ""
		for i := row; i < len(texts); i += down {
			line += pad(texts[i], width)
		}
		p.raw(spaces(indent) + strings.TrimRight(line, " ") + "\n")
	}
}

func spaces(n int) string { return strings.Repeat(" ", max(0, n)) }

// pad appends spaces to text up to a width in columns.
func pad(text string, width int) string { return text + spaces(width-columns(text)) }
