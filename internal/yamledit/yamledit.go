// Package yamledit changes single values of a YAML text, and keeps every other byte of it:
// comments, layout, quotes, line ends.
//
// The parser gives the position of each value, and the text is changed there. A text that
// cannot be changed so is an error; nothing is encoded again. Anchors, aliases and tags are
// refused, since a change of one place would change others.
package yamledit

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// A Text is a parsed YAML text.
type Text struct {
	data   []byte
	root   *yaml.Node
	starts []int // offsets of lines
}

// A Value is a value of a Text.
type Value struct{ node *yaml.Node }

// An Error is a place that cannot be changed.
type Error struct {
	Line   int
	Reason string
}

func (e *Error) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Reason) }

// Parse parses a text whose top value is a mapping.
func Parse(data []byte) (*Text, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, err
	}
	if len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode {
		return nil, errors.New("the top value is not a mapping")
	}
	t := &Text{data: data, root: doc.Content[0], starts: []int{0}}
	for i, c := range data {
		if c == '\n' {
			t.starts = append(t.starts, i+1)
		}
	}
	return t, plainOnly(t.root)
}

// plainOnly returns an error if a node has an anchor, an alias or a tag.
func plainOnly(n *yaml.Node) error {
	switch {
	case n.Kind == yaml.AliasNode:
		return &Error{n.Line, "an alias (*" + n.Value + ") cannot be edited: write the value where it is used"}
	case n.Anchor != "":
		return &Error{n.Line, "an anchor (&" + n.Anchor + ") cannot be edited: write the value where it is used"}
	case n.Style&yaml.TaggedStyle != 0:
		return &Error{n.Line, "a value with a tag (" + n.Tag + ") cannot be edited: remove the tag"}
	}
	for _, child := range n.Content {
		if err := plainOnly(child); err != nil {
			return err
		}
	}
	return nil
}

// Get returns the value at a path of keys.
func (t *Text) Get(path ...string) (Value, bool) {
	v := Value{t.root}
	for _, key := range path {
		var ok bool
		if v, ok = v.Get(key); !ok {
			return v, false
		}
	}
	return v, true
}

// Get returns the value of a key, false if v is not a mapping with that key.
func (v Value) Get(key string) (Value, bool) {
	if v.node == nil || v.node.Kind != yaml.MappingNode {
		return Value{}, false
	}
	for i := 0; i+1 < len(v.node.Content); i += 2 {
		if v.node.Content[i].Value == key {
			return Value{v.node.Content[i+1]}, true
		}
	}
	return Value{}, false
}

// Scalar returns the text of a scalar, false for other values.
func (v Value) Scalar() (string, bool) {
	if v.node == nil || v.node.Kind != yaml.ScalarNode {
		return "", false
	}
	return v.node.Value, true
}

// Items returns the items of a list; none for other values.
func (v Value) Items() []Value {
	if v.node == nil || v.node.Kind != yaml.SequenceNode {
		return nil
	}
	items := make([]Value, len(v.node.Content))
	for i, n := range v.node.Content {
		items[i] = Value{n}
	}
	return items
}

// SetScalar returns the text with another value for a scalar, in the quotes that it has if
// they can hold it.
func (t *Text) SetScalar(v Value, value string) ([]byte, error) {
	n := v.node
	if n == nil || n.Kind != yaml.ScalarNode {
		return nil, errors.New("the value is not a scalar")
	}
	if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return nil, &Error{n.Line, "a text block (| or >) cannot be edited"}
	}
	start := t.offset(n)
	end, err := t.end(n, 0)
	if err != nil {
		return nil, err
	}
	return t.checked(n, strconv.Quote(value), edit{start, end, scalar(value, n.Style)})
}

// An edit replaces the bytes from start to end.
type edit struct {
	start, end int
	text       string
}

// splice returns the text after edits, which are in order.
func (t *Text) splice(edits ...edit) []byte {
	var b bytes.Buffer
	at := 0
	for _, e := range edits {
		b.Write(t.data[at:e.start])
		b.WriteString(e.text)
		at = e.end
	}
	b.Write(t.data[at:])
	return b.Bytes()
}

// offset returns where a node begins.
func (t *Text) offset(n *yaml.Node) int {
	at := t.starts[n.Line-1]
	for range n.Column - 1 {
		_, size := utf8.DecodeRune(t.data[at:])
		at += size
	}
	return at
}

// lineOf returns the number of the line of an offset, from 0.
func (t *Text) lineOf(offset int) int {
	low, high := 0, len(t.starts)
	for low+1 < high {
		if mid := (low + high) / 2; t.starts[mid] <= offset {
			low = mid
		} else {
			high = mid
		}
	}
	return low
}

// line returns a line, from 0, without its end.
func (t *Text) line(n int) string {
	return strings.TrimRight(string(t.data[t.starts[n]:t.next(n)]), "\r\n")
}

