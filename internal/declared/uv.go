package declared

import (
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/pep"
)

// A uvSource is the source of a package in tool.uv.sources.
type uvSource struct {
	node   *node
	file   string
	marker string
	extra  string // only for the requirement of this extra
	group  string
}

// uv reads the tables of uv.
func (r *reader) uv(s *sections, doc *node, file string) {
	uv := doc.get("tool", "uv")
	if uv == nil {
		return
	}
	if dev := uv.get("dev-dependencies"); dev != nil {
		s.addGroup("dev", func() group { return group{list: r.requirementList(dev, file)} })
	}
	s.defaults = []string{"dev"}
	if n := uv.get("default-groups"); n != nil {
		s.defaults = n.strings()
	}
	for _, conflict := range uv.get("conflicts").list() {
		var names []string
		for _, item := range conflict.list() {
			if name := item.get("extra").str() + item.get("group").str(); name != "" {
				names = append(names, name)
			}
		}
		if len(names) > 1 {
			s.conflicts = append(s.conflicts, names)
		}
	}
	r.set.Constraints = append(r.set.Constraints, r.requirementList(uv.get("constraint-dependencies"), file)...)
	r.set.Overrides = append(r.set.Overrides, r.requirementList(uv.get("override-dependencies"), file)...)
	for _, x := range uv.get("index").list() {
		kind := ExtraIndex
		switch {
		case x.get("explicit").isTrue():
			kind = ExplicitIndex
		case x.get("format").str() == "flat":
			kind = FindLinks
		case x.get("default").isTrue():
			kind = DefaultIndex
		}
		r.addIndex(Index{Name: x.get("name").str(), URL: x.get("url").str(), Kind: kind, Pos: x.pos}, file)
	}
	for name, kind := range map[string]IndexKind{"index-url": DefaultIndex, "extra-index-url": ExtraIndex, "find-links": FindLinks} {
		for _, n := range uv.get(name).list() {
			r.addIndex(Index{URL: n.str(), Kind: kind, Pos: n.pos}, file)
		}
	}
	s.sources = map[string][]uvSource{}
	for _, name := range uv.get("sources").names() {
		for _, n := range uv.get("sources", name).list() {
			source := uvSource{node: n, file: file, marker: n.get("marker").str(), extra: n.get("extra").str(), group: n.get("group").str()}
			s.sources[pep.Normalize(name)] = append(s.sources[pep.Normalize(name)], source)
		}
	}
}

// bind applies the sources of a package to one requirement. The result has one requirement for
// each source that applies, and one for the platforms without a source.
func (r *reader) bind(q Requirement, sources map[string][]uvSource) []Requirement {
	if q.URL != "" {
		return []Requirement{q}
	}
	var list []Requirement
	rest := q
	for _, s := range sources[pep.Normalize(q.Name)] {
		if s.extra != "" && pep.Normalize(s.extra) != q.Group || s.group != "" && pep.Normalize(s.group) != q.Group {
			continue
		}
		bound := q
		bound.Marker = pep.And(rest.Marker, s.marker)
		if s.marker != "" && !r.checkMarker(&Requirement{Pos: s.node.get("marker").pos, Requirement: pep.Requirement{Marker: s.marker}}) {
			continue
		}
		if reason := r.apply(&bound, s); reason != "" {
			r.notRead(s.node.pos, "tool.uv.sources."+q.Name, reason)
			continue
		}
		list = append(list, bound)
		if s.marker == "" {
			return list
		}
		not, ok := pep.Not(s.marker)
		if !ok {
			r.notRead(s.node.pos, "marker = "+s.marker, "the marker has no negation for the other platforms")
			return list
		}
		rest.Marker = pep.And(rest.Marker, not)
	}
	if len(list) > 0 {
		return append(list, rest)
	}
	return []Requirement{q}
}

// apply sets the index or the URL of a source, or returns the reason why it cannot.
func (r *reader) apply(q *Requirement, s uvSource) (reason string) {
	n := s.node
	switch {
	case n.get("index").str() != "":
		q.Index = n.get("index").str()
		return ""
	case n.get("workspace").isTrue():
		dir, ok := r.member(s.file, q.Name)
		if !ok {
			return "no member of the workspace in this project has this name"
		}
		q.Editable = true
		q.URL = "./" + dir
		return ""
	case n.get("git").str() != "":
		return r.setURL(q, s.file, gitURL(n))
	case n.get("path").str() != "":
		q.Editable = true
		reason := r.setPath(q, s.file, n.get("path").str())
		q.Editable = q.Editable && !n.get("editable").isFalse()
		return reason
	case n.get("url").str() != "":
		text := n.get("url").str()
		if sub := n.get("subdirectory").str(); sub != "" {
			text += "#subdirectory=" + sub
		}
		return r.setURL(q, s.file, text)
	}
	return "the source has no index, git, path, url or workspace"
}

// gitURL returns the URL of a git source of uv or Poetry.
func gitURL(n *node) string {
	text := n.get("git").str()
	switch {
	case strings.HasPrefix(text, "git@"):
	case !strings.HasPrefix(text, "git+"):
		text = "git+" + text
	}
	for _, key := range []string{"rev", "tag", "branch"} {
		if ref := n.get(key).str(); ref != "" {
			text += "@" + ref
			break
		}
	}
	if sub := n.get("subdirectory").str(); sub != "" {
		text += "#subdirectory=" + sub
	}
	return text
}

// member returns the directory of the member of the uv workspace of a file that has a name.
func (r *reader) member(file, name string) (string, bool) {
	if r.members[file] == nil {
		if r.members == nil {
			r.members = map[string]map[string]string{}
		}
		r.members[file] = r.workspace(file)
	}
	dir, ok := r.members[file][pep.Normalize(name)]
	return dir, ok
}

// workspace returns the directories of the members of a uv workspace by normalised name.
func (r *reader) workspace(file string) map[string]string {
	found := map[string]string{}
	own := &reader{fsys: r.fsys, set: &Set{}}
	text, ok := own.text(file, diag.Pos{})
	if !ok {
		return found
	}
	workspace := own.toml(file, text).get("tool", "uv", "workspace")
	excluded := workspace.get("exclude").strings()
	base := path.Dir(file)
	for _, pattern := range workspace.get("members").strings() {
		if path.IsAbs(pattern) || len(pattern) > 200 || strings.Count(pattern, "*") > 3 {
			continue
		}
		dirs, _ := fs.Glob(r.fsys, path.Join(base, pattern)) // a malformed pattern matches nothing
		for _, dir := range dirs {
			if slices.ContainsFunc(excluded, func(p string) bool { ok, _ := path.Match(path.Join(base, p), dir); return ok }) {
				continue
			}
			if p := r.projectOf(dir); p != nil {
				found[pep.Normalize(p.Name)] = dir
			}
		}
	}
	return found
}
