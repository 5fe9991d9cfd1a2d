package declared

import (
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/pep"
)

const stringKind = unstable.String

// setupPy adds the requirements of a setup.py that are literals, or that the usual lines read
// from a requirements file. The program does not run.
func (r *reader) setupPy(s *sections, file, text string) {
	list := tokens(file, text)
	if list == nil {
		r.notRead(diag.Pos{File: file, Line: 1, Col: 1}, file, "it is not a Python program")
		return
	}
	p := newProgram(list)
	call := p.setupCall()
	if call < 0 {
		r.notRead(diag.Pos{File: file, Line: 1, Col: 1}, file, "it has no single call of setup")
		return
	}
	end := p.closing(call, len(list))
	for i := call + 1; i < end; {
		next := i
		for next < end && !p.is(next, ",") {
			if t := p.text(next); t == "(" || t == "[" || t == "{" {
				next = p.closing(next, end)
			}
			next = min(next+1, end)
		}
		if list[i].kind == nameToken && p.is(i+1, "=") {
			r.setupArgument(s, p, list[i], span{i + 2, next}, file)
		} else if p.is(i, "*") {
			r.notRead(list[i].pos, "**", ComputedReason)
		}
		i = next + 1
	}
}

// setupCall returns the index of the bracket of the only call of setup, or -1.
func (p *program) setupCall() int {
	found := -1
	for i := range p.tokens {
		if p.is(i, "setup") && p.is(i+1, "(") && !p.is(i-1, "def") && (!p.is(i-1, ".") || p.is(i-2, "setuptools")) {
			if found >= 0 {
				return -1
			}
			found = i + 1
		}
	}
	return found
}

// setupArgument reads one argument of setup.
func (r *reader) setupArgument(s *sections, p *program, key token, value span, file string) {
	if r.onlyMetadata && key.text != "name" && key.text != "version" {
		return
	}
	v, ok := p.eval(value, 0)
	switch key.text {
	case "name":
		if ok && v.kind == 's' && pep.ValidName(v.text) {
			s.project.Name, s.project.Pos = v.text, v.pos
		}
	case "version":
		if ok && v.kind == 's' && pep.ValidVersion(v.text) {
			s.project.Version = v.text
		}
	case "python_requires":
		if ok && v.kind == 's' {
			r.python(&node{kind: stringKind, text: v.text, pos: v.pos})
		} else {
			r.notRead(key.pos, key.text, ComputedReason)
		}
	case "install_requires", "requires":
		s.main = append(s.main, r.setupRequirements(p, key, value, v, ok, file)...)
	case "setup_requires":
		if ok {
			s.project.BuildRequires = r.literals(v, file)
		}
	case "extras_require":
		r.setupExtras(s, p, key, value, v, ok, file)
	}
}

// setupRequirements returns a list of literals, or of the requirements file that is read.
func (r *reader) setupRequirements(p *program, key token, value span, v literal, ok bool, file string) []Requirement {
	if ok && v.kind != 'd' {
		return r.literals(v, file)
	}
	if named, ok := r.fileIdiom(p, value, file); ok {
		return r.fromFile(named, key.pos, file)
	}
	r.notRead(key.pos, key.text, ComputedReason)
	return nil
}

// setupExtras reads a dictionary of extras. If some of its values are computed, the others are
// read.
func (r *reader) setupExtras(s *sections, p *program, key token, value span, v literal, ok bool, file string) {
	if ok && v.kind == 'd' {
		for i, name := range v.keys {
			s.extras[name] = func() []Requirement { return r.literals(v.items[i], file) }
		}
		return
	}
	found := false
	for name, item := range p.entries(value, 0) {
		found = true
		s.extras[name] = func() []Requirement {
			v, ok := p.eval(item, 0)
			return r.setupRequirements(p, token{text: "extras_require[" + name + "]", pos: p.tokens[item.from].pos}, item, v, ok, file)
		}
	}
	if !found {
		r.notRead(key.pos, key.text, ComputedReason)
	}
}

