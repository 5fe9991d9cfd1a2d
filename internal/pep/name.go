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
