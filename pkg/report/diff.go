package report

import (
	"fmt"
	"strings"
	"unicode/utf8"

	// The diff engine of the Go language server, published with an interface to
	// its hunks, which have to be escaped line by line. It is kept in step with
	// its source; the port of Python's difflib is frozen.
	"github.com/aymanbagabas/go-udiff"

	"github.com/reconcile-ml/reconcile/pkg/resources"
)

const (
	// maxDiffLines is the longest difference that is printed.
	maxDiffLines = 200
	// maxNewLines is the longest new file that is printed without being asked for.
	maxNewLines = 20
	// maxDiffBytes is the longest text that is compared.
	maxDiffBytes = 1 << 20
	// maxLineBytes is the longest line that is printed whole.
	maxLineBytes = 500
	contextLines = 3
)

// fileDiff prints how the file that is there differs from what will be written.
// It says why where it cannot.
func (p *page) fileDiff(s resources.WriteFile) {
	old, why := p.before(s)
	if why == "" {
		why = notText(s.Content, "what will be written")
	}
	if why == "" {
		why = notText(old, "what is there")
	}
	if why != "" {
		p.line(stepIndent+2, "(the difference is not shown: %s)", why)
		return
	}
	// The engine adds line ends to the last lines; the note below tells of one
	// that is missing.
	diff, err := udiff.ToUnifiedDiff("", "", old, udiff.Lines(old, s.Content), contextLines)
	if err != nil {
		p.line(stepIndent+2, "(the difference is not shown: %v)", err)
		return
	}
	added, removed, lines := measure(diff)
	if lines > maxDiffLines {
		p.line(stepIndent+2, "(the difference is not shown: %d lines, %d added and %d removed, more than %d)", lines, added, removed, maxDiffLines)
		return
	}
	if lines == 0 {
		return
	}
	if s.Replaces.IsZero() && lines > maxNewLines && !p.o.Detail {
		p.line(stepIndent+2, "(new, %d lines; --detail shows them)", lines)
		return
	}
	p.hunks(s, diff)
}

// before returns what stands where a file will be written, or why that is not
// known.
func (p *page) before(s resources.WriteFile) (text, why string) {
	if s.Replaces.IsZero() {
		return "", ""
	}
	if p.o.ReadText == nil {
		return "", "what is there was not recorded"
	}
	text, err := p.o.ReadText(s.Path)
	if err != nil {
		return "", err.Error()
	}
	return text, ""
}

// notText says why a content cannot be compared line by line, or nothing.
func notText(content, what string) string {
	switch {
	case len(content) > maxDiffBytes:
		return what + " is large"
	case strings.IndexByte(content, 0) >= 0 || !utf8.ValidString(content):
		return what + " is not text"
	}
	return ""
}

func measure(diff udiff.UnifiedDiff) (added, removed, lines int) {
	for _, h := range diff.Hunks {
		lines += len(h.Lines)
		for _, l := range h.Lines {
			switch l.Kind {
			case udiff.Insert:
				added++
			case udiff.Delete:
				removed++
			}
		}
	}
	return added, removed, lines
}

func (p *page) hunks(s resources.WriteFile, diff udiff.UnifiedDiff) {
	from := s.Path + " (on this machine)"
	if s.Replaces.IsZero() {
		from = "nothing (on this machine)"
	}
	p.code(bold, "--- ", from)
	p.code(bold, "+++ ", s.Path+" ("+p.o.manifest()+")")
	for _, h := range diff.Hunks {
		var before, after int
		for _, l := range h.Lines {
			if l.Kind != udiff.Insert {
				before++
			}
			if l.Kind != udiff.Delete {
				after++
			}
		}
		p.code(cyan, "", fmt.Sprintf("@@ -%s +%s @@", span(h.FromLine, before), span(h.ToLine, after)))
		for _, l := range h.Lines {
			p.diffLine(l)
		}
	}
}

// span is the place of a hunk, as diff -u writes it.
func span(line, n int) string {
	if n == 0 {
		line-- // the line before which nothing is
	}
	if n == 1 {
		return fmt.Sprint(line)
	}
	return fmt.Sprintf("%d,%d", max(line, 0), n)
}

func (p *page) diffLine(l udiff.Line) {
	mark, c := " ", plain
	switch l.Kind {
	case udiff.Insert:
		mark, c = "+", green
	case udiff.Delete:
		mark, c = "-", red
	}
	text, ended := strings.CutSuffix(l.Content, "\n")
	p.code(c, mark, text)
	if !ended {
		p.code(faint, `\ `, "no line end at the end of the file")
	}
}

// code prints one line as it is but for what a terminal must not see. Code is
// not folded: a broken line would look like two.
func (p *page) code(c color, mark, text string) {
	text = escapeCode(text)
	if len(text) > maxLineBytes {
		cut := maxLineBytes
		for !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = fmt.Sprintf("%s… (%d bytes more)", text[:cut], len(text)-cut)
	}
	p.raw(spaces(stepIndent+2) + p.paint(c, mark+text) + "\n")
}
