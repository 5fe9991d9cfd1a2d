// Package pep implements rules of the Python packaging standards: names (PEP 503),
// versions (PEP 440), requirements and markers (PEP 508). It also parses the constraints of Poetry.
package pep

import (
	"slices"
	"strings"
)

// Normalize returns the normal form of a package name (PEP 503): lower case, with one
// hyphen for each run of -, _ and dots.
func Normalize(name string) string {
	var b strings.Builder
	b.Grow(len(name))
	for i := range len(name) {
		c := name[i]
		switch {
		case c == '-' || c == '_' || c == '.':
			if i > 0 && strings.IndexByte("-_.", name[i-1]) >= 0 {
				continue
			}
			c = '-'
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		}
		b.WriteByte(c)
	}
	return b.String()
}

// ValidName reports whether name is a package name by PEP 508: ASCII letters and digits,
// with -, _ and dots between them. Such a name is neither an option nor a path.
func ValidName(name string) bool {
	return name != "" && isAlphanumeric(name[0]) && isAlphanumeric(name[len(name)-1]) &&
		!strings.ContainsFunc(name, func(r rune) bool { return r >= 0x80 || !isAlphanumeric(byte(r)) && !strings.ContainsRune("-_.", r) })
}

func isAlphanumeric(c byte) bool { return isDigit(c) || isLetter(c) }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

// keywords are the reserved words of Python 3.8 and later.
var keywords = []string{
	"False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def",
	"del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda",
	"nonlocal", "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
}

// Keywords returns the reserved words of Python.
func Keywords() []string { return slices.Clone(keywords) }

// ValidModule reports whether name can be imported: ASCII identifiers joined by dots,
// such as "google.protobuf".
func ValidModule(name string) bool {
	for part := range strings.SplitSeq(name, ".") {
		if part == "" || isDigit(part[0]) || slices.Contains(keywords, part) ||
			strings.ContainsFunc(part, func(r rune) bool { return r >= 0x80 || !isAlphanumeric(byte(r)) && r != '_' }) {
			return false
		}
	}
	return true
}

// ParseSdist returns the name, as written, and the version in the file name of a source archive,
// such as langdetect-1.0.9.tar.gz.
func ParseSdist(file string) (name, version string, ok bool) {
	stem, ok := strings.CutSuffix(file, ".tar.gz")
	if !ok {
		stem, ok = strings.CutSuffix(file, ".zip")
	}
	at := strings.LastIndexByte(stem, '-')
	if !ok || at < 0 {
		return "", "", false
	}
	name, version = stem[:at], stem[at+1:]
	return name, version, ValidName(name) && ValidVersion(version)
}
