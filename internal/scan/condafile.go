package scan

import (
	"errors"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/manifest"
)

// A condaFile is an environment.yml.
type condaFile struct {
	file     string
	name     string
	python   sourced
	channels []string
	list     []pkg
	pip      []*yaml.Node
	remarks  []remark
}

// condaFiles returns the environment.yml files of the folder.
func (s *scanner) condaFiles() []string {
	name := regexp.MustCompile(`^(?i:environment.*|conda|env|conda[-_]env.*)\.ya?ml$`)
	var files []string
	for _, e := range s.readDir(".") {
		if name.MatchString(e.Name()) {
			files = append(files, e.Name())
		}
	}
	stem := func(file string) string { return strings.TrimSuffix(file, path.Ext(file)) }
	slices.SortStableFunc(files, func(a, b string) int { return strings.Compare(stem(a), stem(b)) }) // environment.yml first
	return files
}

// readConda reads an environment.yml. It returns nil for a file that is not one.
func (s *scanner) readConda(file string) *condaFile {
	text, why, ok := s.readText(file)
	if !ok {
		s.unread(file, why)
		return nil
	}
	root := yamlMapping(text)
	if root == nil {
		s.unread(file, "it is not one YAML mapping")
		return nil
	}
	deps := field(root, "dependencies")
	if deps == nil || deps.Kind != yaml.SequenceNode {
		s.unread(file, "it has no conda dependencies")
		return nil
	}
	s.read(file)
	c := &condaFile{file: file}
	if n := field(root, "name"); n != nil && n.Kind == yaml.ScalarNode {
		c.name = n.Value
	}
	for _, n := range items(field(root, "channels")) {
		c.channel(n)
	}
	for _, n := range items(deps) {
		if n.Kind == yaml.MappingNode {
			c.pip = append(c.pip, items(field(n, "pip"))...)
		} else {
			c.dependency(n)
		}
	}
	if n := field(root, "variables"); n != nil {
		c.remark(n, "a manifest has no environment variables")
	}
	return c
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
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// items returns at most maxPackages items of a list.
func items(n *yaml.Node) []*yaml.Node {
	if n == nil || n.Kind != yaml.SequenceNode {
		return nil
	}
	return n.Content[:min(len(n.Content), maxPackages)]
}

func (c *condaFile) at(n *yaml.Node) place { return place{c.file, n.Line} }

func (c *condaFile) remark(n *yaml.Node, text string) {
	c.remarks = append(c.remarks, remark{c.at(n), text})
}

// channel adds a channel by its name. Addresses may contain a token and are not copied.
func (c *condaFile) channel(n *yaml.Node) {
	name := n.Value
	for _, prefix := range []string{"https://conda.anaconda.org/", "http://conda.anaconda.org/"} {
		name = strings.TrimSuffix(strings.TrimPrefix(name, prefix), "/")
	}
	switch {
	case n.Kind != yaml.ScalarNode || len(name) > 64:
		c.remark(n, "malformed channel")
	case name == "defaults":
		c.remark(n, "the channel defaults has license terms of Anaconda and is not copied: conda-forge has most of its packages")
	case slices.Contains(c.channels, name):
	case name == manifest.Slug(name) && name != "project" && len(c.channels) < 20:
		c.channels = append(c.channels, name)
	default:
		c.remark(n, "a channel with an address or a label is not copied")
	}
}

// dependency adds a conda dependency: NAME, NAME=VERSION=BUILD or a range.
func (c *condaFile) dependency(n *yaml.Node) {
	spec := strings.TrimSpace(n.Value)
	if channel, rest, ok := strings.Cut(spec, "::"); ok && channel != "" {
		spec = rest
	}
	name, rest := spec, ""
	if end := strings.IndexAny(spec, " =<>!~[|,*"); end >= 0 {
		name, rest = spec[:end], strings.TrimSpace(spec[end:])
	}
	name = strings.ToLower(name)
	if n.Kind != yaml.ScalarNode || !lock.ValidCondaName(name) {
		c.remark(n, "malformed conda package")
		return
	}
	p := pkg{name: name, at: c.at(n)}
	if name != "python" {
		p.version, p.build, p.why = condaVersion(rest)
		c.list = append(c.list, p)
	} else if v, ok := minorOf(strings.Trim(rest, "=* .")); ok {
		c.python = sourced{v, p.at.String()}
	} else if v, ok := oldestAllowed(rest); ok {
		c.python = sourced{v, "the oldest that " + p.at.String() + " allows"}
	}
}

// condaVersion parses the version of a conda dependency. To conda, =1.26 means every
// 1.26.x; a version with three numbers is read as exact.
func condaVersion(rest string) (version, build, why string) {
	parts := strings.FieldsFunc(rest, func(r rune) bool { return r == '=' || r == ' ' })
	switch {
	case rest == "":
		return "", "", "has no version"
	case strings.ContainsAny(rest, "<>!~[]|,*") || len(parts) == 0 || len(parts) > 2 || !lock.ValidCondaWord(parts[0]) || len(parts) == 2 && !lock.ValidCondaWord(parts[1]):
		return "", "", "has no exact version"
	case len(parts) == 2:
		return parts[0], parts[1], ""
	case !strings.HasPrefix(rest, "==") && strings.Count(parts[0], ".") < 2:
		return parts[0], "", "has =" + parts[0] + ", which conda reads as every " + parts[0]
	}
	return parts[0], "", ""
}

// addTo adds the conda and pip packages to an environment.
func (c *condaFile) addTo(r *requirements) {
	for _, m := range c.remarks {
		r.into.remark(m.at, m.text)
	}
	for _, p := range c.list {
		r.into.conda.add(p)
	}
	for _, n := range c.pip {
		if n.Kind != yaml.ScalarNode || strings.ContainsAny(n.Value, "\n\r") || strings.TrimSpace(n.Value) == "" {
			r.into.remark(c.at(n), "malformed requirement")
			continue
		}
		if line := strings.TrimSpace(withoutComment(n.Value)); line != "" {
			r.line(line, c.at(n), false)
		}
	}
}
