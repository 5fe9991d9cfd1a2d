package userconfig

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"gopkg.in/yaml.v3"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/nearest"
)

// keys lists the valid keys.
func keys() []string {
	return []string{"cert", "conda_alias", "find_links", "index_url", "indexes", "osv_url", "proxy", "safe_directories", "store"}
}

// A parser reads the nodes of one file.
type parser struct {
	file, home string
	problems   diag.List
}

// parse reads a mapping of keys to strings and lists of strings. Anything else is an error
// with its position. Problems contain no values of index settings, which may be secret.
func parse(file, home string, text []byte) (*Config, error) {
	p := &parser{file: file, home: home}
	c := &Config{}
	root := p.document(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")))
	if root != nil {
		p.mapping(c, root)
	}
	if err := p.problems.Err(); err != nil {
		return nil, err
	}
	return c, nil
}

// document returns the only document of a text, nil if it is empty or not valid.
func (p *parser) document(text []byte) *yaml.Node {
	var doc yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(&doc); errors.Is(err, io.EOF) {
		return nil
	} else if err != nil {
		p.problem(syntaxLine(err), "it is not valid YAML", "")
		return nil
	}
	var second yaml.Node
	if err := decoder.Decode(&second); err == nil {
		p.problem(&second, "it has more than one document", "remove this one")
		return nil
	} else if !errors.Is(err, io.EOF) {
		p.problem(syntaxLine(err), "it is not valid YAML", "")
		return nil
	}
	root := doc.Content[0]
	switch {
	case root.Kind == yaml.ScalarNode && root.Tag == "!!null":
		return nil
	case root.Kind != yaml.MappingNode:
		p.problem(root, "it is not a mapping of keys to values", "")
		return nil
	}
	return root
}

// lineOf finds the line in an error of the YAML library.
var lineOf = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\bline (\d+)`) })

// syntaxLine returns a node at the line of a syntax error. The text of the error is not
// used, because it may quote the file.
func syntaxLine(err error) *yaml.Node {
	if m := lineOf().FindStringSubmatch(err.Error()); m != nil {
		if line, err := strconv.Atoi(m[1]); err == nil {
			return &yaml.Node{Line: line, Column: 1}
		}
	}
	return &yaml.Node{Line: 1, Column: 1}
}

func (p *parser) mapping(c *Config, root *yaml.Node) {
	seen := map[string]bool{}
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		name := key.Value
		switch {
		case !slices.Contains(keys(), name) || key.Kind != yaml.ScalarNode:
			p.unknown(key)
			continue
		case seen[name]:
			p.problem(key, name+" is set twice", "remove one of them")
			continue
		}
		seen[name] = true
		if name == "indexes" {
			p.indexes(c, value)
			continue
		}
		values := p.values(name, value)
		switch {
		case len(values) == 0:
		case name == "store":
			c.Store = p.path(values[0], name, false)
		case name == "safe_directories":
			for _, v := range values {
				c.SafeDirectories = append(c.SafeDirectories, p.pattern(v))
			}
		default:
			s := Setting{Name: name, Pos: p.pos(value)}
			for _, v := range values {
				s.Values = append(s.Values, p.setting(name, v))
			}
			c.Index = append(c.Index, s)
		}
	}
}

// indexes reads the locations of named indexes.
func (p *parser) indexes(c *Config, n *yaml.Node) {
	if n.Kind != yaml.MappingNode || n.Anchor != "" {
		p.problem(n, "indexes is not a mapping of names to URLs", "write indexes: {NAME: URL}")
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode || key.Value == "" {
			p.problem(key, "the name of an index is not a string", "write indexes: {NAME: URL}")
			continue
		}
		for _, v := range p.values("indexes", value) {
			c.Index = append(c.Index, Setting{Name: IndexPrefix + key.Value, Values: []string{strings.TrimSpace(v.Value)}, Pos: p.pos(value)})
		}
	}
}

func (p *parser) unknown(key *yaml.Node) {
	hint := "the keys are " + strings.Join(keys(), ", ")
	if near := nearest.Word(key.Value, keys()); near != "" {
		hint = "did you mean " + near + "?"
	}
	p.problem(key, fmt.Sprintf("unknown key %.40q", key.Value), hint)
}

// values returns the string nodes of a value: one, or those of a list for the keys that
// take a list. Anything else is a problem.
func (p *parser) values(name string, n *yaml.Node) []*yaml.Node {
	list := name == "find_links" || name == "safe_directories"
	items := []*yaml.Node{n}
	if list && n.Kind == yaml.SequenceNode && n.Anchor == "" {
		items = n.Content
	} else if name == "safe_directories" {
		p.problem(n, name+" is not a list", "write safe_directories: [DIR]")
		return nil
	}
	seen := map[string]bool{}
	for _, item := range items {
		switch value := strings.TrimSpace(item.Value); {
		case item.Kind != yaml.ScalarNode || item.Tag != "!!str" || item.Anchor != "":
			what := " is not a string"
			if list {
				what = " is not a list of strings"
			}
			p.problem(item, name+what, "put a text that YAML reads as another type into quotes")
			return nil
		case value == "":
			p.problem(item, name+" is empty", "remove it, or give it a value")
			return nil
		case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }):
			p.problem(item, name+" contains a control character", "remove it")
			return nil
		case seen[value]:
			p.problem(item, name+" has the same entry twice", "remove one of them")
			return nil
		default:
			seen[value] = true
		}
	}
	return items
}

// setting returns the value of an index setting; paths become absolute.
func (p *parser) setting(name string, n *yaml.Node) string {
	value := strings.TrimSpace(n.Value)
	if name != "cert" && (name != "find_links" || strings.Contains(value, "://")) {
		return value
	}
	return p.path(n, name, true)
}

// path returns an absolute path: ~/ is the home directory, and other relative paths, where
// they are allowed, begin in the folder of the file.
func (p *parser) path(n *yaml.Node, name string, relative bool) string {
	value := strings.TrimSpace(n.Value)
	rest, tilde := strings.CutPrefix(value, "~/")
	switch {
	case tilde && p.home == "":
		p.problem(n, name+" begins with ~, and this user has no home directory", "write an absolute path")
		return ""
	case tilde:
		return filepath.Join(p.home, rest)
	case filepath.IsAbs(value):
		return filepath.Clean(value)
	case relative:
		return filepath.Join(filepath.Dir(p.file), value)
	}
	p.problem(n, name+" is not an absolute path", "write a path that begins with / or ~/")
	return ""
}

// pattern returns a pattern for Covers.
func (p *parser) pattern(n *yaml.Node) string {
	value := strings.TrimSpace(n.Value)
	if value == "*" {
		return value
	}
	return p.path(n, "safe_directories", false) // keeps /* at the end
}

func (p *parser) pos(n *yaml.Node) diag.Pos {
	return diag.Pos{File: p.file, Line: n.Line, Col: n.Column}
}

func (p *parser) problem(n *yaml.Node, summary, hint string) {
	p.problems.Add(&diag.Problem{Code: "config.invalid", Pos: p.pos(n), Summary: summary, Hint: hint})
}
