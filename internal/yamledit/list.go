package yamledit

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// An Item is an item of a list: a scalar, or a mapping. If it has both forms, it gets that of
// the other items, and the scalar among none.
type Item struct {
	Scalar string  // "" if only a mapping can hold it
	Fields []Field // none if only a scalar can hold it
}

// A Field is a key with its value: a scalar or, if List is not nil, a list.
type Field struct {
	Key, Value string
	List       []string
}

// list is a list with the places of its items.
type list struct {
	*Text
	node  *yaml.Node
	spans []span
}

// A span is the place of an item: from its first byte, without a dash, to its end without the
// comma and the comment.
type span struct{ start, end int }

// list finds the items of a list.
func (t *Text) list(v Value) (*list, error) {
	if v.node == nil || v.node.Kind != yaml.SequenceNode {
		return nil, errors.New("the value is not a list")
	}
	l := &list{Text: t, node: v.node}
	for _, n := range v.node.Content {
		end, err := t.end(n, v.node.Column)
		if err != nil {
			return nil, err
		}
		l.spans = append(l.spans, span{t.offset(n), end})
	}
	return l, nil
}

func (l *list) isFlow() bool { return l.node.Style&yaml.FlowStyle != 0 }

// Insert returns the text with an item before the i-th one of a list, or after the last one.
func (t *Text) Insert(v Value, i int, item Item) ([]byte, error) {
	l, err := t.list(v)
	if err != nil {
		return nil, err
	}
	var edits []edit
	switch {
	case len(l.spans) == 0:
		edits, err = l.insertFirst(item)
	case l.isFlow():
		edits = l.insertFlow(i, item)
	default:
		edits, err = l.insertBlock(i, item)
	}
	if err != nil {
		return nil, err
	}
	return t.checked(l.node, with(l.node, i, item.content(item.style(l.node.Content))), edits...)
}

// Remove returns the text without an item of a list, and without its comments: the one behind
// it, and the lines above it unless they are above other items too.
func (t *Text) Remove(v Value, i int) ([]byte, error) {
	l, err := t.list(v)
	if err != nil {
		return nil, err
	}
	var edits []edit
	if l.isFlow() {
		edits = l.removeFlow(i)
	} else if edits, err = l.removeBlock(i); err != nil {
		return nil, err
	}
	return t.checked(l.node, without(l.node, i), edits...)
}

// Replace returns the text with another item for the i-th one of a list, as a mapping with the
// fields of item. Comments inside the replaced item are lost.
func (t *Text) Replace(v Value, i int, item Item) ([]byte, error) {
	l, err := t.list(v)
	if err != nil {
		return nil, err
	}
	n := l.node.Content[i]
	form := style{flow: n.Kind != yaml.MappingNode || n.Style&yaml.FlowStyle != 0}
	text := item.block(form, strings.Repeat(" ", n.Column-1), t.newline())
	return t.checked(n, item.content(form), edit{l.spans[i].start, l.spans[i].end, text})
}

// AddList returns the text with a list of one item as a new key of a mapping: after the last
// of the given keys that the mapping has, or at its end.
func (t *Text) AddList(mapping Value, key string, after []string, item Item) ([]byte, error) {
	n := mapping.node
	if n == nil || n.Kind != yaml.MappingNode || len(n.Content) == 0 {
		return nil, errors.New("the value is not a mapping with keys")
	}
	k := len(n.Content) - 2
	for i := len(n.Content) - 2; i >= 0; i -= 2 {
		if slices.Contains(after, n.Content[i].Value) {
			k = i
			break
		}
	}
	end, err := t.end(n.Content[k+1], n.Column)
	if err != nil {
		return nil, err
	}
	s := item.style(nil)
	want := collection(n.Kind, slices.Insert(contents(n), k+2, strconv.Quote(key), "["+item.content(s)+"]"))
	if n.Style&yaml.FlowStyle != 0 {
		return t.checked(n, want, edit{end, end, ", " + key + ": [" + item.flow(s) + "]"})
	}
	margin, newline := strings.Repeat(" ", n.Content[k].Column-1), t.newline()
	text := newline + margin + key + ":" + newline + margin + t.listIndent() + "- " + item.block(s, "", newline)
	at := t.lineEnd(t.lineOf(end))
	return t.checked(n, want, edit{at, at, text})
}