// next returns where the line after a line begins.
func (t *Text) next(n int) int {
	if n+1 < len(t.starts) {
		return t.starts[n+1]
	}
	return len(t.data)
}

// lineEnd returns where the text of a line ends, before its line end.
func (t *Text) lineEnd(n int) int { return t.starts[n] + len(t.line(n)) }

// newline returns the line end of the text, that of its first line.
func (t *Text) newline() string {
	if len(t.starts) > 1 && bytes.HasSuffix(t.data[:t.starts[1]], []byte("\r\n")) {
		return "\r\n"
	}
	return "\n"
}

// end returns where a node ends; parent is the column of the block around it, from 1.
func (t *Text) end(n *yaml.Node, parent int) (int, error) {
	start := t.offset(n)
	switch {
	case n.Kind == yaml.ScalarNode && n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		last := n.Line - 1
		for i := last + 1; i < len(t.starts); i++ {
			if text := t.line(i); strings.TrimSpace(text) != "" {
				if indent(text) < parent {
					break
				}
				last = i
			}
		}
		return t.lineEnd(last), nil
	case n.Kind == yaml.ScalarNode && n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) == 0:
		if !bytes.HasPrefix(t.data[start:], []byte(n.Value)) || n.Value == "" {
			return 0, &Error{n.Line, "a text without quotes over several lines, or none at all, cannot be edited: quote it"}
		}
		return start + len(n.Value), nil
	case n.Kind == yaml.ScalarNode, n.Style&yaml.FlowStyle != 0:
		end := scanFlow(t.data, start)
		if end < 0 {
			return 0, &Error{n.Line, "the end of the value is not found"}
		}
		return end, nil
	case len(n.Content) == 0:
		return 0, &Error{n.Line, "an empty value cannot be edited"}
	}
	return t.end(n.Content[len(n.Content)-1], n.Column)
}

// indent returns the number of spaces at the beginning of a line.
func indent(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

// scanFlow returns where the flow collection or quoted scalar ends that begins at an offset;
// -1 if it does not end.
func scanFlow(data []byte, at int) int {
	depth := 0
	for at < len(data) {
		switch c := data[at]; c {
		case ' ', '\t', '\r', '\n', ',', ':':
			at++
			continue
		case '#':
			if at > 0 && !isBlank(data[at-1]) {
				at = scanPlain(data, at)
				continue
			}
			for at < len(data) && data[at] != '\n' {
				at++
			}
			continue
		case '"', '\'':
			if at = scanQuoted(data, at); at < 0 {
				return -1
			}
		case '[', '{':
			depth++
			at++
		case ']', '}':
			depth--
			at++
		default:
			at = scanPlain(data, at)
		}
		if depth <= 0 {
			return at
		}
	}
	return -1
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// scanQuoted returns where a quoted scalar ends.
func scanQuoted(data []byte, at int) int {
	quote := data[at]
	for at++; at < len(data); at++ {
		switch {
		case data[at] == '\\' && quote == '"':
			at++
		case data[at] == quote && quote == '\'' && at+1 < len(data) && data[at+1] == quote:
			at++
		case data[at] == quote:
			return at + 1
		}
	}
	return -1
}

// scanPlain returns where the words of a plain scalar in a flow collection end on this line.
func scanPlain(data []byte, at int) int {
	for at++; at < len(data); at++ {
		switch c := data[at]; {
		case bytes.IndexByte([]byte(",[]{}\r\n"), c) >= 0:
			return at
		case c == ':' && (at+1 == len(data) || isBlank(data[at+1]) || bytes.IndexByte([]byte(",[]{}"), data[at+1]) >= 0):
			return at
		case c == '#' && isBlank(data[at-1]):
			return at
		}
	}
	return at
}

// scalar returns a value as a scalar in a style, or in double quotes if the style cannot hold
// it.
func scalar(value string, style yaml.Style) string {
	switch {
	case style&yaml.SingleQuotedStyle != 0 && isPrintable(value):
		return "'" + strings.ReplaceAll(value, "'", "''") + "'"
	case style&yaml.DoubleQuotedStyle == 0 && isPlain(value):
		return value
	case strings.Contains(value, `"`) && !strings.Contains(value, "'") && isPrintable(value):
		return "'" + value + "'"
	}
	return doubleQuoted(value)
}

func isPrintable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// isPlain reports whether a value is the same text without quotes, in a flow collection too.
func isPlain(s string) bool {
	if s == "" || !isPrintable(s) || strings.ContainsAny(s, ",[]{}#") || strings.Contains(s, ": ") {
		return false
	}
	var doc yaml.Node
	if yaml.Unmarshal([]byte("["+s+"]"), &doc) != nil || len(doc.Content) != 1 || len(doc.Content[0].Content) != 1 {
		return false
	}
	n := doc.Content[0].Content[0]
	return n.Kind == yaml.ScalarNode && n.Style == 0 && n.Anchor == "" && n.Tag == "!!str" && n.Value == s
}

func doubleQuoted(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
