package declared

import (
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/pep"
)

// A token is a token of a Python program.
type token struct {
	kind tokenKind
	text string // of a string, its value
	pos  diag.Pos
}

type tokenKind int

const (
	nameToken    tokenKind = iota
	stringToken            // without placeholders
	computedText           // a string whose value is not known here: an f-string, bytes, or a rare escape
	numberToken
	operator // one character
	lineEnd  // the end of a statement
)

// tokens returns the tokens of a Python program, or nil if it is malformed. Lines in brackets are
// joined.
func tokens(file, text string) []token {
	t := &tokenizer{file: file, text: text, line: 1}
	for t.at < len(t.text) {
		if !t.next() {
			return nil
		}
	}
	return append(t.list, token{lineEnd, "", t.pos()})
}

type tokenizer struct {
	file, text string
	at         int
	line       int
	start      int // offset of the line
	depth      int // of brackets
	list       []token
}

func (t *tokenizer) pos() diag.Pos {
	return diag.Pos{File: t.file, Line: t.line, Col: 1 + t.at - t.start}
}

func (t *tokenizer) add(kind tokenKind, text string, pos diag.Pos) {
	t.list = append(t.list, token{kind, text, pos})
}

func isNameByte(c byte) bool {
	return c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c >= 0x80
}

// next adds the next token. It returns false for an unterminated string.
func (t *tokenizer) next() bool {
	c, pos := t.text[t.at], t.pos()
	switch {
	case c == '\n':
		t.at++
		if t.depth == 0 && len(t.list) > 0 && t.list[len(t.list)-1].kind != lineEnd {
			t.add(lineEnd, "", pos)
		}
		t.newLine()
	case c == '\\' && strings.HasPrefix(t.text[t.at:], "\\\n"):
		t.at += 2
		t.newLine()
	case c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\\':
		t.at++
	case c == '#':
		for t.at < len(t.text) && t.text[t.at] != '\n' {
			t.at++
		}
	case isNameByte(c) || c == '"' || c == '\'':
		start := t.at
		for t.at < len(t.text) && isNameByte(t.text[t.at]) {
			t.at++
		}
		word := t.text[start:t.at]
		isString := t.at < len(t.text) && (t.text[t.at] == '"' || t.text[t.at] == '\'')
		if isString && (word == "" || len(word) < 3 && strings.Trim(strings.ToLower(word), "rbuf") == "") {
			return t.string(strings.ToLower(word), pos)
		}
		kind := nameToken
		if '0' <= c && c <= '9' {
			kind = numberToken
		}
		t.add(kind, word, pos)
	default:
		switch c {
		case '(', '[', '{':
			t.depth++
		case ')', ']', '}':
			t.depth = max(0, t.depth-1)
		}
		t.at++
		t.add(operator, string(rune(c)), pos)
	}
	return true
}

func (t *tokenizer) newLine() { t.line, t.start = t.line+1, t.at }

// string reads a string that begins with a quote.
func (t *tokenizer) string(prefix string, pos diag.Pos) bool {
	quote := t.text[t.at : t.at+1]
	if strings.HasPrefix(t.text[t.at:], strings.Repeat(quote, 3)) {
		quote = strings.Repeat(quote, 3)
	}
	t.at += len(quote)
	kind := stringToken
	if strings.ContainsAny(prefix, "fb") {
		kind = computedText
	}
	var b strings.Builder
	for {
		rest := t.text[t.at:]
		switch {
		case strings.HasPrefix(rest, quote):
			t.at += len(quote)
			t.add(kind, b.String(), pos)
			return true
		case rest == "" || rest[0] == '\n' && len(quote) == 1:
			return false
		case rest[0] == '\\' && len(rest) > 1:
			t.at += 2
			switch c := rest[1]; {
			case c == '\n':
				t.newLine()
			case strings.Contains(prefix, "r"):
				b.WriteString(rest[:2])
			case c == 'n':
				b.WriteByte('\n')
			case c == 't':
				b.WriteByte('\t')
			case c == '\\' || c == '\'' || c == '"':
				b.WriteByte(c)
			default:
				kind = computedText
			}
		default:
			b.WriteByte(rest[0])
			t.at++
			if rest[0] == '\n' {
				t.newLine()
			}
		}
	}
}

