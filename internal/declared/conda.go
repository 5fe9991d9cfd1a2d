package declared

import (
	"errors"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"gopkg.in/yaml.v3"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/pep"
)

// isConda reports whether a file is an environment.yml.
func isConda(file string) bool {
	ext := strings.ToLower(path.Ext(file))
	return ext == ".yml" || ext == ".yaml"
}

// conda reads an environment.yml.
func (r *reader) conda(file, text string) {
	root := yamlMapping(text)
	if root == nil {
		r.problem("requirements.syntax", diag.Pos{File: file}, "%s is not one YAML mapping", printable(file))
		return
	}
	dependencies := field(root, "dependencies")
	if dependencies == nil || dependencies.Kind != yaml.SequenceNode {
		r.problem("requirements.syntax", diag.Pos{File: file}, "%s has no list of dependencies", printable(file))
		return
	}
	for _, n := range items(field(root, "channels")) {
		r.channel(file, n)
	}
	r.chained = append(r.chained, file)
	for _, n := range items(dependencies) {
		switch pip := field(n, "pip"); {
		case n.Kind == yaml.ScalarNode:
			r.condaSpec(n.Value, yamlPos(file, n))
		case pip != nil:
			for _, line := range items(pip) {
				r.pipLine(file, line)
			}
		default:
			r.problem("requirements.syntax", yamlPos(file, n), "a dependency must be a string or {pip: [...]}")
		}
	}
	r.chained = r.chained[:len(r.chained)-1]
	if n := field(root, "variables"); n != nil {
		r.notRead(yamlPos(file, n), "variables", "an environment has no variables")
	}
}

func (r *reader) pipLine(file string, n *yaml.Node) {
	line := strings.TrimSpace(withoutComment(n.Value))
	switch {
	case n.Kind != yaml.ScalarNode || strings.ContainsAny(line, "\n\r"):
		r.problem("requirements.syntax", yamlPos(file, n), "a requirement of pip must be one line")
	case line != "":
		r.line(line, yamlPos(file, n), false)
	}
}

func yamlPos(file string, n *yaml.Node) diag.Pos {
	return diag.Pos{File: file, Line: n.Line, Col: n.Column}
}

// yamlMapping returns the mapping of a text with one document, or nil. Nodes are not
// expanded, so that an alias cannot grow.
func yamlMapping(text string) *yaml.Node {
	var doc yaml.Node
	decoder := yaml.NewDecoder(strings.NewReader(text))
	if err := decoder.Decode(&doc); err != nil || len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode {
		return nil
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil
	}
	return doc.Content[0]
}

// field returns the value of a key, or nil.
func field(n *yaml.Node, key string) *yaml.Node {
	if n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// items returns at most maxItems items of a list.
func items(n *yaml.Node) []*yaml.Node {
	if n == nil || n.Kind != yaml.SequenceNode {
		return nil
	}
	return n.Content[:min(len(n.Content), maxItems)]
}

// channel adds a channel by its name. Addresses may contain a token and are not copied.
func (r *reader) channel(file string, n *yaml.Node) {
	name := n.Value
	for _, prefix := range []string{"https://conda.anaconda.org/", "http://conda.anaconda.org/"} {
		name = strings.TrimSuffix(strings.TrimPrefix(name, prefix), "/")
	}
	pos := yamlPos(file, n)
	switch {
	case n.Kind != yaml.ScalarNode || name == "" || len(name) > 64 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "":
		r.notRead(pos, n.Value, "a channel with an address or a label is not copied")
	case name == "defaults":
		r.notRead(pos, name, "the channel defaults has license terms of Anaconda: conda-forge has most of its packages")
	case !slices.Contains(r.set.Channels, name) && len(r.set.Channels) < maxFiles:
		r.set.Channels = append(r.set.Channels, name)
	}
}

var condaName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z0-9_][a-z0-9_.-]*$`) })

// condaSpec reads a conda dependency: CHANNEL::NAME=VERSION=BUILD, or NAME with a range.
func (r *reader) condaSpec(text string, pos diag.Pos) {
	c := CondaSpec{Pos: pos}
	spec := strings.TrimSpace(withoutComment(text))
	if channel, rest, ok := strings.Cut(spec, "::"); ok {
		c.Channel, spec = channel, rest
	}
	rest := ""
	c.Name = spec
	if end := strings.IndexAny(spec, " =<>!~[|,*"); end >= 0 {
		c.Name, rest = spec[:end], strings.TrimSpace(spec[end:])
	}
	c.Name = strings.ToLower(c.Name)
	if !condaName().MatchString(c.Name) || len(c.Name) > 128 {
		r.problem("requirements.syntax", pos, "%q is not a conda package", Shown(text))
		return
	}
	if strings.ContainsAny(rest, "[]") {
		r.notRead(pos, text, "a conda package with brackets is not read")
		return
	}
	c.setVersion(rest)
	if len(c.Version)+len(c.Build) > 256 || strings.ContainsFunc(c.Version+c.Build, func(c rune) bool { return c < '!' || c > '~' }) {
		r.problem("requirements.syntax", pos, "%q is not a conda package", Shown(text))
		return
	}
	if c.Name == "python" {
		clauses, ok := c.clauses()
		if !ok {
			r.notRead(pos, text, alternativesReason)
		}
		r.addPython(clauses, rest, pos)
		return
	}
	r.set.Conda = append(r.set.Conda, c)
}

// setVersion sets the version of the text after a name. To conda, =1.26 means every 1.26.x; a
// version with three numbers, or with a build, is one version.
func (c *CondaSpec) setVersion(rest string) {
	rest = strings.TrimSpace(rest)
	if strings.ContainsAny(rest, "<>!~|,") {
		c.Version = strings.Join(strings.Fields(rest), "")
		return
	}
	isExact := strings.HasPrefix(rest, "==")
	rest = strings.TrimSpace(strings.TrimLeft(rest, "="))
	version, build, hasBuild := strings.Cut(strings.Join(strings.Fields(rest), "="), "=")
	c.Version, c.Build = version, strings.TrimLeft(build, "=")
	switch {
	case version == "" || version == "*":
		c.Version = ""
	case strings.HasSuffix(version, "*"):
	case isExact || hasBuild || strings.Count(version, ".") > 1:
		c.Exact = true
	default:
		c.Version += ".*"
	}
}

// clauses returns the version as clauses of PEP 440.
func (c *CondaSpec) clauses() ([]pep.Clause, bool) {
	switch {
	case c.Version == "":
		return nil, true
	case c.Exact:
		return pep.ParseClauses("==" + c.Version + ".*")
	case strings.HasSuffix(c.Version, "*"):
		return pep.ParseClauses("==" + strings.TrimRight(c.Version, ".*") + ".*")
	}
	return pep.ParseClauses(c.Version)
}