// listIndent returns by how much the text indents a list below its key.
func (t *Text) listIndent() string {
	found := -1
	var walk func(n *yaml.Node)
	walk = func(n *yaml.Node) {
		for i, child := range n.Content {
			if found >= 0 {
				return
			}
			if n.Kind == yaml.MappingNode && i%2 == 1 && child.Kind == yaml.SequenceNode && child.Style&yaml.FlowStyle == 0 {
				found = child.Column - n.Content[i-1].Column
			}
			walk(child)
		}
	}
	walk(t.root)
	if found < 0 {
		found = 2
	}
	return strings.Repeat(" ", found)
}

// insertFirst makes the empty list [] a block list with one item, or a flow list if it is in
// another flow collection.
func (l *list) insertFirst(item Item) ([]edit, error) {
	start := l.offset(l.node)
	end, err := l.end(l.node, 0)
	if err != nil {
		return nil, err
	}
	line := l.lineOf(start)
	text := l.line(line)
	before := text[:start-l.starts[line]]
	key := strings.TrimLeft(before, " ")
	after := strings.TrimSpace(text[end-l.starts[line]:])
	if l.lineOf(end) != line || !strings.HasSuffix(key, ": ") || strings.ContainsAny(key, "{[-#\"'") || after != "" && !strings.HasPrefix(after, "#") {
		return []edit{{start, end, "[" + item.flow(item.style(nil)) + "]"}}, nil
	}
	newline, margin := l.newline(), before[:len(before)-len(key)]
	block := newline + margin + l.listIndent() + "- " + item.block(item.style(nil), "", newline)
	from := l.starts[line] + len(strings.TrimRight(before, " ")) // the space before [] goes too
	at := l.lineEnd(line)
	return []edit{{from, end, ""}, {at, at, block}}, nil
}

// insertBlock inserts into a block list.
func (l *list) insertBlock(i int, item Item) ([]edit, error) {
	dashes, err := l.dashes()
	if err != nil {
		return nil, err
	}
	newline := l.newline()
	margin := strings.Repeat(" ", l.node.Column-1)
	gap := " " // between the dash and the item
	near := max(0, i-1)
	if n := l.node.Content[near]; n.Line-1 == dashes[near] {
		first := l.line(dashes[near])[l.node.Column:]
		gap = first[:len(first)-len(strings.TrimLeft(first, " "))]
	}
	text := margin + "-" + gap + item.block(item.style(l.node.Content), strings.Repeat(" ", l.node.Column+len(gap)), newline)
	if i > 0 {
		at := l.lineEnd(l.lineOf(l.spans[i-1].end))
		return []edit{{at, at, newline + text}}, nil
	}
	line := dashes[0]
	if l.ownsComment(dashes, 0) {
		line -= l.comments(line)
	}
	at := l.starts[line]
	return []edit{{at, at, text + newline}}, nil
}

// dashes returns the lines of the dashes of a block list.
func (l *list) dashes() ([]int, error) {
	lines := make([]int, len(l.spans))
	for i, n := range l.node.Content {
		line := n.Line - 1
		for ; line >= l.node.Line-1; line-- {
			text := l.line(line)
			if indent(text) == l.node.Column-1 && strings.HasPrefix(strings.TrimLeft(text, " "), "-") {
				break
			}
		}
		if line < l.node.Line-1 || i > 0 && line <= lines[i-1] {
			return nil, &Error{n.Line, "an item that does not begin on a line of its own cannot be edited"}
		}
		lines[i] = line
	}
	return lines, nil
}

// comments returns the number of lines of comment directly above a line.
func (l *list) comments(line int) int {
	n := 0
	for line-n > 0 && strings.HasPrefix(strings.TrimLeft(l.line(line-n-1), " \t"), "#") {
		n++
	}
	return n
}

// ownsComment reports whether the comment above an item is about this item alone: the next
// line is no other item.
func (l *list) ownsComment(starts []int, i int) bool {
	if l.comments(starts[i]) == 0 {
		return false
	}
	return i+1 == len(starts) || starts[i+1] > l.lineOf(l.spans[i].end)+1
}

