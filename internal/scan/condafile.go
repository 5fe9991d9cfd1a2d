package scan

import (
	"errors"
	"io"
	"path"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/manifest"
)

// A condaFile is an environment.yml, read but for what it asks of pip.
type condaFile struct {
	file     string
	name     string
	python   said
	channels []string
	defaults bool // that of Anaconda is one of them
	list     []asked
	pip      []*yaml.Node
	remarks  []remark
	cuda     said // that it asks for by name
}

// condaFiles lists the files of the folder that conda makes environments of.
func (s *scanner) condaFiles() []string {
	var files []string
	for _, name := range s.names(".") {
		suffix := path.Ext(name)
		stem := strings.ToLower(strings.TrimSuffix(name, suffix))
		if suffix != ".yml" && suffix != ".yaml" {
			continue
		}
		if strings.HasPrefix(stem, "environment") || stem == "conda" || stem == "env" || strings.HasPrefix(stem, "conda-env") || strings.HasPrefix(stem, "conda_env") {
			files = append(files, name)
		}
	}
	slices.SortStableFunc(files, func(a, b string) int { return strings.Compare(stemOf(a), stemOf(b)) })
	return files
}

func stemOf(file string) string { return strings.TrimSuffix(file, path.Ext(file)) }

// readConda reads one of them; nil for one that is none.
func (s *scanner) readConda(file string) *condaFile {
	text, why, ok := s.text(file)
	if !ok {
		s.unread(file, why)
		return nil
	}
	root := yamlMapping(text)
	if root == nil {
		s.unread(file, "it is no mapping of YAML that can be read")
		return nil
	}
	if deps := field(root, "dependencies"); deps == nil || deps.Kind != yaml.SequenceNode {
		s.unread(file, "it has no dependencies of conda")
		return nil
	}
	s.read(file)
	c := &condaFile{file: file}
	if n := field(root, "name"); n != nil && n.Kind == yaml.ScalarNode {
		c.name = n.Value
	}
	for _, n := range sequence(field(root, "channels")) {
		c.channel(n)
	}
	if c.defaults && !slices.Contains(c.channels, "conda-forge") {
		c.channels = append(c.channels, "conda-forge")
	}
	for _, n := range sequence(field(root, "dependencies")) {
		if n.Kind == yaml.MappingNode {
			c.pip = append(c.pip, sequence(field(n, "pip"))...)
		} else {
			c.dependency(n)
		}
	}
	if n := field(root, "variables"); n != nil {
		c.remark(n, "variables of the environment have no place in a manifest")
	}
	return c
}

// yamlMapping reads the mapping of the only document of a text; nil for anything else.
// Nodes are not expanded, so an alias cannot grow.
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

