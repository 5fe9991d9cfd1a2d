package manifest

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"github.com/reconcile-ml/reconcile/internal/diag"
)

// maxBisect is the size up to which a syntax error is pinned to its line by
// parsing parts of the file again.
const maxBisect = 128 << 10

// parse turns the text into nodes, or reports why it is not YAML. It returns the
// value of the only document.
func (s *source) parse() *yaml.Node {
	root, err := decode(s.data)
	if err != nil {
		s.syntax(err)
		return nil
	}
	if root == nil {
		s.report(1, 1, diag.Problem{
			Code: "manifest.empty", Summary: "the manifest holds nothing but comments",
			Hint: "reconcile init writes one to start from",
		})
		return nil
	}
	return root
}

// decode reads the only document of text; nil if there is none. The library
// stops at the end of a document, so what follows is asked for too.
func decode(text []byte) (*yaml.Node, error) {
	d := yaml.NewDecoder(bytes.NewReader(text))
	var doc, second yaml.Node
	if err := d.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	if err := d.Decode(&second); !errors.Is(err, io.EOF) {
		if err == nil {
			err = errors.New("yaml: line " + strconv.Itoa(second.Line) + ": a second document begins here")
		}
		return nil, err
	}
	return doc.Content[0], nil
}

// A complaint is how we say what the YAML library says.
type complaint struct {
	says    string // the start of its message
	parser  bool   // said by its parser, whose lines count from 0 and may be those of the context
	opening bool   // the line is that of a bracket that is not closed
	start   bool   // said of the first character of a value
	summary string
	hint    string
}

var complaints = []complaint{
	{says: "did not find expected ',' or", parser: true, opening: true, summary: "the list or mapping that begins here is not closed, or a comma is missing", hint: "check the brackets and commas of [ … ] and { … }"},
	{says: "did not find expected key", parser: true, summary: "this line does not continue the mapping above it", hint: "check the indentation, and quote texts that hold quotes or brackets"},
	{says: "did not find expected '-' indicator", parser: true, summary: "this line does not continue the list above it", hint: "begin every item with \"- \" at the same indentation"},
	{says: "did not find expected <document start>", parser: true, summary: "something follows the end of the document", hint: "check the indentation and the brackets before this line"},
	{says: "did not find expected node content", parser: true, summary: "a value is missing or malformed", hint: "check the brackets and commas"},
	{says: "mapping values are not allowed", summary: "a colon where no value can begin", hint: "quote a text that holds \": \", and check the indentation"},
	{says: "could not find expected ':'", summary: "a key without a colon", hint: "write \"key: value\", with a blank after the colon and after the dash of a list"},
	{says: "found unexpected end of stream", summary: "the quote that begins here is not closed", hint: "close it, or double a quote inside of single quotes"},
	{says: "found unexpected document indicator", summary: "the quote that begins here is not closed", hint: "close it"},
	{says: "found unknown escape character", summary: "an unknown escape between double quotes", hint: "write \\\\ for a backslash, or use single quotes"},
	{says: "found character that cannot start any token", start: true, summary: "a value cannot begin with this character", hint: "quote texts that begin with @, `, %, > or |, and indent with spaces"},
	{says: "did not find expected comment or line break", start: true, summary: "a value cannot begin with this character", hint: "quote texts that begin with > or |"},
	{says: "found a tab character", summary: "a tab in the indentation", hint: "indent with spaces"},
	{says: "exceeded max depth", summary: "values are nested too deeply", hint: "no manifest needs more than 10 levels"},
	{says: "a second document begins here", summary: "a second document begins here", hint: "a manifest is one document"},
	{says: "did not find expected alphabetic or numeric", summary: "a value begins with & or *, which is an anchor or alias in YAML", hint: "quote the text"},
	{says: "block sequence entries are not allowed", summary: "a list cannot begin here", hint: "put \"- \" on a line of its own below the key"},
	{says: "found duplicate %", parser: true, summary: "a YAML directive", hint: "remove it"},
}

