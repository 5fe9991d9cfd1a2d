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
// short enough. It does not break between a number and its unit, or if width is below
// narrowest.
func fold(line string, width int) []string {
	text := strings.TrimLeft(line, " ")
	return foldWords(line[:len(line)-len(text)], amounts(strings.Split(text, " ")), width)
}

// foldPhrases breaks a line after commas and semicolons, and between words if a phrase is
// too wide. All pieces but the first are indented by two.
func foldPhrases(line string, width int) []string {
	if width < narrowest || columns(line) <= width {
		return []string{line}
	}
	var phrases []string
	phrase := ""
	for _, word := range strings.Split(line, " ") {
		if phrase != "" {
			phrase += " "
		}
		phrase += word
		if strings.HasSuffix(word, ",") || strings.HasSuffix(word, ";") {
			phrases = append(phrases, phrase)
			phrase = ""
		}
	}
	var pieces []string
	for i, piece := range foldWords("", append(phrases, phrase), width-2) {
		for j, part := range fold(piece, width-2) {
			if i+j > 0 {
				part = "  " + part
			}
			pieces = append(pieces, part)
		}
	}
	return pieces
}

func isUnit(word string) bool {
	switch word {
	case "B", "kB", "MB", "GB", "TB", "PB", "ms", "s", "min", "h", "%":
		return true
	}
	return false
}

// amounts joins each number with its unit.
func amounts(words []string) []string {
	var joined []string
	for i, word := range words {
		unit := strings.TrimRight(word, ".,;:)/")
		unit, _, _ = strings.Cut(unit, "/") // "MB/s"
		if i > 0 && isUnit(unit) && endsInDigit(words[i-1]) {
			joined[len(joined)-1] += " " + word
			continue
		}
		joined = append(joined, word)
	}
	return joined
}

func endsInDigit(word string) bool {
	return word != "" && word[len(word)-1] >= '0' && word[len(word)-1] <= '9'
}

// foldWords joins words to lines that begin with margin, as many to each as fit.
func foldWords(margin string, words []string, width int) []string {
	line := margin + strings.Join(words, " ")
	if width < narrowest || columns(line) <= width {
		return []string{line}
	}
	var pieces []string
	piece, used := margin, len(margin)
	for i, word := range words {
		n := columns(word)
		switch {
		case i == 0:
		case used+1+n > width:
			pieces = append(pieces, piece)
			piece, used = margin, len(margin)
		default:
			piece += " "
			used++
		}
		piece += word
		used += n
	}
	return append(pieces, piece)
}

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
