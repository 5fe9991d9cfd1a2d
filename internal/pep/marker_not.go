package pep

import "strings"

// And returns the marker that holds where both hold. An empty marker holds everywhere.
func And(a, b string) string {
	switch {
	case a == "" || a == b:
		return b
	case b == "":
		return a
	}
	return parenthesized(a) + " and " + parenthesized(b)
}

func parenthesized(marker string) string {
	for _, word := range markerWords(marker) {
		if word == "or" {
			return "(" + marker + ")"
		}
	}
	return marker
}

// Not returns the marker that holds where a marker does not. ok is false if the marker is
// malformed or uses ~= or ===, which no other operator negates.
func Not(marker string) (negated string, ok bool) {
	words := markerWords(marker)
	if words == nil {
		return "", false
	}
	p := &markerParser{words: words}
	negated = p.notOr(0)
	return negated, !p.failed && len(p.words) == 0
}

// notOr negates alternatives: all of them must not hold.
func (p *markerParser) notOr(depth int) string {
	parts := []string{p.notAnd(depth)}
	for p.take("or") {
		parts = append(parts, p.notAnd(depth))
	}
	if len(parts) > 1 {
		for i := range parts {
			parts[i] = parenthesized(parts[i])
		}
	}
	return strings.Join(parts, " and ")
}

func (p *markerParser) notAnd(depth int) string {
	parts := []string{p.notComparison(depth)}
	for p.take("and") {
		parts = append(parts, p.notComparison(depth))
	}
	return strings.Join(parts, " or ")
}

func (p *markerParser) notComparison(depth int) string {
	if p.failed || depth > maxMarkerDepth {
		p.failed = true
		return ""
	}
	if p.take("(") {
		s := p.notOr(depth + 1)
		p.failed = !p.take(")") || p.failed
		return "(" + s + ")"
	}
	left, op := p.next(), p.next()
	if op == "not" && p.take("in") {
		op = "not in"
	}
	right := p.next()
	inverse := map[string]string{"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">", "in": "not in", "not in": "in"}[op]
	if p.failed || inverse == "" || !isOperand(left) || !isOperand(right) {
		p.failed = true
		return ""
	}
	return quoted(left) + " " + inverse + " " + quoted(right)
}

func isOperand(word string) bool {
	return isLetter(word[0]) && word != "in" && word != "not" && word != "and" && word != "or" || word[0] == '"' || word[0] == '\''
}

// quoted restores the closing quote of a string.
func quoted(word string) string {
	if word[0] == '"' || word[0] == '\'' {
		return word + word[:1]
	}
	return word
}
