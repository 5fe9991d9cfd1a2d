package declared

import (
	"iter"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/pep"
)

// requirements reads a requirements file of pip, with the files that it includes. A constraints
// file only bounds the versions of other packages.
func (r *reader) requirements(file, text string, constraint bool) {
	r.compiledFor(file, text)
	r.chained = append(r.chained, file)
	for line, pos := range logicalLines(file, text) {
		r.line(line, pos, constraint)
	}
	r.chained = r.chained[:len(r.chained)-1]
}

var compiledBy = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)^#.*(?:pip-compile with python |uv pip compile .*(?:--python-version|--python|-p)[ =])(3\.[0-9]{1,2})\b`)
})

// compiledFor reads the header of pip-compile and of uv pip compile.
func (r *reader) compiledFor(file, text string) {
	n := 0
	for line := range strings.Lines(text) {
		if n++; n > 10 || r.set.CompiledFor.Clauses != nil {
			return
		}
		if m := compiledBy().FindStringSubmatch(line); m != nil {
			r.set.CompiledFor = Python{[]pep.Clause{{Op: "==", Version: m[1] + ".*"}}, m[1], diag.Pos{File: file, Line: n, Col: 1}}
		}
	}
}

// logicalLines joins continued lines and removes comments, as pip does.
func logicalLines(file, text string) iter.Seq2[string, diag.Pos] {
	return func(yield func(string, diag.Pos) bool) {
		var joined strings.Builder
		start, number := diag.Pos{}, 0
		end := func() bool {
			line := strings.TrimSpace(withoutComment(joined.String()))
			joined.Reset()
			return line == "" || yield(line, start)
		}
		for line := range strings.Lines(text) {
			number++
			line = strings.TrimRight(line, "\r\n")
			bare := strings.TrimLeft(line, " \t")
			if joined.Len() == 0 {
				start = diag.Pos{File: file, Line: number, Col: 1 + len(line) - len(bare)}
			}
			isComment := strings.HasPrefix(bare, "#")
			if rest, more := strings.CutSuffix(line, `\`); more && !isComment {
				joined.WriteString(rest)
				continue
			}
			if isComment {
				line = " " + line
			}
			joined.WriteString(line)
			if !end() {
				return
			}
		}
		end()
	}
}

// withoutComment removes a comment: # at the start or after a space.
func withoutComment(line string) string {
	for i := range len(line) {
		if line[i] == '#' && (i == 0 || line[i-1] == ' ' || line[i-1] == '\t') {
			return line[:i]
		}
	}
	return line
}

// line reads one line: an option or a requirement.
func (r *reader) line(line string, pos diag.Pos, constraint bool) {
	switch {
	case hasVariable(line):
		r.notRead(pos, line, variableReason)
	case line[0] == '-':
		r.option(line, pos, constraint)
	default:
		r.required(line, pos, false, constraint)
	}
}

// required reads a requirement with its options.
func (r *reader) required(line string, pos diag.Pos, editable, constraint bool) {
	text, options := line, ""
	if i := strings.Index(line, " --"); i >= 0 {
		text, options = strings.TrimSpace(line[:i]), line[i:]
	}
	q, ok := r.parse(text, pos, pos.File)
	if !ok {
		return
	}
	q.Editable = editable && (q.Editable || strings.HasPrefix(q.URL, "git+") || r.isDirectory(q.URL))
	words := strings.Fields(strings.ReplaceAll(options, "=", " "))
	for i, word := range words {
		if word == "--hash" && i+1 < len(words) && isHash(words[i+1]) {
			q.Hashes = append(q.Hashes, words[i+1])
		} else if word == "--hash" {
			r.problem("requirements.syntax", pos, "--hash of %s is not ALGORITHM:HEXADECIMAL", Shown(text))
		} else if strings.HasPrefix(word, "--") {
			r.notRead(pos, text+" "+word, "options of a build are not read")
		}
	}
	if constraint {
		r.set.Constraints = append(r.set.Constraints, q)
	} else {
		r.require(q)
	}
}

// isHash reports whether a text is a hash as in a requirements file: sha256:0a1b….
func isHash(text string) bool {
	algorithm, digest, ok := strings.Cut(text, ":")
	return ok && slices.Contains([]string{"sha256", "sha384", "sha512"}, algorithm) && digest != "" && strings.Trim(digest, "0123456789abcdefABCDEF") == ""
}

// parse parses a requirement by PEP 508, or a URL or path as in a requirements file.
func (r *reader) parse(text string, pos diag.Pos, file string) (Requirement, bool) {
	q := Requirement{Pos: pos}
	parsed, err := pep.ParseRequirement(text)
	reference := parsed.URL
	switch {
	case err == nil:
		q.Requirement = parsed
		q.URL = ""
		if reference == "" {
			return q, r.checkMarker(&q)
		}
	case isReference(text):
		reference, q.Marker = cutURLMarker(text)
	default:
		r.problem("requirements.syntax", pos, "%q is not a requirement", Shown(text))
		return q, false
	}
	q.Editable = true // of a directory, if the caller wants that
	if reason := r.setURL(&q, file, reference); reason != "" {
		r.notRead(pos, text, reason)
		return q, false
	}
	q.Editable = false
	return q, r.checkMarker(&q)
}

// isReference reports whether a line is a URL or a path.
func isReference(text string) bool {
	first, _, _ := strings.Cut(text, ";")
	first = strings.TrimSpace(first)
	if strings.Contains(first, "://") || strings.HasPrefix(first, "git@") || strings.HasPrefix(first, "file:") {
		return true
	}
	bare, _ := cutExtras(first)
	return !strings.ContainsAny(bare, " <>=~!@") && (strings.ContainsAny(bare, `/\`) || bare == "." || bare == ".." || strings.HasSuffix(bare, ".whl") || strings.HasSuffix(bare, ".tar.gz"))
}

// cutURLMarker splits a marker from a URL, which may contain a semicolon.
func cutURLMarker(text string) (reference, marker string) {
	for i := range len(text) {
		if text[i] == ';' && (i > 0 && text[i-1] == ' ' || i+1 < len(text) && text[i+1] == ' ') {
			return strings.TrimSpace(text[:i]), strings.TrimSpace(text[i+1:])
		}
	}
	return text, ""
}

func (r *reader) isDirectory(url string) bool {
	return strings.HasPrefix(url, "./") && nameOfFile(url) == ""
}

// checkMarker reports a malformed marker.
func (r *reader) checkMarker(q *Requirement) bool {
	if q.Marker == "" || pep.ValidMarker(q.Marker) {
		return true
	}
	r.problem("requirements.syntax", q.Pos, "%q is not a marker", Shown(q.Marker))
	return false
}

// option reads an option of the file.
func (r *reader) option(line string, pos diag.Pos, constraint bool) {
	word, value := line, ""
	if i := strings.IndexAny(line, " \t="); i >= 0 {
		word, value = line[:i], strings.TrimLeft(line[i:], " \t=")
	}
	if !strings.HasPrefix(word, "--") && len(word) > 2 { // -rother.txt
		word, value = word[:2], word[2:]+line[len(word):]
	}
	if n := len(value); n > 1 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
		value = value[1 : n-1]
	}
	index := func(kind IndexKind) { r.addIndex(Index{URL: value, Kind: kind, Pos: pos}, pos.File) }
	switch word {
	case "-r", "--requirement":
		r.include(value, pos, constraint)
	case "-c", "--constraint":
		r.include(value, pos, true)
	case "-e", "--editable":
		r.required(value, pos, true, constraint)
	case "-i", "--index-url", "--pypi-url":
		index(DefaultIndex)
	case "--extra-index-url":
		index(ExtraIndex)
	case "-f", "--find-links":
		index(FindLinks)
	case "--require-hashes", "--prefer-binary", "--only-binary": // a lock has hashes and prefers wheels
	case "--no-index", "--no-binary", "--pre", "--trusted-host", "--use-feature":
		r.notRead(pos, line, "a lock is made without "+word)
	default:
		r.problem("requirements.syntax", pos, "%q is not an option of a requirements file", Shown(word))
	}
}

// include reads a file that another one includes.
func (r *reader) include(named string, pos diag.Pos, constraint bool) {
	file, ok := beside(pos.File, named)
	if !ok {
		r.notRead(pos, named, "the file is outside of the project")
		return
	}
	if i := slices.Index(r.chained, file); i >= 0 {
		p := r.problem("requirements.cycle", pos, "%s includes itself", printable(file))
		if i < len(r.chain) {
			p.Found = "the cycle begins at " + r.chain[i].String()
		}
		p.Hint = "remove one of the two lines"
		return
	}
	key := file
	if constraint {
		key += " -c"
	}
	if r.done[key] {
		return
	}
	if r.done == nil {
		r.done = map[string]bool{}
	}
	r.done[key] = true
	text, ok := r.text(file, pos)
	if !ok {
		return
	}
	r.chain = append(r.chain, pos)
	if s := strings.HasSuffix(file, ".toml") || strings.HasSuffix(file, ".cfg") || strings.HasSuffix(file, ".py"); s {
		r.notRead(pos, named, "pip includes requirements files only")
	} else {
		r.requirements(file, text, constraint)
	}
	r.chain = r.chain[:len(r.chain)-1]
}
