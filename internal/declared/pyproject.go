package declared

import (
	"path"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/pep"
)

// pyproject reads a pyproject.toml.
func (r *reader) pyproject(file, text string) *sections {
	doc := r.toml(file, text)
	if doc == nil {
		return nil
	}
	s := newSections()
	s.project = r.projectTable(file, doc)
	project := doc.get("project")
	s.main = r.requirementList(project.get("dependencies"), file)
	for _, name := range project.get("optional-dependencies").names() {
		s.extras[name] = func() []Requirement { return r.requirementList(project.get("optional-dependencies", name), file) }
	}
	r.python(project.get("requires-python"))
	for _, name := range doc.get("dependency-groups").names() {
		s.groups[name] = func() group { return r.group(doc.get("dependency-groups", name), file) }
	}
	r.dynamic(s, doc, file)
	r.uv(s, doc, file)
	r.pdm(s, doc, file)
	r.poetry(s, doc, file)
	for _, tool := range []string{"pixi", "hatch"} {
		for _, table := range []string{"dependencies", "pypi-dependencies", "envs"} {
			for _, name := range doc.get("tool", tool, table).names() {
				r.notRead(doc.get("tool", tool, table, name).pos, "tool."+tool+"."+table+"."+name, "the tables of "+tool+" are not read")
			}
		}
	}
	return s
}

// projectTable returns the metadata of the project.
func (r *reader) projectTable(file string, doc *node) *Project {
	p := &Project{Pos: diag.Pos{File: file}, Dynamic: doc.get("project", "dynamic").strings()}
	poetry := doc.get("tool", "poetry")
	for _, table := range []*node{poetry, doc.get("project")} {
		if n := table.get("name"); n.str() != "" {
			p.Name, p.Pos = n.str(), n.pos
		}
		if v := table.get("version").str(); v != "" {
			p.Version = v
		}
	}
	build := doc.get("build-system")
	p.Backend = build.get("build-backend").str()
	if build != nil && p.Backend == "" {
		p.Backend = "setuptools.build_meta:__legacy__" // the default of PEP 517
	}
	p.BuildRequires = r.requirementList(build.get("requires"), file)
	dir := path.Dir(file)
	hasSetup := !isAbsent(r.fsys, path.Join(dir, setupPy)) || !isAbsent(r.fsys, path.Join(dir, setupCfg))
	uv := doc.get("tool", "uv", "package")
	p.Installable = (build != nil || hasSetup || uv.isTrue()) && !uv.isFalse() && !poetry.get("package-mode").isFalse()
	return p
}

// requirementList reads an array of requirements by PEP 508.
func (r *reader) requirementList(n *node, file string) (list []Requirement) {
	for _, item := range n.list() {
		if item.kind != unstable.String {
			r.problem("requirements.syntax", item.pos, "a requirement must be a string")
			continue
		}
		if q, ok := r.pep508(item.text, item.pos, file); ok {
			list = append(list, q)
		}
	}
	return list
}

// pep508 reads a requirement by PEP 508.
func (r *reader) pep508(text string, pos diag.Pos, file string) (Requirement, bool) {
	if _, err := pep.ParseRequirement(text); err != nil {
		r.problem("requirements.syntax", pos, "%q is not a requirement", Shown(text))
		return Requirement{}, false
	}
	if hasVariable(text) && !strings.Contains(text, "${PROJECT_ROOT}") || strings.Contains(text, "{root:uri}") {
		r.notRead(pos, text, variableReason)
		return Requirement{}, false
	}
	return r.parse(strings.ReplaceAll(text, "file:///${PROJECT_ROOT}/", "./"), pos, file)
}

// group reads a dependency group (PEP 735).
func (r *reader) group(n *node, file string) (g group) {
	for _, item := range n.list() {
		switch name := item.get("include-group"); {
		case item.kind == unstable.String:
			if q, ok := r.pep508(item.text, item.pos, file); ok {
				g.list = append(g.list, q)
			}
		case name.str() != "":
			g.includes = append(g.includes, include{name.str(), name.pos})
		default:
			r.problem("requirements.syntax", item.pos, "an item of a group must be a string or {include-group = NAME}")
		}
	}
	return g
}