// A program is a Python program for the evaluation of literals.
type program struct {
	tokens    []token
	functions map[string]span
	values    map[string][]span            // the values assigned to each name
	items     map[string]map[string][]span // NAME["key"] = VALUE
	changed   map[string]bool              // names that are changed in another way
	work      int                          // operands evaluated
}

const (
	maxNames = 20      // names and brackets inside each other
	maxWork  = 100_000 // operands of a program
)

// A span is a range of tokens.
type span struct{ from, to int }

func newProgram(list []token) *program {
	p := &program{tokens: list, functions: map[string]span{}, values: map[string][]span{}, items: map[string]map[string][]span{}, changed: map[string]bool{}}
	for i := range list {
		if i == 0 || list[i-1].kind == lineEnd || p.is(i-1, ";") {
			p.statement(i)
		}
		if p.is(i, "for") || p.is(i, "as") {
			p.changed[p.text(i+1)] = true
		}
	}
	return p
}

func (p *program) text(i int) string {
	if i < 0 || i >= len(p.tokens) || p.tokens[i].kind == stringToken || p.tokens[i].kind == computedText {
		return ""
	}
	return p.tokens[i].text
}

// is reports whether token i is a name or an operator with a text.
func (p *program) is(i int, text string) bool { return text != "" && p.text(i) == text }

// end returns the end of the statement at i.
func (p *program) end(i int) int {
	for i < len(p.tokens) && p.tokens[i].kind != lineEnd {
		i++
	}
	return i
}

