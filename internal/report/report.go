// Package report prints what the others decided: plans, progress, results,
// problems, facts. It decides nothing and looks at nothing; equal inputs give
// equal bytes.
//
// Text is for people and changes freely; JSON has a format version and does not.
// Whatever came from a manifest, a file, a tool or a package is escaped on the
// way out, so that nothing of it can steer a terminal. Colour is an ornament:
// every output says the same without it.
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

// Options say how to print. The zero value suits a file or a pipe.
type Options struct {
	Width    int    // columns at which text is folded; 0 for never
	Color    bool   // whether the reader shows colours
	Terminal bool   // whether a person watches while it is written
	Verbose  bool   // also what the started programs print, and notes where nothing is to be done
	Detail   bool   // a block for every change, however many there are
	Manifest string // its name; "" for manifest.yaml
	// ReadText returns the content of a file of this machine, for the difference
	// to what will be written. Nil where the plan is for another machine.
	ReadText func(path string) (string, error)
}

func (o Options) manifest() string {
	if o.Manifest == "" {
		return "manifest.yaml"
	}
	return o.Manifest
}

// A Machine is one machine as data, for Status and Summary.
type Machine struct {
	Plan      *planner.Plan        // of the machine as it is now
	Resources []resources.Resource // all that the manifest asks of it
	Facts     *facts.Facts         // what is known; environments, GPU and disks are shown
	Options
}

// color is a way to draw a piece of text, in the codes of ECMA-48.
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

// A page is text on its way out. It keeps the first error, so that a page is
// written line by line and asked once at the end.
type page struct {
	w   *bufio.Writer
	o   Options
	err error
}

func newPage(w io.Writer, o Options) *page { return &page{w: bufio.NewWriter(w), o: o} }

// close writes what is left and returns the first error.
func (p *page) close() error {
	if err := p.w.Flush(); p.err == nil {
		p.err = err
	}
	return p.err
}

// paint returns text in a color, or as it is where colours are not wanted.
func (p *page) paint(c color, text string) string {
	if !p.o.Color || c == plain || text == "" {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
}

// raw writes text as it is. Every byte must be ours or escaped.
func (p *page) raw(text string) {
	if p.err == nil {
		_, p.err = p.w.WriteString(text)
	}
}

// blank ends a section.
func (p *page) blank() { p.raw("\n") }

// line writes one line, escaped; what is folded stands two columns deeper.
func (p *page) line(indent int, format string, args ...any) {
	p.folded(indent, indent+2, plain, "", fmt.Sprintf(format, args...))
}

// hang writes a label in a color, and text beside it that is folded under its
// own first word.
func (p *page) hang(indent int, c color, label, text string) {
	p.folded(indent, indent+columns(Escape(label)), c, label, text)
}

// last writes the line that tells the end, escaped. Scripts look for it, so it is
// one line unless it goes to a terminal that is too narrow, where it is folded at
// commas.
func (p *page) last(c color, label, text string) {
	label = Escape(label)
	for i, piece := range foldPhrases(label+Escape(text), p.o.Width) {
		if rest, ok := strings.CutPrefix(piece, label); ok && i == 0 {
			piece = p.paint(c, label) + rest
		}
		p.raw(piece + "\n")
	}
}

// folded writes a label and a text, whose further pieces begin at column under.
// Both are escaped, and each line of the text stays a line.
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
