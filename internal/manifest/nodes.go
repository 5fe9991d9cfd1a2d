package manifest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/nearest"
)

// A shape lists the keys of one sort of mapping, the required ones first.
type shape struct {
	what     string // "a directory"
	keys     []string
	required int
}

// at returns the place of a node.
func (s *source) at(n *yaml.Node) diag.Pos {
	return diag.Pos{File: s.file, Line: n.Line, Col: n.Column}
}

// problem reports something at a node.
func (s *source) problem(n *yaml.Node, code, summary, found, hint string) {
	s.report(n.Line, n.Column, diag.Problem{Code: "manifest." + code, Summary: summary, Found: found, Hint: hint})
}

// object reads a mapping of known keys: values[i] becomes the node of
// shape.keys[i], or nil. It reports unknown, doubled and missing keys, and
// returns false where there is nothing to look into.
func (s *source) object(n *yaml.Node, is *shape, values []*yaml.Node) bool {
	if n.Kind != yaml.MappingNode {
		return s.isKind(n, yaml.MappingNode, is.what, "write it as a mapping with the keys "+strings.Join(is.keys, ", "))
	}
	for i := 0; i+1 < len(n.Content) && s.more == 0; i += 2 {
		key := n.Content[i]
		if !s.isKey(key) {
			continue
		}
		k := slices.Index(is.keys, key.Value)
		switch {
		case k < 0:
			s.unknownKey(key, is)
		case values[k] != nil:
			s.doubled(key, keyOf(n, values[k]))
		default:
			values[k] = n.Content[i+1]
		}
	}
	for k := range is.required {
		if values[k] == nil {
			s.problem(n, "missing-key", fmt.Sprintf("%s has no %q", is.what, is.keys[k]), "", fmt.Sprintf("add %s: …", is.keys[k]))
		}
	}
	return true
}

// keyOf returns the key node of a value.
func keyOf(n, value *yaml.Node) *yaml.Node {
	return n.Content[slices.Index(n.Content, value)-1]
}

func (s *source) unknownKey(key *yaml.Node, is *shape) {
	hint := "known keys: " + strings.Join(is.keys, ", ")
	if near := nearest.Word(key.Value, is.keys); near != "" {
		hint = fmt.Sprintf("did you mean %q?", near)
	}
	s.problem(key, "unknown-key", fmt.Sprintf("%s has no key %s", is.what, quote(key.Value)), "", hint)
}

func (s *source) doubled(key, first *yaml.Node) {
	s.problem(key, "duplicate-key", fmt.Sprintf("%s is given twice", quote(key.Value)),
		"the first one at "+s.at(first).String(), "remove one of them")
}

// isKey reports whether a key is text; the other sorts are reported.
func (s *source) isKey(key *yaml.Node) bool {
	if key.Kind == 0 {
		return false
	}
	if key.Kind != yaml.ScalarNode || key.Tag == "!!null" {
		s.problem(key, "wrong-type", "a key must be text", sort(key), "")
		return false
	}
	return true
}

// entries calls each for every key of a mapping whose keys are names that the
// user chose, in order. Doubled names are reported and left out.
func (s *source) entries(n *yaml.Node, what string, each func(key, value *yaml.Node)) {
	if n == nil || !s.isKind(n, yaml.MappingNode, what, "write it as a mapping of names") {
		return
	}
	seen := make(map[string]*yaml.Node, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content) && s.more == 0; i += 2 {
		key := n.Content[i]
		if !s.isKey(key) {
			continue
		}
		if first := seen[key.Value]; first != nil {
			s.doubled(key, first)
			continue
		}
		seen[key.Value] = key
		each(key, n.Content[i+1])
	}
}

// items returns the nodes of a list; nil and what is no list give none.
func (s *source) items(n *yaml.Node, what string) []*yaml.Node {
	if n == nil || !s.isKind(n, yaml.SequenceNode, what, "write it as a list: [a, b]") {
		return nil
	}
	if s.more > 0 {
		return nil
	}
	return n.Content
}