// python adds the bounds of a requires-python.
func (r *reader) python(n *node) {
	if n.str() == "" {
		return
	}
	clauses, ok := pep.ParseClauses(n.str())
	if !ok {
		r.problem("requirements.syntax", n.pos, "%q is not a version specifier", Shown(n.str()))
		return
	}
	r.addPython(clauses, n.str(), n.pos)
}

func (r *reader) addPython(clauses []pep.Clause, text string, pos diag.Pos) {
	p := Python{clauses, text, pos}
	if len(clauses) > 0 && !slices.ContainsFunc(r.set.Python, func(q Python) bool { return q.Pos == pos }) {
		r.set.Python = append(r.set.Python, p)
	}
}

// dynamic reads the dependencies that the build backend takes from other files.
func (r *reader) dynamic(s *sections, doc *node, file string) {
	dir := path.Dir(file)
	if doc.get("project") == nil { // setup.cfg and setup.py with a [build-system]
		if old := r.setuptools(dir); old != nil && doc.get("tool", "poetry") == nil {
			s.main, s.extras = old.main, old.extras
			s.project.Name, s.project.Version, s.project.Pos = old.project.Name, old.project.Version, old.project.Pos
		}
		return
	}
	var old *sections
	fields := doc.get("tool", "setuptools", "dynamic")
	for _, item := range doc.get("project", "dynamic").list() {
		name := item.str()
		if name != "dependencies" && name != "optional-dependencies" {
			continue
		}
		if n := fields.get(name); n != nil {
			s.main = append(s.main, r.fromFiles(n.get("file"), file)...)
			for _, extra := range n.names() {
				if files := n.get(extra, "file"); files != nil {
					s.extras[extra] = func() []Requirement { return r.fromFiles(files, file) }
				}
			}
			continue
		}
		if old == nil {
			old = r.setuptools(dir)
		}
		switch {
		case old == nil:
			r.notRead(item.pos, name, ComputedReason)
		case name == "dependencies":
			s.main = old.main
		default:
			s.extras = old.extras
		}
	}
}

// ComputedReason is the reason of what only a program of the project knows, such as its build
// backend.
const ComputedReason = "it is computed by a program"

// fromFiles reads the requirements files that setuptools reads.
func (r *reader) fromFiles(n *node, file string) (list []Requirement) {
	for _, item := range n.list() {
		list = append(list, r.fromFile(item.str(), item.pos, file)...)
	}
	return list
}

// fromFile returns the requirements of a requirements file, without adding them to the set.
func (r *reader) fromFile(named string, pos diag.Pos, file string) []Requirement {
	name, ok := beside(file, named)
	if !ok {
		r.notRead(pos, named, "the file is outside of the project")
		return nil
	}
	text, ok := r.text(name, pos)
	if !ok {
		return nil
	}
	before := r.set.Requirements
	r.set.Requirements = nil
	r.requirements(name, text, false)
	list := r.set.Requirements
	r.set.Requirements = before
	return list
}

// pdm reads the development dependencies and sources of PDM.
func (r *reader) pdm(s *sections, doc *node, file string) {
	dev := doc.get("tool", "pdm", "dev-dependencies")
	for _, name := range dev.names() {
		s.addGroup(name, func() group { return group{list: r.pdmGroup(dev.get(name), file)} })
	}
	for _, source := range doc.get("tool", "pdm", "source").list() {
		kind := ExtraIndex
		switch {
		case source.get("type").str() == "find_links":
			kind = FindLinks
		case source.get("name").str() == "pypi":
			kind = DefaultIndex
		}
		r.addIndex(Index{Name: source.get("name").str(), URL: source.get("url").str(), Kind: kind, Pos: source.pos}, file)
	}
}

func (r *reader) pdmGroup(n *node, file string) (list []Requirement) {
	for _, item := range n.list() {
		text, editable := strings.CutPrefix(item.str(), "-e ")
		text = strings.TrimSpace(strings.ReplaceAll(text, "file:///${PROJECT_ROOT}/", "./"))
		if hasVariable(text) {
			r.notRead(item.pos, text, variableReason)
		} else if q, ok := r.parse(text, item.pos, file); ok {
			q.Editable = editable
			list = append(list, q)
		}
	}
	return list
}
