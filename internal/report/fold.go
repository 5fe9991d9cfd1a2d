package report

import (
	"strings"
	"unicode/utf8"

	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// narrowest is the smallest width at which text is folded.
const narrowest = 20

// columns returns the width of text. Every character counts as one column.
func columns(s string) int { return utf8.RuneCountInString(s) }

// fold breaks a line at spaces into pieces of at most width columns, if its words are
// short enough, and not after a number. Each piece has the indentation of the line. It does
// not break if width is below narrowest.
func fold(line string, width int) []string {
	if width < narrowest || columns(line) <= width {
		return []string{line}
	}
	text := strings.TrimLeft(line, " ")
	margin := line[:len(line)-len(text)]
	var pieces []string
	piece := ""
	for i, word := range joinNumbers(strings.Split(text, " ")) {
		switch {
		case i == 0:
			piece = margin + word
		case columns(piece)+1+columns(word) > width:
			pieces = append(pieces, piece)
			piece = margin + word
		default:
			piece += " " + word
		}
	}
	return append(pieces, piece)
}

// joinNumbers joins each number with the next word, such as its unit.
func joinNumbers(words []string) []string {
	var joined []string
	for _, word := range words {
		if n := len(joined); n > 0 && isNumber(joined[n-1]) {
			joined[n-1] += " " + word
		} else {
			joined = append(joined, word)
		}
	}
	return joined
}

func isNumber(word string) bool { return word != "" && strings.Trim(word, "(~0123456789.") == "" }

// foldCommand breaks a command of quoted words with backslashes, and not between an
// option and its value.
func foldCommand(line []string, width int) []string {
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

// pairs joins each --option with its value.
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

// quoteWords quotes words for a shell. A word with characters that must not reach a
// terminal is written in the $'…' form, which bash and zsh read back.
func quoteWords(words []string) []string {
	out := make([]string, len(words))
	for i, w := range words {
		switch {
		case Escape(w) == w:
			out[i] = resources.ShellQuote(w)
		default:
			safe := strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(w)
			out[i] = "$'" + Escape(safe) + "'"
		}
	}
	return out
}

// Command returns words as one line for a shell. It cannot control a terminal.
func Command(words []string) string { return strings.Join(quoteWords(words), " ") }
