package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// maxBisect is the maximum size of a file, in bytes, in which firstLine searches for the
// line of a syntax error.
const maxBisect = 128 << 10

// parse returns the value of the only document, or reports a problem and returns nil.
func (s *source) parse() *yaml.Node {
	root, err := decode(s.data)
	if err != nil {
		s.syntax(err)
	} else if root == nil {
		s.problemAt(s.at(1, 1), "empty", "the manifest contains only comments", "", "`reconcile init` writes a manifest to start from")
	}
	return root
}

// decode returns the only document of a text, or nil if there is none.
func decode(text []byte) (*yaml.Node, error) {
	d := yaml.NewDecoder(bytes.NewReader(text))
	var doc, second yaml.Node
	if err := d.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	if err := d.Decode(&second); err == nil {
		return nil, fmt.Errorf("yaml: line %d: a second document begins here", second.Line)
	} else if !errors.Is(err, io.EOF) {
		return nil, err
	}
	return doc.Content[0], nil
}

// A complaint is an error message of the YAML library, and ours for it.
type complaint struct {
	prefix        string // of its message
	parser        bool   // it comes from the parser, whose lines count from 0
	context       bool   // its line is that of the enclosing mapping or list
	summary, hint string
}

var complaints = []complaint{
	{"did not find expected ',' or", true, false, "the list or mapping that begins here is not closed, or a comma is missing", "check the brackets, commas and quotes of [ … ] and { … }"},
	{"did not find expected key", true, true, "this line does not continue the mapping above it", "check the indentation, and that every quote in this line and above is closed; in single quotes a quote is doubled: 'it''s'"},
	{"did not find expected '-' indicator", true, true, "this line does not continue the list above it", "begin every item with \"- \" at the same indentation"},
	{"did not find expected <document start>", true, true, "unexpected text after the end of the document", "check the indentation and the brackets before this line"},
	{"did not find expected node content", true, true, "a value is missing or malformed", "check the brackets and commas"},
	{"mapping values are not allowed", false, false, "a colon where no value can begin", "quote a text that contains \": \", check the indentation, and check that the key above has a colon"},
	{"could not find expected ':'", false, false, "a key without a colon", "write \"key: value\", with a space after the colon and after the dash of a list"},
	{"found unexpected end of stream", false, false, "a quote in this line is not closed", "close the quote; in single quotes a quote is doubled: 'it''s'"},
	{"found unexpected document indicator", false, false, "a quote in this line is not closed", "close the quote; in single quotes a quote is doubled: 'it''s'"},
	{"found unknown escape character", false, false, "an unknown escape in double quotes", "write \\\\ for a backslash, or use single quotes"},
	{"found character that cannot start any token", false, false, "a value begins with a character that YAML reserves", "quote texts that begin with @, `, %, > or |, and indent with spaces"},
	{"did not find expected comment or line break", false, false, "a value begins with a character that YAML reserves", "quote texts that begin with > or |"},
	{"exceeded max depth", false, false, "values are nested too deeply", "no manifest needs more than 10 levels"},
	{"a second document begins here", false, false, "a second document begins here", "a manifest is one document"},
	{"did not find expected alphabetic or numeric", false, false, "a value begins with & or *, which is an anchor or alias in YAML", "quote the text"},
	{"block sequence entries are not allowed", false, false, "a list cannot begin here", "put \"- \" on a line of its own below the key"},
	{"found duplicate %", true, true, "a YAML directive", "remove it"},
}

// syntax reports an error of the YAML library at the line that it gives.
func (s *source) syntax(err error) {
	message := strings.TrimPrefix(strings.ReplaceAll(err.Error(), "\n", " "), "yaml: ")
	line := 0
	if rest, ok := strings.CutPrefix(message, "line "); ok {
		number, after, _ := strings.Cut(rest, ": ")
		if n, err := strconv.Atoi(number); err == nil {
			line, message = n, after
		}
	}
	if name, ok := strings.CutPrefix(message, "unknown anchor '"); ok {
		s.unknownAlias(strings.TrimSuffix(name, "' referenced"))
		return
	}
	if s.tabIndentation(max(line, 1)) {
		return
	}
	found := complaint{summary: printable(message)}
	for _, c := range complaints {
		if strings.HasPrefix(message, c.prefix) {
			found = c
			break
		}
	}
	if found.parser {
		line++
	}
	line = max(line, 1)
	if found.context {
		line = s.firstLine(message, line)
	}
	text := s.line(line)
	for line > 1 && strings.TrimSpace(text) == "" {
		line--
		text = s.line(line)
	}
	s.problemAt(s.at(line, len(text)-len(strings.TrimLeft(text, " "))+1), "syntax", found.summary, "", found.hint)
}

// firstLine returns the first line up to which the text has the same error. The library
// gives the line at which the enclosing mapping or list begins.
func (s *source) firstLine(message string, from int) int {
	s.line(1)
	if len(s.data) > maxBisect {
		return from
	}
	low, high := 1, len(s.starts)
	for low < high {
		middle := (low + high) / 2
		end := len(s.data)
		if middle < len(s.starts) {
			end = s.starts[middle]
		}
		if _, err := decode(s.data[:end]); err != nil && strings.HasSuffix(err.Error(), message) {
			high = middle
		} else {
			low = middle + 1
		}
	}
	return low
}

// tabIndentation reports a tab in the indentation of a line, or of the line after it.
func (s *source) tabIndentation(line int) bool {
	for n := line; n <= line+1; n++ {
		text := s.line(n)
		indent := text[:len(text)-len(strings.TrimLeft(text, " \t"))]
		if tab := strings.IndexByte(indent, '\t'); tab >= 0 && len(indent) < len(text) {
			s.problemAt(s.at(n, tab+1), "syntax", "a tab in the indentation", "", "indent with spaces")
			return true
		}
	}
	return false
}

// unknownAlias reports an alias without an anchor, for which the library gives no line.
func (s *source) unknownAlias(name string) {
	pos := s.at(1, 1)
	if at := regexp.MustCompile(`(?:^|[\s\[{,])\*` + regexp.QuoteMeta(name)).FindIndex(s.data); at != nil {
		pos = s.position(at[1] - len(name) - 1)
	}
	s.aliasProblem(pos)
}
