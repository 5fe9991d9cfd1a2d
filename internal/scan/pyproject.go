package scan

import (
	"slices"

	"github.com/pelletier/go-toml/v2"

	"github.com/reconcile-ml/reconcile/internal/pep"
)

// A pyproject is what a pyproject.toml says of a project's packages (PEP 621, 735).
type pyproject struct {
	python said
	needs  []string // of the project itself
	groups []string // of extras and groups, which are chosen by name
	text   string
}

const pyprojectFile = "pyproject.toml"

// project reads pyproject.toml and .python-version.
func (s *scanner) project() {
	text, why, ok := s.text(pyprojectFile)
	if why != "" {
		s.unread(pyprojectFile, why)
	}
	if ok {
		s.readPyproject(text)
	}
	s.python = s.projectPython()
}

func (s *scanner) readPyproject(text string) {
	doc := map[string]any{}
	if err := toml.Unmarshal([]byte(text), &doc); err != nil {
		s.unread(pyprojectFile, "it is no TOML that can be read")
		return
	}
	s.read(pyprojectFile)
	s.pyproject.text = text
	project := table(doc, "project")
	s.pyproject.needs = texts(project["dependencies"])
	for _, groups := range []map[string]any{table(project, "optional-dependencies"), table(doc, "dependency-groups")} {
		names := make([]string, 0, len(groups))
		for name := range groups {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			s.pyproject.groups = append(s.pyproject.groups, texts(groups[name])...)
		}
	}
	if v, ok := project["requires-python"].(string); ok {
		s.pyproject.python = said{v, place{pyprojectFile, lineOf(text, v)}.String()}
	}
	if len(table(table(doc, "tool"), "poetry", "dependencies")) > 0 {
		s.unread("tool.poetry.dependencies of pyproject.toml", "poetry has its own language of versions; `poetry export -o requirements.txt` makes pins of its lock that a scan reads")
	}
	if len(table(table(doc, "tool"), "pixi")) > 0 {
		s.unread("tool.pixi of pyproject.toml", "`pixi workspace export conda-environment environment.yml` makes a file of it that a scan reads")
	}
}

// table returns a table inside of tables, nil where there is none.
func table(doc map[string]any, names ...string) map[string]any {
	for _, name := range names {
		doc, _ = doc[name].(map[string]any)
	}
	return doc
}

// texts returns the texts of a list; tables in it, which include other groups, are
// left out.
func texts(v any) []string {
	list, _ := v.([]any)
	var found []string
	for _, item := range list {
		if text, ok := item.(string); ok && len(found) < maxPackages && len(text) < maxFile/100 {
			found = append(found, text)
		}
	}
	return found
}

// into adds what the project asks for to its environment: groups only as comments.
func (p *pyproject) into(e *environment, env pep.MarkerEnvironment) {
	for _, list := range []struct {
		texts    []string
		optional bool
	}{{p.needs, false}, {p.groups, true}} {
		for _, text := range list.texts {
			at := place{pyprojectFile, lineOf(p.text, text)}
			r, err := pep.ParseRequirement(text)
			if err != nil {
				e.remark(at, "no requirement that can be read")
				continue
			}
			a := want(&r, at, env)
			if list.optional && a.doubt == "" {
				a.doubt = "belongs to an extra or group"
			}
			e.pip.add(a)
		}
	}
}
