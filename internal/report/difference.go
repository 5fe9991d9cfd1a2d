package report

import (
	"fmt"
	"strings"
	"unicode/utf8"

	// The diff engine of gopls. Its hunks are lists of lines, which can be escaped one
	// by one; it is maintained, unlike the port of Python's difflib.
	"github.com/aymanbagabas/go-udiff"

	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/plural"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

const (
	maxDiffLines = 200     // of a printed diff
	maxNewLines  = 20      // of a new file that is printed without --detail
	maxDiffBytes = 1 << 20 // of a compared text
	maxLineBytes = 500     // of a printed line
	contextLines = 3
)

// A difference is the diff between the existing file and its new content, or the reason
// why there is none. It has neither if the contents are equal.
type difference struct {
	lines []lineView
	added int
	why   string
}

// A lineView is one line of a diff as it is printed. Kind is "file", "hunk", "same",
// "added", "gone" or "note".
type lineView struct{ Kind, Text string }

// newLine returns a line of a diff, escaped and shortened to maxLineBytes.
func newLine(kind, mark, text string) lineView {
	return lineView{kind, mark + shorten(escapeCode(text), maxLineBytes)}
}

// shorten cuts a text to at most limit bytes and adds how many are missing.
func shorten(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	for !utf8.RuneStart(text[limit]) {
		limit--
	}
	return fmt.Sprintf("%s… (%d bytes more)", text[:limit], len(text)-limit)
}

// difference compares the existing file with its new content. oldMode is the mode of the
// existing file if that changes.
func (o Options) difference(s resources.WriteFile, oldMode string) difference {
	old, why := o.existing(s)
	if why == "" {
		why = notText(s.Content, "the new content")
	}
	if why == "" {
		why = notText(old, "the existing file")
	}
	if why != "" {
		return difference{why: why}
	}
	// The engine adds missing line ends to the last lines; a note below reports them.
	diff, err := udiff.ToUnifiedDiff("", "", old, udiff.Lines(old, s.Content), contextLines)
	if err != nil {
		return difference{why: err.Error()}
	}
	added, removed, lines := 0, 0, 0
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
	if lines > maxDiffLines {
		return difference{why: fmt.Sprintf("%s, %d added and %d removed, more than %d", plural.Count(lines, "line"), added, removed, maxDiffLines)}
	}
	if lines == 0 {
		return difference{}
	}
	return difference{lines: o.lines(s, oldMode, diff), added: added}
}

// existing returns the content of the existing file, or why it is unknown.
func (o Options) existing(s resources.WriteFile) (text, why string) {
	if s.Replaces.IsZero() {
		return "", ""
	}
	if o.ReadText == nil {
		return "", "the existing file was not recorded"
	}
	text, err := o.ReadText(s.Path)
	if err != nil {
		return "", err.Error()
	}
	return text, ""
}

// notText returns why a content cannot be compared line by line, "" if it can.
func notText(content, what string) string {
	switch {
	case len(content) > maxDiffBytes:
		return fmt.Sprintf("%s is large: %s, more than %s", what, bytesize.Format(int64(len(content))), bytesize.Format(maxDiffBytes))
	case strings.IndexByte(content, 0) >= 0 || !utf8.ValidString(content):
		return fmt.Sprintf("%s is not text: %s of binary data", what, bytesize.Format(int64(len(content))))
	}
	return ""
}

// lines returns the names of both sides and the hunks.
func (o Options) lines(s resources.WriteFile, oldMode string, diff udiff.UnifiedDiff) []lineView {
	from, to := s.Path+" (on this machine)", s.Path+" ("+o.manifest()+")"
	switch {
	case s.Replaces.IsZero():
		from = "nothing (on this machine)"
	case oldMode != "":
		from = fmt.Sprintf("%s (on this machine, %s)", s.Path, oldMode)
		to = fmt.Sprintf("%s (%s, %s)", s.Path, o.manifest(), s.Mode)
	}
	list := []lineView{newLine("file", "--- ", from), newLine("file", "+++ ", to)}
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
		list = append(list, newLine("hunk", "", fmt.Sprintf("@@ -%s +%s @@", span(h.FromLine, before), span(h.ToLine, after))))
		for _, l := range h.Lines {
			kind, mark := "same", " "
			switch l.Kind {
			case udiff.Insert:
				kind, mark = "added", "+"
			case udiff.Delete:
				kind, mark = "gone", "-"
			}
			text, ended := strings.CutSuffix(l.Content, "\n")
			list = append(list, newLine(kind, mark, text))
			if !ended {
				list = append(list, newLine("note", `\ `, "no line end at the end of the file"))
			}
		}
	}
	return list
}

// span is the position of a hunk in the format of diff -u.
func span(line, n int) string {
	if n == 0 {
		line-- // the line before
	}
	if n == 1 {
		return fmt.Sprint(line)
	}
	return fmt.Sprintf("%d,%d", max(line, 0), n)
}
