// Package pep holds the rules of the Python packaging standards that more than
// one package needs: names (PEP 503, 508) and versions (PEP 440).
package pep

import "strings"

// Normalize returns the form of a distribution name in which equal names are
// equal strings (PEP 503): lower case, every run of -, _ and . one hyphen.
func Normalize(name string) string {
	var b strings.Builder
	b.Grow(len(name))
	separator := false
	for i := range len(name) {
		c := name[i]
		switch {
		case c == '-' || c == '_' || c == '.':
			separator = true
			continue
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		}
		if separator {
			b.WriteByte('-')
			separator = false
		}
		b.WriteByte(c)
	}
	if separator {
		b.WriteByte('-')
	}
	return b.String()
}

// ValidName reports whether name is a distribution name by PEP 508: ASCII
// letters and digits, with -, _ and . between them. Such a name can be neither
// an option nor a path.
func ValidName(name string) bool {
	if name == "" || !isAlphanumeric(name[0]) || !isAlphanumeric(name[len(name)-1]) {
		return false
	}
	for i := range len(name) {
		c := name[i]
		if !isAlphanumeric(c) && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}

func isAlphanumeric(c byte) bool { return isDigit(c) || isLetter(c) }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }
