package manifest

import (
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/nearest"
)

// A value is a node of the manifest, with its name in messages. Its methods report what
// they refuse, and return the zero value for it and for an absent key.
type value struct {
	*source
	node *yaml.Node // nil if the key is absent
	what string     // "path", "a channel"
}

func (v value) given() bool { return v.node != nil }

// pos returns the position of the node, the zero Pos if it is absent.
func (v value) pos() diag.Pos {
	if v.node == nil {
		return diag.Pos{}
	}
	return v.at(v.node.Line, v.node.Column)
}

// problem reports a problem at the node.
func (v value) problem(code, summary, found, hint string) {
	v.problemAt(v.pos(), code, summary, found, hint)
}

// duplicate reports a second occurrence of something.
func (v value) duplicate(code, summary string, first diag.Pos) {
	v.problem(code, summary, "the first one at "+first.String(), "remove one of them")
}

// A shape lists the keys of one kind of mapping, the required ones first.
type shape struct {
	what     string // "a directory"
	keys     []string
	required int
	alias    alias
}

// An alias is the previous name of a key.
type alias struct{ old, key string }

// index returns the index of a key or of its previous name, or -1.
func (s *shape) index(key string) int {
	if key == s.alias.old && key != "" {
		key = s.alias.key
	}
	return slices.Index(s.keys, key)
}

// fields are the keys of a mapping that object has checked.
type fields struct {
	value
	shape *shape
}

// get returns the value of a key; its node is nil if the key is absent.
func (f fields) get(key string) value {
	if k := f.key(f.shape.index(key)); k != nil {
		return value{f.source, f.node.Content[slices.Index(f.node.Content, k)+1], key}
	}
	return value{f.source, nil, key}
}

// key returns the first node for the k-th key of the shape, or nil.
func (f fields) key(k int) *yaml.Node {
	for i := 0; i+1 < len(f.node.Content); i += 2 {
		if n := f.node.Content[i]; n.Kind == yaml.ScalarNode && f.shape.index(n.Value) == k {
			return n
		}
	}
	return nil
}

// object checks the keys of a mapping and reports unknown, duplicate and missing ones.
// It returns false if the value is absent or not a mapping.
func (v value) object(is *shape) (fields, bool) {
	f := fields{value{v.source, v.node, is.what}, is}
	if v.node == nil || v.node.Kind != yaml.MappingNode {
		return f, f.isKind(yaml.MappingNode, "write it as a mapping with the keys "+strings.Join(is.keys, ", "))
	}
	var seen uint64 // by index of the key
	for i := 0; i+1 < len(v.node.Content) && v.more == 0; i += 2 {
		key := value{v.source, v.node.Content[i], is.what}
		if !key.isKey() {
			continue
		}
		k := is.index(key.node.Value)
		switch {
		case k < 0:
			hint := "known keys: " + strings.Join(is.keys, ", ")
			if near := nearest.Word(key.node.Value, is.keys); near != "" {
				hint = fmt.Sprintf("did you mean %q?", near)
			}
			key.problem("unknown-key", fmt.Sprintf("%s has no key %s", is.what, quote(key.node.Value)), "", hint)
		case seen&(1<<k) != 0:
			first := value{v.source, f.key(k), ""}
			summary := quote(key.node.Value) + " is given twice"
			if first.node.Value != key.node.Value {
				summary = fmt.Sprintf("%q is the previous name of %q, and both are given", is.alias.old, is.alias.key)
			}
			key.duplicate("duplicate-key", summary, first.pos())
		default:
			seen |= 1 << k
		}
	}
	for k, name := range is.keys[:is.required] {
		if seen&(1<<k) == 0 {
			f.problem("missing-key", fmt.Sprintf("%s has no %q", is.what, name), "", fmt.Sprintf("add %s: …", name))
		}
	}
	return f, true
}

// isKey reports whether a key is text.
func (v value) isKey() bool {
	if v.node.Kind == 0 {
		return false
	}
	if v.node.Kind != yaml.ScalarNode || v.node.Tag == "!!null" {
		v.problem("wrong-type", "a key must be text", v.found(), "")
		return false
	}
	return true
}

