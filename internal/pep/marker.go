package pep

import (
	"slices"
	"strings"
)

// A MarkerEnvironment gives the variables of a marker (PEP 508) their values, such as
// "linux" to "sys_platform".
type MarkerEnvironment map[string]string

// versioned are the variables that are compared as versions.
var versioned = []string{"python_version", "python_full_version", "implementation_version", "platform_release"}

// Holds reports whether a marker holds. ok is false for one that cannot be read, or
// that asks for a variable whose value is not known.
func (e MarkerEnvironment) Holds(marker string) (holds, ok bool) {
	m := &markerReader{words: markerWords(marker), env: e}
	if m.words == nil {
		return false, false
	}
	holds = m.or(0)
	return holds, !m.failed && len(m.words) == 0
}

// markerReader reads words from the left.
type markerReader struct {
	words  []string // a text keeps its first quote
	env    MarkerEnvironment
	failed bool
}

// deepestMarker is how many brackets may stand in each other.
const deepestMarker = 50

func (m *markerReader) next() string {
	if len(m.words) == 0 {
		m.failed = true
		return ""
	}
	word := m.words[0]
	m.words = m.words[1:]
	return word
}

func (m *markerReader) take(word string) bool {
	if len(m.words) == 0 || m.words[0] != word {
		return false
	}
	m.words = m.words[1:]
	return true
}

func (m *markerReader) or(depth int) bool {
	holds := m.and(depth)
	for m.take("or") {
		right := m.and(depth)
		holds = holds || right
	}
	return holds
}

func (m *markerReader) and(depth int) bool {
	holds := m.one(depth)
	for m.take("and") {
		right := m.one(depth)
		holds = holds && right
	}
	return holds
}

func (m *markerReader) one(depth int) bool {
	if m.failed || depth > deepestMarker {
		m.failed = true
		return false
	}
	if m.take("(") {
		holds := m.or(depth + 1)
		m.failed = !m.take(")") || m.failed
		return holds
	}
	left, leftName := m.value()
	op := m.next()
	if op == "not" && m.take("in") {
		op = "not in"
	}
	right, rightName := m.value()
	if m.failed {
		return false
	}
	holds, ok := compareMarker(left, op, right, slices.Contains(versioned, leftName) || slices.Contains(versioned, rightName))
	m.failed = m.failed || !ok
	return holds
}

// value returns a text, or the value of a variable and its name.
func (m *markerReader) value() (value, name string) {
	word := m.next()
	if m.failed {
		return "", ""
	}
	if word[0] == '"' || word[0] == '\'' {
		return word[1:], ""
	}
	value, known := m.env[word]
	m.failed = !known
	return value, word
}

func compareMarker(left, op, right string, versions bool) (holds, ok bool) {
	switch op {
	case "in":
		return strings.Contains(right, left), true
	case "not in":
		return !strings.Contains(right, left), true
	}
	if !versions {
		return (op == "==") == (left == right), op == "==" || op == "!="
	}
	c, ok := parseClause(op + right)
	if !ok {
		return false, false
	}
	return Allows([]Clause{c}, left)
}

// markerWords splits a marker; nil for one with a text that does not end or a
// character that no marker has.
func markerWords(s string) []string {
	var words []string
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimSpace(s) {
		end := 1
		switch c := s[0]; {
		case c == '(' || c == ')':
		case c == '"' || c == '\'':
			closing := strings.IndexByte(s[1:], c)
			if closing < 0 {
				return nil
			}
			words, s = append(words, s[:closing+1]), s[closing+2:]
			continue
		case strings.IndexByte("<>=!~", c) >= 0:
			for end < len(s) && strings.IndexByte("<>=!~", s[end]) >= 0 {
				end++
			}
		case isLetter(c):
			for end < len(s) && (isAlphanumeric(s[end]) || s[end] == '_' || s[end] == '.') {
				end++
			}
		default:
			return nil
		}
		words, s = append(words, s[:end]), s[end:]
	}
	return words
}