// isKind reports whether a node is of a kind; what is not is reported.
func (s *source) isKind(n *yaml.Node, kind yaml.Kind, what, hint string) bool {
	switch {
	case s.more > 0:
	case n.Kind == kind && (kind != yaml.ScalarNode || n.Tag != "!!null"):
		return true
	case n.Kind == 0: // reported by audit
	case n.Kind == yaml.ScalarNode && n.Tag == "!!null":
		empty := "give a value or remove the key"
		if kind == yaml.MappingNode {
			empty = "write {} for none, or remove the key"
		} else if kind == yaml.SequenceNode {
			empty = "write [] for none, or remove the key"
		}
		s.problem(n, "no-value", what+" has no value", "", empty)
	default:
		want := map[yaml.Kind]string{yaml.MappingNode: "a mapping", yaml.SequenceNode: "a list", yaml.ScalarNode: "one value"}[kind]
		s.problem(n, "wrong-type", fmt.Sprintf("%s must be %s", what, want), sort(n), hint)
	}
	return false
}

// sort names the sort of a node.
func sort(n *yaml.Node) string {
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

// scalar returns the text of a value as it is written, so that 3.10 stays 3.10.
// A nil node gives false, as all do once there are too many problems.
func (s *source) scalar(n *yaml.Node, what string) (string, bool) {
	if n == nil || s.more > 0 || !s.isKind(n, yaml.ScalarNode, what, "") {
		return "", false
	}
	return n.Value, true
}

// maxText is the longest text of one line, in bytes.
const maxText = 1000

// text returns a value of one line that is not empty.
func (s *source) text(n *yaml.Node, what string) (string, bool) {
	v, ok := s.scalar(n, what)
	switch {
	case !ok:
		return "", false
	case strings.TrimSpace(v) == "":
		s.problem(n, "text", what+" is empty", "", "give a value or remove the key")
	case strings.ContainsAny(v, "\n\t"):
		s.problem(n, "text", what+" must be one line without tabs", quote(v), "")
	case len(v) > maxText:
		s.problem(n, "text", fmt.Sprintf("%s is longer than %d bytes", what, maxText), fmt.Sprintf("%d bytes", len(v)), "")
	default:
		return v, true
	}
	return "", false
}

// boolean returns true or false, spelled so.
func (s *source) boolean(n *yaml.Node, what string) bool {
	v, ok := s.scalar(n, what)
	if !ok || v == "false" && n.Style == 0 || v == "true" && n.Style == 0 {
		return ok && v == "true"
	}
	hint := "write true or false"
	switch strings.ToLower(v) {
	case "yes", "on", "y", "true", "1":
		hint = "write true"
	case "no", "off", "n", "false", "0":
		hint = "write false"
	}
	s.problem(n, "wrong-type", what+" must be true or false", sort(n), hint)
	return false
}

// integer returns a whole number in decimal.
func (s *source) integer(n *yaml.Node, what string, low, high int64) int64 {
	v, ok := s.scalar(n, what)
	if !ok {
		return 0
	}
	number, err := strconv.ParseInt(v, 10, 64)
	switch {
	case err != nil || strings.HasPrefix(v, "+") || strings.TrimLeft(v, "-") == "":
		s.problem(n, "wrong-type", what+" must be a whole number", sort(n), "")
	case len(v) > 1 && strings.HasPrefix(strings.TrimPrefix(v, "-"), "0"):
		s.problem(n, "value", what+" begins with 0, which some read as octal", quote(v), "write it without leading zeros")
	case number < low || number > high:
		s.problem(n, "value", fmt.Sprintf("%s must be between %d and %d", what, low, high), quote(v), "")
	default:
		return number
	}
	return 0
}

// size returns a number of bytes.
func (s *source) size(n *yaml.Node, what string) int64 {
	v, ok := s.scalar(n, what)
	if !ok {
		return 0
	}
	bytes, err := bytesize.Parse(v)
	if err != nil {
		s.problem(n, "size", what+": "+printable(err.Error()), "", "write a number and a unit, such as 30GB (10^9 bytes) or 1.5GiB (2^30)")
		return 0
	}
	return bytes
}

// sizes returns a range of bytes, "150MB-300MB", or one size twice.
func (s *source) sizes(n *yaml.Node, what string) (low, high int64) {
	v, ok := s.scalar(n, what)
	if !ok {
		return 0, 0
	}
	first, last, isRange := strings.Cut(v, "-")
	if !isRange {
		low = s.size(n, what)
		return low, low
	}
	low, err := bytesize.Parse(strings.TrimSpace(first))
	if err == nil {
		high, err = bytesize.Parse(strings.TrimSpace(last))
	}
	if err != nil {
		s.problem(n, "size", what+": "+printable(err.Error()), quote(v), "write a range as 150MB-300MB")
		return 0, 0
	}
	if low > high {
		s.problem(n, "size", what+" begins with its larger end", quote(v), "write the smaller size first")
		return 0, 0
	}
	return low, high
}

// mode returns permission bits in octal, "0644" or "644", quoted or not: the
// text counts, not the number that YAML would make of it.
func (s *source) mode(n *yaml.Node) facts.Mode {
	v, ok := s.scalar(n, "mode")
	if !ok {
		return 0
	}
	digits := strings.TrimPrefix(v, "0")
	bits, err := strconv.ParseUint(digits, 8, 32)
	if err != nil || len(digits) != 3 || len(v) > 4 {
		s.problem(n, "value", "mode must be three octal digits", quote(v), "write 0644, or 0755 for what can be run; bits for set-user-id and the like are not managed")
		return 0
	}
	if bits&0o600 != 0o600 {
		s.problem(n, "value", "mode takes reading or writing from the owner", quote(v), "without both, reconcile could not look after it: begin with 6 or 7")
		return 0
	}
	return facts.Mode(bits)
}

// choice returns one of the words that a field knows.
func (s *source) choice(n *yaml.Node, what string, words ...string) string {
	v, ok := s.scalar(n, what)
	if !ok || slices.Contains(words, v) {
		return v
	}
	hint := ""
	if near := nearest.Word(v, words); near != "" {
		hint = fmt.Sprintf("did you mean %q?", near)
	}
	s.problem(n, "value", what+" must be one of "+strings.Join(words, ", "), quote(v), hint)
	return ""
}

// severity returns how a requirement that is not met counts.
func (s *source) severity(n *yaml.Node) diag.Severity {
	if s.choice(n, "severity", "fail", "warn") == "warn" {
		return diag.Warn
	}
	return diag.Fail
}

// name returns an identifier that can become part of an address, a file name and
// a word of a command.
func (s *source) name(n *yaml.Node, what string, ok func(string) bool, rule string) bool {
	if n.Kind == 0 {
		return false
	}
	if !ok(n.Value) {
		s.problem(n, "name", fmt.Sprintf("%s is no name for %s", quote(n.Value), what), "", rule)
		return false
	}
	return true
}

// isSnake reports whether a name is made of lower-case words joined by _.
func isSnake(v string) bool { return isWords(v, "_") }

// isSlug reports whether a name is made of lower-case words joined by -, _ or a dot.
func isSlug(v string) bool { return isWords(v, "-_.") }

const (
	snakeRule = "use lower-case letters, digits and _, beginning with a letter, at most 64"
	slugRule  = "use lower-case letters, digits and - _ . between them, beginning with a letter, at most 64"
)

func isWords(v, joints string) bool {
	if v == "" || len(v) > 64 || v[0] < 'a' || v[0] > 'z' || strings.IndexByte(joints, v[len(v)-1]) >= 0 {
		return false
	}
	for i := range len(v) {
		c := v[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && strings.IndexByte(joints, c) < 0 {
			return false
		}
	}
	return true
}