// removeBlock removes from a block list.
func (l *list) removeBlock(i int) ([]edit, error) {
	dashes, err := l.dashes()
	if err != nil {
		return nil, err
	}
	first, last := dashes[i], l.lineOf(l.spans[i].end)
	if l.ownsComment(dashes, i) {
		first -= l.comments(first)
	}
	if len(dashes) == 1 {
		return l.removeOnly(first, last)
	}
	start, end := l.starts[first], l.next(last)
	if end == len(l.data) && end > 0 && l.data[end-1] != '\n' {
		start, end = l.lineEnd(first-1), len(l.data) // the text has no line end at its end
	}
	return []edit{{start, end, ""}}, nil
}

// keyStart returns where the key of the list begins, or the list if it has none.
func (l *list) keyStart() int {
	var find func(n *yaml.Node) *yaml.Node
	find = func(n *yaml.Node) *yaml.Node {
		for i, child := range n.Content {
			if child == l.node && n.Kind == yaml.MappingNode && i%2 == 1 {
				return n.Content[i-1]
			}
			if found := find(child); found != nil {
				return found
			}
		}
		return nil
	}
	if key := find(l.root); key != nil {
		return l.offset(key)
	}
	return l.offset(l.node)
}

// removeOnly makes a block list with one item, on these lines, the empty list [].
func (l *list) removeOnly(first, last int) ([]edit, error) {
	key := l.keyStart()
	colon := key
	if c := l.data[key]; c == '"' || c == '\'' {
		colon = scanQuoted(l.data, key)
	}
	for colon < len(l.data) && l.data[colon] != ':' {
		colon++
	}
	line := l.lineOf(key)
	if l.lineOf(min(colon, len(l.data)-1)) != line || line >= first {
		return nil, &Error{l.node.Line, "a list that does not begin below its key cannot be edited"}
	}
	return []edit{{colon + 1, colon + 1, " []"}, {l.lineEnd(first - 1), l.lineEnd(last), ""}}, nil
}

// insertFlow inserts into a flow list.
func (l *list) insertFlow(i int, item Item) []edit {
	text := item.flow(item.style(l.node.Content))
	newline := l.newline()
	if i == 0 {
		at := l.spans[0].start
		line := l.lineOf(at)
		if margin := string(l.data[l.starts[line]:at]); strings.TrimSpace(margin) == "" {
			return []edit{{at, at, text + "," + newline + margin}}
		}
		return []edit{{at, at, text + ", "}}
	}
	previous := l.spans[i-1]
	line := l.lineOf(previous.end)
	own := l.lineOf(previous.start)
	margin := string(l.data[l.starts[own]:previous.start])
	isLine := strings.TrimSpace(margin) == "" && !(i < len(l.spans) && l.lineOf(l.spans[i].start) == line)
	comma, has := l.comma(i - 1)
	switch {
	case isLine && has: // the comma may be behind the item, or begin the next line
		line = l.lineOf(comma)
		at := l.lineEnd(line)
		if strings.ContainsAny(string(l.data[comma+1:at]), "]}") && !l.isComment(comma+1, at) {
			at = comma + 1
		}
		return []edit{{at, at, newline + margin + text + ","}}
	case isLine:
		at := l.lineEnd(line)
		if !l.isComment(previous.end, at) {
			at = previous.end // the list ends on this line
		}
		if at == previous.end {
			return []edit{{at, at, "," + newline + margin + text}}
		}
		return []edit{{previous.end, previous.end, ","}, {at, at, newline + margin + text}}
	case has:
		return []edit{{comma + 1, comma + 1, " " + text + ","}}
	}
	return []edit{{previous.end, previous.end, ", " + text}}
}

// isComment reports whether the bytes of a line are blank, or a comment.
func (l *list) isComment(from, to int) bool {
	text := strings.TrimLeft(string(l.data[from:to]), " \t")
	return text == "" || text[0] == '#'
}

// comma returns the place of the comma behind an item.
func (l *list) comma(i int) (at int, ok bool) {
	for at = l.spans[i].end; at < len(l.data); at++ {
		switch c := l.data[at]; {
		case c == ',':
			return at, true
		case c == '#':
			at = l.lineEnd(l.lineOf(at))
		case !isBlank(c):
			return 0, false
		}
	}
	return 0, false
}

