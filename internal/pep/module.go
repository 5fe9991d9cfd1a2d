package pep

import (
	"slices"
	"strings"
)

// keywords are the words that Python 3.8 and later never take as a name.
var keywords = []string{
	"False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def",
	"del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda",
	"nonlocal", "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
}

// Keywords returns the words of Python that no part of a module's name can be.
func Keywords() []string { return slices.Clone(keywords) }

// ValidModule reports whether name can be imported: identifiers joined by dots,
// "bs4", "google.protobuf". Python would take other scripts too; only ASCII is
// taken here, so that a name looks like what it is.
func ValidModule(name string) bool {
	for part := range strings.SplitSeq(name, ".") {
		if !isIdentifier(part) || slices.Contains(keywords, part) {
			return false
		}
	}
	return true
}

func isIdentifier(s string) bool {
	for i := range len(s) {
		if !isLetter(s[i]) && s[i] != '_' && (i == 0 || !isDigit(s[i])) {
			return false
		}
	}
	return s != ""
}