// entries returns the values of a dictionary, or of a name with one dictionary as value.
func (p *program) entries(s span, depth int) map[string]span {
	if depth > maxNames {
		return nil
	}
	if s.to-s.from == 1 && p.tokens[s.from].kind == nameToken && len(p.values[p.text(s.from)]) == 1 {
		name := p.text(s.from)
		found := p.entries(p.values[name][0], depth+1)
		for key, spans := range p.items[name] {
			if found == nil {
				found = map[string]span{}
			}
			if found[key] = spans[0]; len(spans) > 1 {
				found[key] = span{spans[0].from, spans[0].from} // has no single value
			}
		}
		return found
	}
	if s.from >= s.to || !p.is(s.from, "{") || p.closing(s.from, s.to) != s.to-1 {
		return nil
	}
	found := map[string]span{}
	for i := s.from + 1; i < s.to-1; {
		end := i
		for end < s.to-1 && !p.is(end, ",") {
			if t := p.text(end); t == "(" || t == "[" || t == "{" {
				end = p.closing(end, s.to-1)
			}
			end = min(end+1, s.to-1)
		}
		if i+2 < end && p.tokens[i].kind == stringToken && p.is(i+1, ":") {
			found[p.tokens[i].text] = span{i + 2, end}
		}
		i = end + 1
	}
	return found
}

// literals returns the requirements of a list of strings, or of a string with one a line.
func (r *reader) literals(v literal, file string) (list []Requirement) {
	values := v.items
	if v.kind == 's' {
		for line := range strings.Lines(v.text) {
			values = append(values, literal{kind: 's', text: line, pos: v.pos})
		}
	}
	for _, item := range values {
		text := strings.TrimSpace(item.text)
		if item.kind != 's' {
			r.problem("requirements.syntax", item.pos, "a requirement must be a string")
		} else if text != "" {
			if q, ok := r.pep508(text, item.pos, file); ok {
				list = append(list, q)
			}
		}
	}
	return list
}

// idiomWords are the names in lines that read a requirements file without changing its meaning.
var idiomWords = strings.Fields(`open read readlines read_text splitlines split strip rstrip lstrip startswith list filter map str len
	os path join dirname abspath realpath exists isfile __file__ Path pathlib parent resolve io codecs parse_requirements pkg_resources
	for in if not and or else with as return None True False lambda append extend encoding mode here HERE pip req session string requirement
	typing List Sequence int bool is continue Union Optional`)

// idiomStrings are the strings in such lines, beside the names of files.
var idiomStrings = []string{"", "#", "\n", "\r\n", " ", "r", "rt", "rb", "utf-8", "utf8", "UTF-8", "-", "--", "-e", "-r", "-f", ".", "./"}

// fileIdiom returns the requirements file that an expression reads, by the usual lines: a
// function or a with statement that opens one file and splits it into lines.
func (r *reader) fileIdiom(p *program, value span, file string) (string, bool) {
	c := &idiom{program: p, local: map[string]bool{}, seen: map[string]bool{}}
	c.visit(value)
	if c.failed || !c.opens {
		return "", false
	}
	c.own(value)
	for name := range c.names {
		if !c.local[name] && !slices.Contains(idiomWords, name) {
			return "", false
		}
	}
	files := c.files
	if own := c.ownFiles; len(own) > 0 {
		files = own
	}
	slices.Sort(files)
	if files = slices.Compact(files); len(files) != 1 {
		return "", false
	}
	return r.existing(files[0], file)
}

// existing returns the path of a file, in the directory of a file or, for the last element of a
// joined path, in a subdirectory with the usual name.
func (r *reader) existing(named, file string) (string, bool) {
	for _, try := range []string{named, path.Join("requirements", named)} {
		if name, ok := beside(file, try); ok {
			if info, err := fs.Stat(r.fsys, name); err == nil && info.Mode().IsRegular() {
				return try, true
			}
		}
	}
	return "", false
}

// An idiom is the tokens that an expression depends on.
type idiom struct {
	*program
	local    map[string]bool // names that these tokens define
	names    map[string]bool // names that they use
	files    []string
	ownFiles []string // those in the expression itself
	seen     map[string]bool
	opens    bool // a file is opened
	failed   bool
}