// entries returns the keys and values of a mapping whose keys are names that the user
// chose, in order. Duplicate names are reported and left out.
func (v value) entries() iter.Seq2[value, value] {
	return func(yield func(key, val value) bool) {
		if !v.isKind(yaml.MappingNode, "write it as a mapping of names") {
			return
		}
		seen := make(map[string]value, len(v.node.Content)/2)
		for i := 0; i+1 < len(v.node.Content) && v.more == 0; i += 2 {
			key := value{v.source, v.node.Content[i], v.what}
			if !key.isKey() {
				continue
			}
			if first, ok := seen[key.node.Value]; ok {
				key.duplicate("duplicate-key", quote(key.node.Value)+" is given twice", first.pos())
				continue
			}
			seen[key.node.Value] = key
			if !yield(key, value{v.source, v.node.Content[i+1], key.node.Value}) {
				return
			}
		}
	}
}

// items returns the items of a list; what names one in messages.
func (v value) items(what string) iter.Seq[value] {
	return func(yield func(value) bool) {
		if !v.isKind(yaml.SequenceNode, "write it as a list: [a, b]") {
			return
		}
		for _, n := range v.node.Content {
			if !yield(value{v.source, n, what}) {
				return
			}
		}
	}
}

// isEmptyList reports whether the value is a list without items.
func (v value) isEmptyList() bool {
	return v.given() && v.node.Kind == yaml.SequenceNode && len(v.node.Content) == 0
}

// isKind reports whether the node is of a kind. It is false for an absent key, and for
// all nodes once there are too many problems.
func (v value) isKind(kind yaml.Kind, hint string) bool {
	switch {
	case v.node == nil || v.more > 0:
	case v.node.Kind == kind && (kind != yaml.ScalarNode || v.node.Tag != "!!null"):
		return true
	case v.node.Kind == 0: // reported by audit
	case v.node.Kind == yaml.ScalarNode && v.node.Tag == "!!null":
		empty := "give a value or remove the key"
		if kind == yaml.MappingNode {
			empty = "write {} for none, or remove the key"
		} else if kind == yaml.SequenceNode {
			empty = "write [] for none, or remove the key"
		}
		v.problem("no-value", v.what+" has no value", "", empty)
	default:
		want := "one value"
		if kind == yaml.MappingNode {
			want = "a mapping"
		} else if kind == yaml.SequenceNode {
			want = "a list"
		}
		v.problem("wrong-type", fmt.Sprintf("%s must be %s", v.what, want), v.found(), hint)
	}
	return false
}

// found describes the node for messages.
func (v value) found() string {
	n := v.node
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Tag == "!!null":
		return "no value"
	case n.Tag == "!!bool":
		return "true or false: " + quote(n.Value)
	case n.Tag == "!!int" || n.Tag == "!!float":
		return "a number: " + quote(n.Value)
	}
	return "text: " + quote(n.Value)
}

// scalar returns the text of a value as written: 3.10 stays 3.10.
func (v value) scalar() (string, bool) {
	if !v.isKind(yaml.ScalarNode, "") {
		return "", false
	}
	return v.node.Value, true
}

// maxText is the maximum length of a text of one line, in bytes.
const maxText = 1000

// text returns a text of one line that is not empty, or "" after a problem.
func (v value) text() string {
	s, ok := v.scalar()
	switch {
	case !ok:
	case strings.TrimSpace(s) == "":
		v.problem("text", v.what+" is empty", "", "give a value or remove the key")
	case strings.ContainsAny(s, "\n\t"):
		v.problem("text", v.what+" must be one line without tabs", quote(s), "")
	case len(s) > maxText:
		v.problem("text", fmt.Sprintf("%s is longer than %d bytes", v.what, maxText), fmt.Sprintf("%d bytes", len(s)), "")
	default:
		return s
	}
	return ""
}

// boolean reads true or false in this spelling.
func (v value) boolean() bool {
	s, ok := v.scalar()
	if !ok || v.node.Style == 0 && (s == "false" || s == "true") {
		return ok && s == "true"
	}
	hint := "write true or false"
	switch strings.ToLower(s) {
	case "yes", "on", "y", "true", "1":
		hint = "write true"
	case "no", "off", "n", "false", "0":
		hint = "write false"
	}
	v.problem("wrong-type", v.what+" must be true or false", v.found(), hint)
	return false
}