// syntax reports what the YAML library said, at the place that it meant.
func (s *source) syntax(err error) {
	// Expressions are compiled here, not at the start of every command.
	m := regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`).FindStringSubmatch(strings.ReplaceAll(err.Error(), "\n", " "))
	if m == nil {
		m = []string{"", "", err.Error()}
	}
	line, _ := strconv.Atoi(m[1])
	if alias := regexp.MustCompile(`^unknown anchor '(.*)' referenced$`).FindStringSubmatch(m[2]); alias != nil {
		s.unknownAlias(alias[1])
		return
	}
	if s.tabIndentation(max(line, 1)) {
		return
	}
	if q := s.badQuote(); q != nil {
		summary, hint := q.problem()
		s.report(q.line, q.col, diag.Problem{Code: "manifest.syntax", Summary: summary, Hint: hint})
		return
	}
	for _, c := range complaints {
		if !strings.HasPrefix(m[2], c.says) {
			continue
		}
		if c.parser {
			line++
			if !c.opening {
				line = s.firstLine(m[2], line)
			}
		}
		if c.start && s.badStart(line, c) {
			return
		}
		if above := s.withoutColon(line); above > 0 && strings.HasPrefix(c.says, "mapping values") {
			s.syntaxAt(above, "a key without a colon", "write \"key: value\", with a blank after the colon")
			return
		}
		s.syntaxAt(line, c.summary, c.hint)
		return
	}
	s.syntaxAt(line, printable(m[2]), "")
}

// syntaxAt reports a syntax error at the first character of a line, or of the
// last one before it that is not blank.
func (s *source) syntaxAt(line int, summary, hint string) {
	line = max(line, 1)
	text := s.line(line)
	for line > 1 && strings.TrimSpace(text) == "" {
		line--
		text = s.line(line)
	}
	col := len(text) - len(strings.TrimLeft(text, " ")) + 1
	s.report(line, col, diag.Problem{Code: "manifest.syntax", Summary: summary, Hint: hint})
}

// badStart reports the first value of a line that begins with a character that
// none may begin with.
func (s *source) badStart(line int, c complaint) bool {
	text := s.line(line)
	at := regexp.MustCompile("(?:^|[:-] |[\\[{,]) *([@`%>|])").FindStringSubmatchIndex(text)
	if at == nil {
		return false
	}
	s.report(line, utf8.RuneCountInString(text[:at[2]])+1, diag.Problem{Code: "manifest.syntax", Summary: c.summary, Hint: c.hint})
	return true
}

// withoutColon returns the line above, blanks and comments aside, if it looks like
// a key that lacks its colon: as far indented as the line, and without one. Else 0.
func (s *source) withoutColon(line int) int {
	here := s.line(line)
	for n := line - 1; n > 0; n-- {
		text := s.line(n)
		word := strings.TrimSpace(text)
		if word == "" || word[0] == '#' {
			continue
		}
		if indentation([]byte(text)) != indentation([]byte(here)) || strings.ContainsAny(word, ":{[") || word[0] == '-' {
			return 0
		}
		return n
	}
	return 0
}

// firstLine returns the first line, not before from, up to which the text has
// the same error. The library names the start of the mapping instead, which may
// be far above.
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
		_, err := decode(s.data[:end])
		if err != nil && strings.HasSuffix(err.Error(), message) {
			high = middle
		} else {
			low = middle + 1
		}
	}
	return low
}

// tabIndentation reports a tab in the indentation of the line, or of the one
// after it, to which the library may have read on.
func (s *source) tabIndentation(line int) bool {
	for n := line; n <= line+1; n++ {
		text := s.line(n)
		indent := text[:len(text)-len(strings.TrimLeft(text, " \t"))]
		if tab := strings.IndexByte(indent, '\t'); tab >= 0 && len(indent) < len(text) {
			s.report(n, tab+1, diag.Problem{
				Code: "manifest.syntax", Summary: "a tab in the indentation", Hint: "indent with spaces",
			})
			return true
		}
	}
	return false
}

// unknownAlias reports an alias without its anchor, which the library names
// without a line.
func (s *source) unknownAlias(name string) {
	at := regexp.MustCompile(`(?:^|[\s\[{,])\*` + regexp.QuoteMeta(name)).FindIndex(s.data)
	line, col := 1, 1
	if at != nil {
		line, col = s.place(at[1] - len(name) - 1)
	}
	s.report(line, col, aliasProblem)
}
