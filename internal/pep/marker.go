package pep

import "strings"

// A MarkerEnvironment holds the values of the variables of markers (PEP 508), such as
// "linux" for "sys_platform".
type MarkerEnvironment map[string]string

// MarkerVariables returns the names of the variables of markers.
func MarkerVariables() []string {
	return []string{
		"python_version", "python_full_version", "os_name", "sys_platform", "platform_release", "platform_system", "platform_version",
		"platform_machine", "platform_python_implementation", "implementation_name", "implementation_version", "extra",
	}
}

// ValidMarker reports whether a marker can be evaluated.
func ValidMarker(marker string) bool {
	e := MarkerEnvironment{}
	for _, name := range MarkerVariables() {
		e[name] = "3.10" // as a text, and as a version
	}
	_, ok := e.Holds(marker)
	return ok
}

// Holds reports whether a marker holds. ok is false if the marker is malformed or uses a
// variable that is not in the environment.
func (e MarkerEnvironment) Holds(marker string) (holds, ok bool) { return e.HoldsWith(marker, nil) }

// HoldsWith is Holds with variables that are sets of normalised names, such as "extras" and
// "dependency_groups" of PEP 751. If "extra" is a set, == holds for each of its elements, and
// != for all other names.
func (e MarkerEnvironment) HoldsWith(marker string, sets map[string]map[string]bool) (holds, ok bool) {
	words := markerWords(marker)
	if words == nil {
		return false, false
	}
	p := &markerParser{words: words, env: e, sets: sets}
	holds = p.or(0)
	return holds, !p.failed && len(p.words) == 0
}

// A markerParser parses and evaluates a marker by recursive descent.
type markerParser struct {
	words  []string // a string literal keeps its opening quote
	env    MarkerEnvironment
	sets   map[string]map[string]bool
	failed bool
}

// maxMarkerDepth is the maximum depth of parentheses.
const maxMarkerDepth = 50

func (p *markerParser) next() string {
	if len(p.words) == 0 {
		p.failed = true
		return ""
	}
	word := p.words[0]
	p.words = p.words[1:]
	return word
}

func (p *markerParser) take(word string) bool {
	if len(p.words) == 0 || p.words[0] != word {
		return false
	}
	p.words = p.words[1:]
	return true
}

func (p *markerParser) or(depth int) bool {
	holds := p.and(depth)
	for p.take("or") {
		right := p.and(depth)
		holds = holds || right
	}
	return holds
}

func (p *markerParser) and(depth int) bool {
	holds := p.comparison(depth)
	for p.take("and") {
		right := p.comparison(depth)
		holds = holds && right
	}
	return holds
}

func (p *markerParser) comparison(depth int) bool {
	if p.failed || depth > maxMarkerDepth {
		p.failed = true
		return false
	}
	if p.take("(") {
		holds := p.or(depth + 1)
		p.failed = !p.take(")") || p.failed
		return holds
	}
	left, leftKind := p.operand()
	op := p.next()
	if op == "not" && p.take("in") {
		op = "not in"
	}
	right, rightKind := p.operand()
	if p.failed {
		return false
	}
	if leftKind == setVariable || rightKind == setVariable {
		return p.membership(left, leftKind, op, right, rightKind)
	}
	if leftKind == extraVariable || rightKind == extraVariable {
		left, right = Normalize(left), Normalize(right)
	}
	switch op {
	case "in":
		return strings.Contains(right, left)
	case "not in":
		return !strings.Contains(right, left)
	}
	if leftKind != versionVariable && rightKind != versionVariable {
		p.failed = op != "==" && op != "!="
		return (op == "==") == (left == right)
	}
	c, ok := parseClause(op + right)
	holds := false
	if ok {
		holds, ok = Allows([]Clause{c}, left)
	}
	p.failed = !ok
	return holds
}

// An operandKind is the kind of an operand of a comparison.
type operandKind int

const (
	text            operandKind = iota // a string, or a variable with a text
	versionVariable                    // compared by PEP 440
	extraVariable                      // compared as a normalised name
	setVariable                        // a set of normalised names; the value is its name
)

// membership compares a name with a set of names.
func (p *markerParser) membership(left string, leftKind operandKind, op, right string, rightKind operandKind) bool {
	name, set := right, p.sets[left]
	if rightKind == setVariable {
		name, set = left, p.sets[right]
	}
	is := set[Normalize(name)]
	switch {
	case leftKind == rightKind:
	case op == "==", op == "in" && rightKind == setVariable:
		return is
	case op == "!=", op == "not in" && rightKind == setVariable:
		return !is
	}
	p.failed = true
	return false
}

// operand returns a string, or the value of a variable and its kind.
func (p *markerParser) operand() (value string, kind operandKind) {
	word := p.next()
	if p.failed {
		return "", text
	}
	if word[0] == '"' || word[0] == '\'' {
		return word[1:], text
	}
	word = variable(word)
	if _, isSet := p.sets[word]; isSet {
		return word, setVariable
	}
	value, known := p.env[word]
	p.failed = !known
	switch word {
	case "python_version", "python_full_version", "implementation_version", "platform_release":
		return value, versionVariable
	case "extra":
		return value, extraVariable
	}
	return value, text
}

// variable returns the name of a variable of PEP 508 for its older spellings.
func variable(word string) string {
	switch word {
	case "os.name", "sys.platform", "platform.version", "platform.machine", "platform.python_implementation":
		return strings.ReplaceAll(word, ".", "_")
	case "python_implementation":
		return "platform_python_implementation"
	}
	return word
}

// markerWords splits a marker. It returns nil for an unterminated string or a character
// that no marker contains.
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
