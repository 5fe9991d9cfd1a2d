package report

import (
	"strings"
	"unicode/utf8"

	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// narrowest is the width below which folding would hurt more than it helps.
const narrowest = 20

// columns returns how wide text is, taking each character for one column.
func columns(s string) int { return utf8.RuneCountInString(s) }

// fold breaks a line at spaces so that no piece is wider than width, where its
// words allow that. A width below narrowest leaves the line whole.
func fold(line string, width int) []string {
	if width < narrowest || columns(line) <= width {
		return []string{line}
	}
	text := strings.TrimLeft(line, " ")
	margin := line[:len(line)-len(text)]
	var pieces []string
	piece, wide := margin, len(margin)
	for i, word := range strings.Split(text, " ") {
		n := columns(word)
		switch {
		case i == 0:
		case wide+1+n > width:
			pieces = append(pieces, piece)
			piece, wide = margin, len(margin)
		default:
			piece += " "
			wide++
		}
		piece += word
		wide += n
	}
	return append(pieces, piece)
}

// foldCommand returns a command as a shell reads it. A long one is broken between
// words with a backslash; an option stays with its value where they fit.
func foldCommand(words []string, width int) []string {
	line := escapeWords(words)
	if width < narrowest || columns(strings.Join(line, " ")) <= width {
		return []string{strings.Join(line, " ")}
	}
	var pieces []string
	piece := ""
	for _, part := range pairs(line) {
		if piece != "" && columns(piece)+1+columns(part)+2 > width {
			pieces = append(pieces, piece+` \`)
			piece = "  "
		}
		if piece != "" && piece != "  " {
			piece += " "
		}
		piece += part
	}
	return append(pieces, piece)
}

// pairs joins each --option with the value behind it.
func pairs(words []string) []string {
	var parts []string
	for i := 0; i < len(words); i++ {
		isOption := strings.HasPrefix(words[i], "-") && !strings.Contains(words[i], "=")
		if isOption && i+1 < len(words) && !strings.HasPrefix(words[i+1], "-") {
			parts = append(parts, words[i]+" "+words[i+1])
			i++
			continue
		}
		parts = append(parts, words[i])
	}
	return parts
}

// escapeWords quotes words for a shell. A word that holds what a terminal must
// not see is written in the $'…' form, which bash and zsh read back.
func escapeWords(words []string) []string {
	out := make([]string, len(words))
	for i, w := range words {
		if Escape(w) == w {
			out[i] = resources.ShellQuote(w)
			continue
		}
		safe := strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(w)
		out[i] = "$'" + Escape(safe) + "'"
	}
	return out
}

// Command returns words as one line that a shell reads back, and that shows
// nothing a terminal must not see.
func Command(words []string) string { return strings.Join(escapeWords(words), " ") }
