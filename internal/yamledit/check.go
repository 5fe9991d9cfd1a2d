package yamledit

import (
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// checked returns the text after edits, if its values are those of t but for one node, which
// has the content want. Else the edits changed more, or less, than they were to change.
func (t *Text) checked(n *yaml.Node, want string, edits ...edit) ([]byte, error) {
	data := t.splice(edits...)
	after, err := Parse(data)
	if err != nil || content(after.root, nil, "") != content(t.root, n, want) {
		return nil, &Error{n.Line, "the text cannot be edited without changing other values: edit it by hand"}
	}
	return data, nil
}

// content returns the values of a node as a text, with the text instead of the node other.
func content(n, other *yaml.Node, instead string) string {
	switch {
	case n == other:
		return instead
	case n.Kind == yaml.ScalarNode && n.Tag == "!!null":
		return "~"
	case n.Kind == yaml.ScalarNode:
		return strconv.Quote(n.Value)
	}
	parts := make([]string, len(n.Content))
	for i, child := range n.Content {
		parts[i] = content(child, other, instead)
	}
	return collection(n.Kind, parts)
}

func collection(kind yaml.Kind, parts []string) string {
	if kind == yaml.SequenceNode {
		return "[" + strings.Join(parts, " ") + "]"
	}
	return "{" + strings.Join(parts, " ") + "}"
}

// contents returns the contents of the children of a node.
func contents(n *yaml.Node) []string {
	parts := make([]string, len(n.Content))
	for i, child := range n.Content {
		parts[i] = content(child, nil, "")
	}
	return parts
}

// with returns the content of a list with an item before the i-th.
func with(n *yaml.Node, i int, item string) string {
	return collection(n.Kind, slices.Insert(contents(n), i, item))
}

// without returns the content of a list without the i-th item.
func without(n *yaml.Node, i int) string {
	return collection(n.Kind, slices.Delete(contents(n), i, i+1))
}

// content returns the content of an item in a style.
func (item Item) content(s style) string {
	if s.scalar {
		return strconv.Quote(item.Scalar)
	}
	var parts []string
	for _, f := range item.Fields {
		value := strconv.Quote(f.Value)
		if f.List != nil {
			var quoted []string
			for _, v := range f.List {
				quoted = append(quoted, strconv.Quote(v))
			}
			value = collection(yaml.SequenceNode, quoted)
		}
		parts = append(parts, strconv.Quote(f.Key), value)
	}
	return collection(yaml.MappingNode, parts)
}
