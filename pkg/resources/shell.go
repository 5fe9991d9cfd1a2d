package resources

import "strings"

// ShellQuote quotes a word for a POSIX shell: unchanged if it has no special characters,
// else in single quotes. It is for commands that are printed; reconcile runs nothing
// through a shell.
func ShellQuote(word string) string {
	if word != "" && word[0] != '~' && strings.IndexFunc(word, special) < 0 {
		return word
	}
	return ShellSingleQuote(word)
}

// ShellSingleQuote puts a word into single quotes, even if ShellQuote would not: in the
// value of an assignment a shell expands a ~ after a colon.
func ShellSingleQuote(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }

// ShellJoin quotes words and joins them to one line.
func ShellJoin(words ...string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = ShellQuote(w)
	}
	return strings.Join(quoted, " ")
}

func special(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("%+,-./:=@_~", r)
}