// visit adds the tokens of a span, and those that define its names.
func (c *idiom) visit(s span) {
	if c.names == nil {
		c.names = map[string]bool{}
	}
	for i := s.from; i < s.to && !c.failed; i++ {
		t := c.tokens[i]
		switch t.kind {
		case computedText, numberToken:
			c.failed = t.kind == computedText
		case stringToken:
			if isRequirementsName(t.text) {
				c.files = append(c.files, c.joined(i))
			} else if !slices.Contains(idiomStrings, t.text) && !strings.HasPrefix(t.text, "\n") && !c.isJoined(i) && !c.isDocstring(i) {
				c.failed = true
			}
		case nameToken:
			c.name(i, t.text)
		}
	}
}

func (c *idiom) own(s span) {
	for i := s.from; i < s.to; i++ {
		if c.tokens[i].kind == stringToken && isRequirementsName(c.tokens[i].text) {
			c.ownFiles = append(c.ownFiles, c.joined(i))
		}
	}
}

func isRequirementsName(s string) bool {
	return (strings.HasSuffix(s, ".txt") || strings.HasSuffix(s, ".in")) && !strings.ContainsAny(s, " *\n")
}

// isDocstring reports whether a string is a statement.
func (c *idiom) isDocstring(i int) bool {
	return (i == 0 || c.tokens[i-1].kind == lineEnd) && i+1 < len(c.tokens) && c.tokens[i+1].kind == lineEnd
}

// isJoined reports whether a string is a directory before the name of a file: "dir", "file" or
// "dir" / "file".
func (c *idiom) isJoined(i int) bool {
	for i+2 < len(c.tokens) && (c.is(i+1, ",") || c.is(i+1, "/")) && c.tokens[i+2].kind == stringToken {
		if i += 2; isRequirementsName(c.tokens[i].text) {
			return true
		}
	}
	return false
}

// joined returns the path whose last element is string i.
func (c *idiom) joined(i int) string {
	name := c.tokens[i].text
	for i >= 2 && (c.is(i-1, ",") || c.is(i-1, "/")) && c.tokens[i-2].kind == stringToken {
		i -= 2
		name = path.Join(c.tokens[i].text, name)
	}
	return name
}

// name adds a name: a definition, a keyword argument or a use, whose definition is visited.
func (c *idiom) name(i int, name string) {
	switch {
	case c.is(i-1, "for"), c.is(i-1, "as"), c.is(i-1, "lambda"), c.is(i+1, "=") && !c.is(i+2, "="), c.is(i+1, ":") && !c.is(i-1, "["):
		c.local[name] = true
		return
	case c.is(i-1, "."):
		c.names[name] = true
		c.opens = c.opens || name == "read_text"
		return
	}
	if name == "open" || name == "parse_requirements" {
		c.opens = true
	}
	if c.seen[name] {
		return
	}
	c.seen[name] = true
	if len(c.seen) > maxNames*maxNames {
		c.failed = true
		return
	}
	if f, ok := c.functions[name]; ok {
		c.local[name] = true
		for j := f.from; j < f.to && !c.is(j, ")"); j++ { // parameters
			if c.tokens[j].kind == nameToken && (c.is(j-1, "(") || c.is(j-1, ",")) {
				c.local[c.tokens[j].text] = true
			}
		}
		c.visit(f)
		return
	}
	c.names[name] = true
	for _, v := range c.values[name] {
		c.local[name] = true
		c.visit(v)
	}
	if opened, ok := c.opened(name, i); ok {
		c.local[name] = true
		c.visit(opened)
	}
}

// opened returns the expression of the last "with EXPRESSION as NAME" before token i.
func (c *idiom) opened(name string, i int) (span, bool) {
	for j := i - 1; j > 0; j-- {
		if !c.is(j, "as") || !c.is(j+1, name) {
			continue
		}
		for k := j - 1; k >= 0 && c.tokens[k].kind != lineEnd; k-- {
			if c.is(k, "with") {
				return span{k + 1, j}, true
			}
		}
	}
	return span{}, false
}
