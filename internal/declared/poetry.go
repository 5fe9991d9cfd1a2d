package declared

import (
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/reconcile-ml/reconcile/internal/pep"
)

// poetry reads the tables of Poetry. With a [project] table (Poetry 2), tool.poetry.dependencies
// only adds sources to its requirements.
func (r *reader) poetry(s *sections, doc *node, file string) {
	poetry := doc.get("tool", "poetry")
	if poetry == nil {
		return
	}
	r.poetrySources(poetry, file)
	dependencies := poetry.get("dependencies")
	if python := dependencies.get("python"); python.str() != "" {
		if clauses, ok := pep.PoetryClauses(python.str()); ok {
			r.addPython(clauses, python.str(), python.pos)
		} else {
			r.notRead(python.pos, "python = "+python.str(), alternativesReason)
		}
	}
	if doc.get("project", "dependencies") != nil {
		r.poetryEnrich(s, dependencies, file)
	} else {
		isOptional := func(n *node) bool { return n.get("optional").isTrue() }
		for _, name := range dependencies.names() {
			if n := dependencies.get(name); name != "python" && !slices.ContainsFunc(n.list(), isOptional) {
				s.main = append(s.main, r.poetryDependency(name, n, file)...)
			}
		}
		for _, extra := range poetry.get("extras").names() {
			s.extras[extra] = func() (list []Requirement) {
				for _, name := range poetry.get("extras", extra).strings() {
					if n, ok := lookup(tableOf(dependencies), name); ok {
						list = append(list, r.poetryDependency(name, n, file)...)
					}
				}
				return list
			}
		}
	}
	groups := poetry.get("group")
	for _, name := range groups.names() {
		r.poetryGroup(s, name, groups.get(name, "dependencies"), file)
		if !groups.get(name, "optional").isTrue() {
			s.defaults = append(s.defaults, name)
		}
	}
	if dev := poetry.get("dev-dependencies"); dev != nil {
		r.poetryGroup(s, "dev", dev, file)
		s.defaults = append(s.defaults, "dev")
	}
}

func (r *reader) poetryGroup(s *sections, name string, table *node, file string) {
	s.addGroup(name, func() (g group) {
		for _, dependency := range table.names() {
			g.list = append(g.list, r.poetryDependency(dependency, table.get(dependency), file)...)
		}
		return g
	})
}

// poetryEnrich adds the sources of tool.poetry.dependencies to requirements of [project].
func (r *reader) poetryEnrich(s *sections, table *node, file string) {
	enrich := func(list []Requirement) []Requirement {
		for i := range list {
			n, ok := lookup(tableOf(table), list[i].Name)
			if !ok || n.kind != unstable.InlineTable {
				continue
			}
			if source := poetryIndex(n); source != "" {
				list[i].Index = source
			}
			if n.get("git") != nil || n.get("path") != nil || n.get("url") != nil {
				if reason := r.poetryReference(&list[i], n, file); reason != "" {
					r.notRead(n.pos, "tool.poetry.dependencies."+list[i].Name, reason)
				}
			}
		}
		return list
	}
	s.main = enrich(s.main)
	for name, read := range s.extras {
		s.extras[name] = func() []Requirement { return enrich(read()) }
	}
}

func tableOf(n *node) map[string]*node {
	if n == nil {
		return nil
	}
	return n.table
}

func (r *reader) poetrySources(poetry *node, file string) {
	for _, source := range poetry.get("source").list() {
		kind := ExtraIndex
		switch priority := source.get("priority").str(); {
		case priority == "explicit":
			kind = ExplicitIndex
		case priority == "" && source.get("secondary").isTrue():
		case priority == "" || priority == "primary" || priority == "default":
			kind = DefaultIndex
		}
		r.addIndex(Index{Name: source.get("name").str(), URL: source.get("url").str(), Kind: kind, Pos: source.pos}, file)
	}
}

// poetryIndex returns the name of the index of a dependency, "" for the public one.
func poetryIndex(n *node) string {
	source := n.get("source").str()
	if strings.EqualFold(source, "pypi") { // needs no table
		return ""
	}
	return source
}

// poetryDependency returns the requirements of one dependency: one, or one for each of its
// alternatives.
func (r *reader) poetryDependency(name string, n *node, file string) (list []Requirement) {
	for _, item := range n.list() {
		q := Requirement{Requirement: pep.Requirement{Name: name}, Pos: item.pos}
		version := item.str()
		if item.kind == unstable.InlineTable {
			version = item.get("version").str()
			q.Extras, q.Index = item.get("extras").strings(), poetryIndex(item)
			marker, ok := poetryMarker(item)
			q.Marker = marker
			if !ok {
				r.notRead(item.pos, name, "its python constraint "+alternativesReason)
				continue
			}
		}
		if !pep.ValidName(name) {
			r.problem("requirements.syntax", item.pos, "%q is not the name of a package", printable(name))
			continue
		}
		var ok bool
		if q.Clauses, ok = pep.PoetryClauses(version); !ok {
			r.notRead(item.pos, name+" = "+version, alternativesReason)
			continue
		}
		if item.get("git") != nil || item.get("path") != nil || item.get("url") != nil || item.get("file") != nil {
			if reason := r.poetryReference(&q, item, file); reason != "" {
				r.notRead(item.pos, name, reason)
				continue
			}
		}
		if r.checkMarker(&q) {
			list = append(list, q)
		}
	}
	return list
}

const alternativesReason = "it is not a version specifier of PEP 440"

// poetryReference sets the URL of a dependency with git, path, file or url.
func (r *reader) poetryReference(q *Requirement, n *node, file string) (reason string) {
	switch {
	case n.get("git").str() != "":
		reason = r.setURL(q, file, gitURL(n))
	case n.get("url").str() != "":
		reason = r.setURL(q, file, n.get("url").str())
	default:
		reason = r.setPath(q, file, n.get("path").str()+n.get("file").str())
	}
	q.Editable = n.get("develop").isTrue()
	return reason
}

// poetryMarker returns the marker of a dependency: its markers, python and platform.
func poetryMarker(n *node) (string, bool) {
	marker := n.get("markers").str()
	if platform := n.get("platform").str(); platform != "" {
		marker = pep.And(marker, "sys_platform == '"+strings.ReplaceAll(platform, "'", "")+"'")
	}
	clauses, ok := pep.PoetryClauses(n.get("python").str())
	for _, c := range clauses {
		variable := "python_version"
		if strings.Count(strings.TrimSuffix(c.Version, ".*"), ".") > 1 {
			variable = "python_full_version"
		}
		marker = pep.And(marker, variable+" "+c.Op+" '"+c.Version+"'")
	}
	return marker, ok
}