// field returns the value of a key, nil where there is none.
func field(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// sequence returns the items of a list, as many as are read.
func sequence(n *yaml.Node) []*yaml.Node {
	if n == nil || n.Kind != yaml.SequenceNode {
		return nil
	}
	return n.Content[:min(len(n.Content), maxPackages)]
}

func (c *condaFile) at(n *yaml.Node) place { return place{c.file, n.Line} }

func (c *condaFile) remark(n *yaml.Node, text string) {
	c.remarks = append(c.remarks, remark{c.at(n), text})
}

// publicChannels are addresses of channels that have a name.
var publicChannels = []string{"https://conda.anaconda.org/", "http://conda.anaconda.org/"}

// channel takes a channel by its name. An address may hold a token, and is not copied.
func (c *condaFile) channel(n *yaml.Node) {
	name := n.Value
	for _, prefix := range publicChannels {
		name = strings.TrimSuffix(strings.TrimPrefix(name, prefix), "/")
	}
	switch {
	case n.Kind != yaml.ScalarNode || len(name) > 64:
		c.remark(n, "no channel that can be read")
	case name == "defaults":
		c.defaults = true
		c.remark(n, "the channel defaults is Anaconda's own, with terms of its own: conda-forge takes its place, last")
	case slices.Contains(c.channels, name):
	case name == manifest.Slug(name) && name != "project" && len(c.channels) < 20:
		c.channels = append(c.channels, name)
	default:
		c.remark(n, "a channel with an address of its own or a label is not copied")
	}
}

// dependency reads what is asked of conda: NAME, NAME=VERSION=BUILD, a range.
func (c *condaFile) dependency(n *yaml.Node) {
	if n.Kind != yaml.ScalarNode {
		c.remark(n, "no package that can be read")
		return
	}
	spec := strings.TrimSpace(n.Value)
	if channel, rest, ok := strings.Cut(spec, "::"); ok && channel != "" {
		spec = rest
	}
	end := strings.IndexAny(spec, " =<>!~[|,*")
	name, rest := spec, ""
	if end >= 0 {
		name, rest = spec[:end], strings.TrimSpace(spec[end:])
	}
	name = strings.ToLower(name)
	if !lock.ValidCondaName(name) {
		c.remark(n, "no package that can be read")
		return
	}
	a := asked{name: name, at: c.at(n)}
	a.version, a.build, a.doubt = condaVersion(rest)
	if name == "python" {
		c.interpreter(a, rest)
		return
	}
	c.toolkit(a, rest)
	c.list = append(c.list, a)
}

// condaVersion reads what stands behind the name of a package of conda. To conda, =1.26
// is every 1.26.x; three numbers are taken for one version.
func condaVersion(rest string) (version, build, doubt string) {
	exact := strings.HasPrefix(rest, "==")
	parts := strings.FieldsFunc(rest, func(r rune) bool { return r == '=' || r == ' ' })
	switch {
	case rest == "":
		return "", "", "names no version"
	case strings.ContainsAny(rest, "<>!~[]|,*") || len(parts) == 0 || len(parts) > 2 || !lock.ValidCondaWord(parts[0]):
		return "", "", "names no single version"
	case !exact && len(parts) == 1 && strings.Count(parts[0], ".") < 2:
		return parts[0], "", "says =" + parts[0] + ", which is every " + parts[0] + " to conda"
	case len(parts) == 2 && !lock.ValidCondaWord(parts[1]):
		return "", "", "names no single version"
	case len(parts) == 2:
		return parts[0], parts[1], ""
	}
	return parts[0], "", ""
}

// interpreter takes the line of Python.
func (c *condaFile) interpreter(a asked, rest string) {
	if v, ok := lineIn(strings.Trim(rest, "=* .")); ok {
		c.python = said{v, a.at.String()}
		return
	}
	if v, ok := lineFor(rest); ok {
		c.python = said{v, "the oldest that " + a.at.String() + " allows"}
	}
}

// toolkit takes the CUDA that packages of conda have in their version.
func (c *condaFile) toolkit(a asked, rest string) {
	if !slices.Contains([]string{"pytorch-cuda", "cudatoolkit", "cuda-version", "cuda", "cuda-toolkit"}, a.name) {
		return
	}
	numbers := strings.Split(strings.Trim(rest, "= *"), ".")
	if len(numbers) < 2 {
		return
	}
	if v := numbers[0] + "." + strings.TrimSpace(numbers[1]); isCUDA(v) {
		c.cuda = said{v, a.at.String() + ", " + a.name}
	}
}

// into adds what the file asks of conda and of pip.
func (c *condaFile) into(r *requirements) {
	for _, m := range c.remarks {
		r.into.remark(m.at, m.text)
	}
	for _, a := range c.list {
		r.into.conda.add(a)
	}
	for _, n := range c.pip {
		if n.Kind != yaml.ScalarNode || strings.ContainsAny(n.Value, "\n\r") || strings.TrimSpace(n.Value) == "" {
			r.into.remark(c.at(n), "no requirement that can be read")
			continue
		}
		line := strings.TrimSpace(withoutComment(n.Value))
		if line != "" {
			r.line(line, c.at(n), false)
		}
	}
}
