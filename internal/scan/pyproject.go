package scan

import (
	"maps"
	"slices"

	"github.com/pelletier/go-toml/v2"

	"github.com/reconcile-ml/reconcile/internal/pep"
)

// A pyproject has the requirements of a pyproject.toml (PEP 621, 735).
type pyproject struct {
	python   sourced
	required []string
	optional []string // of extras and groups
	text     string
}

const pyprojectFile = "pyproject.toml"

// readProject reads pyproject.toml and .python-version.
func (s *scanner) readProject() {
	text, why, ok := s.readText(pyprojectFile)
	if why != "" {
		s.unread(pyprojectFile, why)
	}
	if ok {
		s.readPyproject(text)
	}
	s.python = s.readPythonVersion()
}

func (s *scanner) readPyproject(text string) {
	doc := map[string]any{}
	if err := toml.Unmarshal([]byte(text), &doc); err != nil {
		s.unread(pyprojectFile, "it is malformed TOML")
		return
	}
	s.read(pyprojectFile)
	project := table(doc, "project")
	s.pyproject = pyproject{text: text, required: stringsIn(project["dependencies"])}
	for _, groups := range []map[string]any{table(project, "optional-dependencies"), table(doc, "dependency-groups")} {
		for _, name := range slices.Sorted(maps.Keys(groups)) {
			s.pyproject.optional = append(s.pyproject.optional, stringsIn(groups[name])...)
		}
	}
	if v, ok := project["requires-python"].(string); ok {
		s.pyproject.python = sourced{v, place{pyprojectFile, lineOf(text, v)}.String()}
	}
	if len(table(doc, "tool", "poetry", "dependencies")) > 0 {
		s.unread("tool.poetry.dependencies of pyproject.toml", "convert its lock: `poetry export -o requirements.txt`")
	}
	if len(table(doc, "tool", "pixi")) > 0 {
		s.unread("tool.pixi of pyproject.toml", "convert it: `pixi workspace export conda-environment environment.yml`")
	}
}

// table returns a nested table, or nil.
func table(doc map[string]any, names ...string) map[string]any {
	for _, name := range names {
		doc, _ = doc[name].(map[string]any)
	}
	return doc
}

// stringsIn returns the strings of a list. It skips the tables that include other groups.
func stringsIn(v any) []string {
	list, _ := v.([]any)
	var found []string
	for _, item := range list {
		if text, ok := item.(string); ok && len(found) < maxPackages && len(text) < maxFile/100 {
			found = append(found, text)
		}
	}
	return found
}

// addTo adds the packages to an environment, those of groups as comments.
func (p *pyproject) addTo(e *environment, env pep.MarkerEnvironment) {
	for i, text := range slices.Concat(p.required, p.optional) {
		at := place{pyprojectFile, lineOf(p.text, text)}
		r, err := pep.ParseRequirement(text)
		if err != nil {
			e.remark(at, "malformed requirement")
			continue
		}
		a := newPackage(&r, at, env)
		if i >= len(p.required) && a.why == "" {
			a.why = "belongs to an extra or group"
		}
		e.pip.add(a)
	}
}
