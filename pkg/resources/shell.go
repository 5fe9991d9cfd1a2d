package resources

import "strings"

// ShellQuote returns a word as a POSIX shell reads it back: bare where every
// character is plain, in single quotes else. It is for what people paste;
// nothing that reconcile runs goes through a shell.
func ShellQuote(word string) string {
	if word != "" && strings.IndexFunc(word, special) < 0 && word[0] != '~' {
		return word
	}
	return ShellSingleQuote(word)
}

// ShellText returns a word in single quotes, whatever is in it: for the value of an
// assignment, where a shell would expand a ~ behind a colon.
func ShellSingleQuote(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }

// ShellJoin returns words as one line of a POSIX shell.
func ShellJoin(words ...string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = ShellQuote(w)
	}
	return strings.Join(quoted, " ")
}

func special(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		return false
	}
	return !strings.ContainsRune("%+,-./:=@_~", r)
}
