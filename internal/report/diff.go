package report

import "github.com/reconcile-ml/reconcile/pkg/resources"

// markColor is how a line of a difference is painted.
var markColor = map[string]color{
	markFrom: bold, markTo: bold, markHunk: cyan, markAdded: green, markGone: red, markNote: faint,
}

// fileDiff prints how the file that is there differs from what will be written.
// It says why where it cannot.
func (p *page) fileDiff(s resources.WriteFile, wasMode string) {
	d := p.o.difference(s, wasMode)
	if d.why != "" {
		p.line(stepIndent+2, "(the difference is not shown: %s)", d.why)
		return
	}
	if s.Replaces.IsZero() && d.added > maxNewLines && !p.o.Detail {
		p.line(stepIndent+2, "(new, %d lines; --detail shows them)", d.added)
		return
	}
	for _, l := range d.lines {
		p.code(l)
	}
}

// code prints one line as it is but for what a terminal must not see. Code is
// not folded: a broken line would look like two.
func (p *page) code(l diffLine) {
	p.raw(spaces(stepIndent+2) + p.paint(markColor[l.mark], l.shown()) + "\n")
}
