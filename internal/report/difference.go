package report

import (
	"fmt"
	"strings"
	"unicode/utf8"

	// The diff engine of the Go language server, published with an interface to
	// its hunks, which have to be escaped line by line. It is kept in step with
	// its source; the port of Python's difflib is frozen.
	"github.com/aymanbagabas/go-udiff"

	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/plural"
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

// The marks of the lines of a difference.
const (
	markFrom  = "--- "
	markTo    = "+++ "
	markHunk  = "@@"
	markSame  = " "
	markAdded = "+"
	markGone  = "-"
	markNote  = `\ `
)

// A difference is how the file that is there differs from what will be written: its
// lines as `diff -u` orders them, or why it is not shown. Both empty is no difference.
type difference struct {
	lines []diffLine
	added int
	why   string
}

// diffLine is one line. The text is not escaped yet, and may be of any length.
type diffLine struct{ mark, text string }

// shown returns a line as it is printed: nothing in it acts on a terminal, and it is
// not longer than people read.
func (l diffLine) shown() string {
	text := escapeCode(l.text)
	if len(text) > maxLineBytes {
		cut := maxLineBytes
		for !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = fmt.Sprintf("%s… (%d bytes more)", text[:cut], len(text)-cut)
	}
	if l.mark == markHunk {
		return text
	}
	return l.mark + text
}

// difference compares what stands where a file will be written with its content.
// wasMode is the mode of what stands there where it will have another.
func (o Options) difference(s resources.WriteFile, wasMode string) difference {
	old, why := o.before(s)
	if why == "" {
		why = notText(s.Content, "what will be written")
	}
	if why == "" {
		why = notText(old, "what is there")
	}
	if why != "" {
		return difference{why: why}
	}
	// The engine adds line ends to the last lines; the note below tells of one
	// that is missing.
	diff, err := udiff.ToUnifiedDiff("", "", old, udiff.Lines(old, s.Content), contextLines)
	if err != nil {
		return difference{why: err.Error()}
	}
	added, removed, lines := measure(diff)
	if lines > maxDiffLines {
		return difference{why: fmt.Sprintf("%s, %d added and %d removed, more than %d", plural.Count(lines, "line"), added, removed, maxDiffLines)}
	}
	if lines == 0 {
		return difference{}
	}
	return difference{lines: o.lines(s, wasMode, diff), added: added}
}

// before returns what stands where a file will be written, or why that is not
// known.
func (o Options) before(s resources.WriteFile) (text, why string) {
	if s.Replaces.IsZero() {
		return "", ""
	}
	if o.ReadText == nil {
		return "", "what is there was not recorded"
	}
	text, err := o.ReadText(s.Path)
	if err != nil {
		return "", err.Error()
	}
	return text, ""
}

// notText says why a content cannot be compared line by line, or nothing.
func notText(content, what string) string {
	switch {
	case len(content) > maxDiffBytes:
		return fmt.Sprintf("%s is large: %s, more than %s", what, bytesize.Format(int64(len(content))), bytesize.Format(maxDiffBytes))
	case strings.IndexByte(content, 0) >= 0 || !utf8.ValidString(content):
		return fmt.Sprintf("%s is not text: %s of binary data", what, bytesize.Format(int64(len(content))))
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

// lines returns the sides by their names, and the hunks.
func (o Options) lines(s resources.WriteFile, wasMode string, diff udiff.UnifiedDiff) []diffLine {
	from, to := s.Path+" (on this machine)", s.Path+" ("+o.manifest()+")"
	switch {
	case s.Replaces.IsZero():
		from = "nothing (on this machine)"
	case wasMode != "":
		from = fmt.Sprintf("%s (on this machine, %s)", s.Path, wasMode)
		to = fmt.Sprintf("%s (%s, %s)", s.Path, o.manifest(), s.Mode)
	}
	list := []diffLine{{markFrom, from}, {markTo, to}}
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
		list = append(list, diffLine{markHunk, fmt.Sprintf("@@ -%s +%s @@", span(h.FromLine, before), span(h.ToLine, after))})
		for _, l := range h.Lines {
			mark := map[udiff.OpKind]string{udiff.Insert: markAdded, udiff.Delete: markGone, udiff.Equal: markSame}[l.Kind]
			text, ended := strings.CutSuffix(l.Content, "\n")
			list = append(list, diffLine{mark, text})
			if !ended {
				list = append(list, diffLine{markNote, "no line end at the end of the file"})
			}
		}
	}
	return list
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