// closing returns the index of the bracket that closes the one at i, before end.
func (p *program) closing(i, end int) int {
	depth := 0
	for ; i < end; i++ {
		switch p.text(i) {
		case "(", "[", "{":
			depth++
		case ")", "]", "}":
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return end
}

func isCompound(word string) bool {
	return slices.Contains([]string{"if", "elif", "else", "for", "while", "try", "except", "finally", "with"}, word)
}

// colon returns the index of the first colon outside of brackets, or end.
func (p *program) colon(i, end int) int {
	for ; i < end && !p.is(i, ":"); i++ {
		if t := p.text(i); t == "(" || t == "[" || t == "{" {
			i = p.closing(i, end)
		}
	}
	return min(i, end)
}

// statement records a function, an assignment or a change.
func (p *program) statement(i int) {
	end := p.end(i)
	if p.is(i, "def") {
		body := end
		for body+1 < len(p.tokens) && p.tokens[body+1].pos.Col > p.tokens[i].pos.Col {
			body = p.end(body + 1)
		}
		p.functions[p.text(i+1)] = span{i + 2, body}
		return
	}
	if p.tokens[i].kind != nameToken {
		return
	}
	name := p.tokens[i].text
	if isCompound(name) { // if x: y = z
		if body := p.colon(i, end) + 1; body < end && !isCompound(p.text(body)) {
			p.statement(body)
		}
		return
	}
	if name == "del" {
		p.changed[p.text(i+1)] = true
	}
	if p.is(i+1, ":") { // an annotation
		for j := i + 2; j < end; j++ {
			if p.is(j, "=") {
				p.values[name] = append(p.values[name], span{j + 1, end})
				return
			}
		}
		return
	}
	if p.is(i+1, "[") {
		close := p.closing(i+1, end)
		if close == i+3 && p.tokens[i+2].kind == stringToken && p.is(close+1, "=") && !p.is(close+2, "=") {
			if p.items[name] == nil {
				p.items[name] = map[string][]span{}
			}
			key := p.tokens[i+2].text
			p.items[name][key] = append(p.items[name][key], span{close + 2, end})
			return
		}
		p.changed[name] = true
		return
	}
	switch {
	case p.is(i+1, "=") && !p.is(i+2, "="):
		p.values[name] = append(p.values[name], span{i + 2, end})
	case p.is(i+1, "+") && p.is(i+2, "="), p.is(i+1, ","):
		p.changed[name] = true
	case p.is(i+1, ".") && p.is(i+3, "("):
		p.changed[name] = true
	}
}

// A literal is the value of an expression: a string, a list or a dictionary.
type literal struct {
	kind  byte // 's', 'l', 'd'
	text  string
	pos   diag.Pos
	items []literal
	keys  []string // of a dictionary, beside items
}

// eval evaluates an expression of literals, names with one value, + and subscripts. ok is false
// for any other.
func (p *program) eval(s span, depth int) (v literal, ok bool) {
	v, next, ok := p.operand(s, depth)
	for ok && next < s.to {
		if !p.is(next, "+") {
			return v, false
		}
		var w literal
		if w, next, ok = p.operand(span{next + 1, s.to}, depth); !ok || w.kind != v.kind || v.kind == 'd' {
			return v, false
		}
		v.text += w.text
		v.items = slices.Concat(v.items, w.items)
	}
	return v, ok
}

// operand evaluates the operand at the beginning of a span, and returns the index after it.
func (p *program) operand(s span, depth int) (v literal, next int, ok bool) {
	if p.work++; s.from >= s.to || depth > maxNames || p.work > maxWork {
		return v, s.from, false
	}
	first := p.tokens[s.from]
	switch {
	case first.kind == stringToken:
		v = literal{kind: 's', pos: first.pos}
		for next = s.from; next < s.to && p.tokens[next].kind == stringToken; next++ {
			v.text += p.tokens[next].text
		}
		return v, next, next == s.to || p.tokens[next].kind == operator && !p.is(next, ".") && !p.is(next, "%") && !p.is(next, "[")
	case p.is(s.from, "[") || p.is(s.from, "(") || p.is(s.from, "{"):
		next = p.closing(s.from, s.to)
		if next >= s.to || p.is(next+1, ".") && next+1 < s.to {
			return v, next, false
		}
		v, ok = p.bracket(span{s.from, next}, depth+1)
		return v, next + 1, ok
	case first.kind == nameToken:
		return p.name(s, depth)
	}
	return v, s.from, false
}

// bracket evaluates a list, a tuple, a dictionary or an expression in parentheses; s ends before
// the closing bracket.
func (p *program) bracket(s span, depth int) (v literal, ok bool) {
	v = literal{kind: 'l', pos: p.tokens[s.from].pos}
	isDict := p.is(s.from, "{")
	if isDict {
		v.kind = 'd'
	}
	commas := 0
	for i := s.from + 1; i < s.to; {
		end := i
		for end < s.to && !p.is(end, ",") {
			if t := p.text(end); t == "(" || t == "[" || t == "{" {
				end = p.closing(end, s.to)
			}
			end = min(end+1, s.to)
		}
		if end < s.to {
			commas++
		}
		item := span{i, end}
		if isDict {
			if i+2 >= end || p.tokens[i].kind != stringToken || !p.is(i+1, ":") {
				return v, false
			}
			v.keys = append(v.keys, p.tokens[i].text)
			item.from += 2
		}
		value, ok := p.eval(item, depth)
		if !ok {
			return v, false
		}
		v.items = append(v.items, value)
		i = end + 1
	}
	if p.is(s.from, "(") && commas == 0 && len(v.items) == 1 {
		return v.items[0], true
	}
	return v, true
}

// name evaluates a name with one value, NAME["key"], or NAME("a", "b") of a function that returns
// the values of these keys.
func (p *program) name(s span, depth int) (v literal, next int, ok bool) {
	name := p.tokens[s.from].text
	next = s.from + 1
	switch {
	case next < s.to && p.is(next, "("):
		end := p.closing(next, s.to)
		v, ok = p.lookupCall(name, span{next, end}, depth+1)
		return v, end + 1, ok && end < s.to
	case next+2 < s.to && p.is(next, "[") && p.tokens[next+1].kind == stringToken && p.is(next+2, "]"):
		v, ok = p.subscript(name, p.tokens[next+1].text, depth+1)
		return v, next + 3, ok
	case next < s.to && !p.is(next, "+"):
		return v, next, false
	}
	if v, ok = p.value(name, depth); !ok {
		return v, next, false
	}
	for key, spans := range p.items[name] {
		if v.kind != 'd' || len(spans) != 1 || slices.Contains(v.keys, key) {
			return v, next, false
		}
		item, ok := p.eval(spans[0], depth+1)
		if !ok {
			return v, next, false
		}
		v.keys, v.items = append(v.keys, key), append(v.items, item)
	}
	return v, next, true
}

// value evaluates the only value that is assigned to a name.
func (p *program) value(name string, depth int) (literal, bool) {
	values := p.values[name]
	if len(values) != 1 || p.changed[name] {
		return literal{}, false
	}
	if v, ok := p.table(values[0], depth+1); ok {
		return v, true
	}
	return p.eval(values[0], depth+1)
}

// subscript evaluates NAME["key"].
func (p *program) subscript(name, key string, depth int) (literal, bool) {
	if spans := p.items[name][key]; len(spans) == 1 && !p.changed[name] && depth < maxNames {
		return p.eval(spans[0], depth+1)
	}
	v, ok := p.value(name, depth)
	i := slices.Index(v.keys, key)
	if !ok || i < 0 || p.items[name] != nil {
		return literal{}, false
	}
	return v.items[i], true
}

// table evaluates the table of requirements by name that setup.py of many projects has:
// {b: a for a, b in (re.findall(PATTERN, x)[0] for x in LIST)}.
func (p *program) table(s span, depth int) (v literal, ok bool) {
	if !p.is(s.from, "{") || !p.is(s.from+2, ":") || !p.is(s.from+4, "for") {
		return v, false
	}
	finds, list := false, ""
	for i := s.from; i < s.to; i++ {
		finds = finds || p.is(i, "findall")
		if p.is(i, "in") && p.tokens[i+1].kind == nameToken {
			list = p.text(i + 1)
		}
	}
	if !finds || depth > maxNames {
		return v, false
	}
	all, ok := p.value(list, depth+1)
	v.kind = 'd'
	for _, item := range all.items {
		q, err := pep.ParseRequirement(item.text)
		if err != nil || item.kind != 's' {
			return v, false
		}
		v.keys, v.items = append(v.keys, q.Name), append(v.items, item)
	}
	return v, ok && all.kind == 'l'
}

// lookupCall evaluates a call of a function "def NAME(*names): return [TABLE[name] for name in
// names]". s begins with the opening bracket of the arguments, and ends before the closing one.
func (p *program) lookupCall(name string, s span, depth int) (v literal, ok bool) {
	f, ok := p.functions[name]
	if !ok || depth > maxNames {
		return v, false
	}
	v = literal{kind: 'l', pos: p.tokens[s.from].pos}
	for i := f.from; i < f.to; i++ {
		if !p.is(i, "return") || !p.is(i+1, "[") || !p.is(i+3, "[") || !p.is(i+5, "]") || !p.is(i+6, "for") || p.text(i+4) != p.text(i+7) || p.closing(i+1, f.to) != i+10 {
			continue
		}
		for j := s.from + 1; j < s.to; j++ {
			if p.is(j, ",") {
				continue
			}
			item, ok := p.subscript(p.text(i+2), p.tokens[j].text, depth)
			if p.tokens[j].kind != stringToken || !ok {
				return v, false
			}
			v.items = append(v.items, item)
		}
		return v, true
	}
	return v, false
}