// removeFlow removes from a flow list.
func (l *list) removeFlow(i int) []edit {
	s := l.spans[i]
	end := s.end
	comma, has := l.comma(i)
	if has {
		end = comma + 1
	}
	var edits []edit
	if !has && i > 0 { // the comma behind the previous item goes too
		if before, ok := l.comma(i - 1); ok {
			edits = append(edits, edit{before, before + 1, ""})
		}
	}
	first, last := l.lineOf(s.start), l.lineOf(end)
	alone := strings.TrimSpace(string(l.data[l.starts[first]:s.start])) == ""
	if alone && l.isComment(end, l.lineEnd(last)) {
		starts := make([]int, len(l.spans))
		for k, span := range l.spans {
			starts[k] = l.lineOf(span.start)
		}
		if l.ownsComment(starts, i) {
			first -= l.comments(first)
		}
		return append(edits, edit{l.starts[first], l.next(last), ""})
	}
	switch {
	case i+1 < len(l.spans) && has:
		next := l.spans[i+1].start
		if l.lineOf(next) != last { // the next one begins a line
			return l.removeTail(edits, i, s.start, end)
		}
		return append(edits, edit{s.start, next, ""})
	case len(edits) == 1: // from the comma behind the previous item
		from := edits[0].start
		if strings.Contains(string(l.data[from:s.start]), "#") {
			return append(edits, edit{s.start, end, ""}) // what follows must not become a comment
		}
		return []edit{{from, end, ""}}
	case i > 0:
		from := l.spans[i-1].end
		if before, ok := l.comma(i - 1); ok {
			from = before + 1
		}
		if strings.Contains(string(l.data[from:s.start]), "#") {
			from = s.start
		}
		return []edit{{from, end, ""}}
	}
	return []edit{{s.start, end, ""}}
}

// removeTail removes an item behind others on its line.
func (l *list) removeTail(edits []edit, i, start, end int) []edit {
	if i > 0 {
		if before, ok := l.comma(i - 1); ok && l.lineOf(before) == l.lineOf(start) {
			start = before + 1
		}
	}
	return append(edits, edit{start, end, ""})
}

// A style is the form of an item.
type style struct {
	scalar bool
	flow   bool       // mappings are flow mappings
	quotes yaml.Style // of scalars
}

// style returns the form that an item gets among others, that of most of them.
func (item Item) style(others []*yaml.Node) style {
	s := style{scalar: true, flow: true, quotes: yaml.DoubleQuotedStyle}
	mappings, blocks := 0, 0
	for _, n := range others {
		if n.Kind == yaml.MappingNode {
			mappings++
			if n.Style&yaml.FlowStyle == 0 {
				blocks++
			}
		} else if n.Kind == yaml.ScalarNode {
			s.quotes = n.Style
		}
	}
	s.scalar = item.Scalar != "" && (2*mappings <= len(others) || len(item.Fields) == 0)
	s.flow = 2*blocks < max(1, mappings)
	return s
}

// flow returns an item for a flow list.
func (item Item) flow(s style) string {
	if s.scalar {
		return scalar(item.Scalar, s.quotes)
	}
	parts := make([]string, len(item.Fields))
	for i, f := range item.Fields {
		parts[i] = f.text()
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// block returns an item for a block list; margin begins the lines after the first.
func (item Item) block(s style, margin, newline string) string {
	if s.scalar || s.flow {
		return item.flow(s)
	}
	parts := make([]string, len(item.Fields))
	for i, f := range item.Fields {
		parts[i] = f.text()
	}
	return strings.Join(parts, newline+margin)
}

func (f Field) text() string {
	if f.List == nil {
		if f.Key == "why" {
			return f.Key + ": " + doubleQuoted(f.Value)
		}
		return f.Key + ": " + scalar(f.Value, 0)
	}
	values := make([]string, len(f.List))
	for i, v := range f.List {
		values[i] = scalar(v, 0)
	}
	return f.Key + ": [" + strings.Join(values, ", ") + "]"
}
