package declared

import (
	"errors"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/reconcile-ml/reconcile/internal/diag"
)

// A node is a value of a TOML document with its position. The methods accept nil, which is an
// absent value.
type node struct {
	pos   diag.Pos
	kind  unstable.Kind // String, Bool, Array, InlineTable for every table, or another scalar
	text  string        // of a string or another scalar
	items []*node       // of an array
	keys  []string      // of a table, in the order of the document
	table map[string]*node
}

// maxDepth is the maximum depth of arrays and tables in a value.
const maxDepth = 1000

// toml parses a document, or reports a problem and returns nil.
func (r *reader) toml(file, text string) *node {
	if tooDeep(text) {
		r.problem("requirements.syntax", diag.Pos{File: file}, "values are nested too deeply")
		return nil
	}
	if err := toml.Unmarshal([]byte(text), new(map[string]any)); err != nil {
		p := r.problem("requirements.syntax", diag.Pos{File: file}, "malformed TOML")
		if at, ok := errors.AsType[*toml.DecodeError](err); ok {
			p.Pos.Line, p.Pos.Col = at.Position()
		}
		return nil
	}
	b := &builder{file: file, lines: []int{0}}
	for i := range len(text) {
		if text[i] == '\n' {
			b.lines = append(b.lines, i+1)
		}
	}
	b.parser.Reset([]byte(text))
	root := &node{kind: unstable.InlineTable, pos: diag.Pos{File: file, Line: 1, Col: 1}}
	table := root
	for b.parser.NextExpression() {
		e := b.parser.Expression()
		switch e.Kind {
		case unstable.Table:
			table = b.descend(root, b.key(e), false)
		case unstable.ArrayTable:
			table = b.descend(root, b.key(e), true)
		case unstable.KeyValue:
			b.set(table, e)
		}
	}
	return root
}

// tooDeep reports whether a text has more open brackets at one point than any document needs.
// Brackets in strings are counted too.
func tooDeep(text string) bool {
	depth := 0
	for line := range strings.Lines(text) {
		for i := range len(line) {
			switch line[i] {
			case '[', '{':
				depth++
			case ']', '}':
				depth = max(0, depth-1)
			}
			if depth > maxDepth {
				return true
			}
		}
	}
	return false
}

// A builder makes nodes of the expressions of a valid document.
type builder struct {
	file   string
	parser unstable.Parser
	lines  []int // offsets of the lines; the parser searches each position from the start
}

type key struct {
	name string
	pos  diag.Pos
}

func (b *builder) at(raw unstable.Range) diag.Pos {
	line, found := slices.BinarySearch(b.lines, int(raw.Offset))
	if !found {
		line--
	}
	return diag.Pos{File: b.file, Line: line + 1, Col: int(raw.Offset) - b.lines[line] + 1}
}

func (b *builder) key(e *unstable.Node) (path []key) {
	for it := e.Key(); it.Next(); {
		path = append(path, key{string(it.Node().Data), b.at(it.Node().Raw)})
	}
	return path
}

// descend returns the table at a path, which it creates. The last element of a path of an array
// table is a new element of the array.
func (b *builder) descend(table *node, path []key, array bool) *node {
	for i, k := range path {
		next := table.table[k.name]
		if array && i == len(path)-1 {
			if next == nil {
				next = &node{kind: unstable.Array, pos: k.pos}
				table.put(k.name, next)
			}
			next.items = append(next.items, &node{kind: unstable.InlineTable, pos: k.pos})
		} else if next == nil {
			next = &node{kind: unstable.InlineTable, pos: k.pos}
			table.put(k.name, next)
		}
		if n := len(next.items); n > 0 {
			next = next.items[n-1]
		}
		table = next
	}
	return table
}

func (n *node) put(name string, value *node) {
	if n.table == nil {
		n.table = map[string]*node{}
	}
	if n.table[name] == nil {
		n.keys = append(n.keys, name)
	}
	n.table[name] = value
}

func (b *builder) set(table *node, e *unstable.Node) {
	path := b.key(e)
	last := path[len(path)-1]
	table = b.descend(table, path[:len(path)-1], false)
	table.put(last.name, b.value(e.Value(), last.pos))
}

// value returns the node of a value; pos is used for a value without bytes of its own.
func (b *builder) value(v *unstable.Node, pos diag.Pos) *node {
	n := &node{kind: v.Kind, text: string(v.Data), pos: pos}
	if v.Raw.Length > 0 {
		n.pos = b.at(v.Raw)
	}
	switch v.Kind {
	case unstable.Array:
		for it := v.Children(); it.Next(); {
			if child := it.Node(); child.Kind != unstable.Comment {
				n.items = append(n.items, b.value(child, n.pos))
			}
		}
	case unstable.InlineTable:
		for it := v.Children(); it.Next(); {
			if child := it.Node(); child.Kind == unstable.KeyValue {
				if n.table == nil {
					n.pos = b.key(child)[0].pos
				}
				b.set(n, child)
			}
		}
	}
	return n
}

// get returns a nested value, or nil.
func (n *node) get(names ...string) *node {
	for _, name := range names {
		if n == nil {
			return nil
		}
		n = n.table[name]
	}
	return n
}

// str returns a string, or "".
func (n *node) str() string {
	if n == nil || n.kind != unstable.String {
		return ""
	}
	return n.text
}

func (n *node) isTrue() bool  { return n != nil && n.kind == unstable.Bool && n.text == "true" }
func (n *node) isFalse() bool { return n != nil && n.kind == unstable.Bool && n.text == "false" }

// list returns the elements of an array, or a value that is no array as the only element.
func (n *node) list() []*node {
	switch {
	case n == nil:
		return nil
	case n.kind == unstable.Array:
		return n.items[:min(len(n.items), maxItems)]
	}
	return []*node{n}
}

// strings returns the strings of an array.
func (n *node) strings() (list []string) {
	for _, item := range n.list() {
		if s := item.str(); s != "" {
			list = append(list, s)
		}
	}
	return list
}

// names returns the keys of a table, in the order of the document.
func (n *node) names() []string {
	if n == nil {
		return nil
	}
	return slices.Clip(n.keys)
}