// integer reads a decimal integer between low and high.
func (v value) integer(low, high int64) int64 {
	s, ok := v.scalar()
	if !ok {
		return 0
	}
	number, err := strconv.ParseInt(s, 10, 64)
	switch {
	case err != nil || strings.HasPrefix(s, "+") || strings.TrimLeft(s, "-") == "":
		v.problem("wrong-type", v.what+" must be a whole number", v.found(), "")
	case len(s) > 1 && strings.HasPrefix(strings.TrimPrefix(s, "-"), "0"):
		v.problem("value", v.what+" begins with 0, which some parsers read as octal", quote(s), "write it without leading zeros")
	case number < low || number > high:
		v.problem("value", fmt.Sprintf("%s must be between %d and %d", v.what, low, high), quote(s), "")
	default:
		return number
	}
	return 0
}

// size reads a number of bytes.
func (v value) size() int64 {
	s, ok := v.scalar()
	if !ok {
		return 0
	}
	bytes, err := bytesize.Parse(s)
	if err != nil {
		v.problem("size", v.what+": "+printable(err.Error()), "", "write a number and a unit, such as 30GB (10^9 bytes) or 1.5GiB (2^30)")
		return 0
	}
	return bytes
}

// sizes reads a range of bytes, "150MB-300MB", or one size, which is returned twice.
func (v value) sizes() (low, high int64) {
	s, ok := v.scalar()
	first, last, isRange := strings.Cut(s, "-")
	if !ok || !isRange {
		low = v.size()
		return low, low
	}
	low, err := bytesize.Parse(strings.TrimSpace(first))
	if err == nil {
		high, err = bytesize.Parse(strings.TrimSpace(last))
	}
	if err != nil {
		v.problem("size", v.what+": "+printable(err.Error()), quote(s), "write a range as 150MB-300MB")
		return 0, 0
	}
	if low > high {
		v.problem("size", v.what+" begins with the larger size", quote(s), "write the smaller size first")
		return 0, 0
	}
	return low, high
}

// mode reads permission bits in octal, "0644" or "644", quoted or not.
func (v value) mode() facts.Mode {
	s, ok := v.scalar()
	if !ok {
		return 0
	}
	digits := strings.TrimPrefix(s, "0")
	bits, err := strconv.ParseUint(digits, 8, 32)
	if err != nil || len(digits) != 3 || len(s) > 4 {
		v.problem("value", "mode must be three octal digits", quote(s), "write 0644, or 0755 for an executable; set-user-ID, set-group-ID and sticky bits are not managed")
		return 0
	}
	if bits&0o600 != 0o600 {
		v.problem("value", "mode does not let the owner read and write", quote(s), "reconcile needs both to manage it: begin with 6 or 7")
		return 0
	}
	return facts.Mode(bits)
}

// choice reads one of some words.
func (v value) choice(words ...string) string {
	s, ok := v.scalar()
	if !ok || slices.Contains(words, s) {
		return s
	}
	hint := ""
	if near := nearest.Word(s, words); near != "" {
		hint = fmt.Sprintf("did you mean %q?", near)
	}
	v.problem("value", v.what+" must be one of "+strings.Join(words, ", "), quote(s), hint)
	return ""
}

// severity reads the severity of an unmet requirement, Fail by default.
func (v value) severity() diag.Severity {
	if v.choice("fail", "warn") == "warn" {
		return diag.Warn
	}
	return diag.Fail
}

// slug reads a name of lower-case words joined by -, _ or a dot, for what.
func (v value) slug(what string) (string, bool) {
	return v.identifier(what, isSlug, "use lower-case letters, digits and - _ . between them, beginning with a letter, at most 64 characters")
}

// snake reads a name of lower-case words joined by _, for what.
func (v value) snake(what string) (string, bool) {
	return v.identifier(what, isSnake, "use lower-case letters, digits and _, beginning with a letter, at most 64 characters")
}

func (v value) identifier(what string, valid func(string) bool, rule string) (string, bool) {
	s, ok := v.scalar()
	if ok && !valid(s) {
		v.problem("name", fmt.Sprintf("%s is not a valid name for %s", quote(s), what), "", rule)
		return "", false
	}
	return s, ok
}

func (v value) named(what string) value {
	v.what = what
	return v
}

func isSnake(s string) bool { return isWords(s, "_") }

func isSlug(s string) bool { return isWords(s, "-_.") }

func isWords(s, joints string) bool {
	return s != "" && len(s) <= 64 && 'a' <= s[0] && s[0] <= 'z' && strings.IndexByte(joints, s[len(s)-1]) < 0 &&
		strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789"+joints) == ""
}

const alphanumeric = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
