// Package declared reads the requirements that the files of a project declare: a requirements
// file of pip, pyproject.toml (PEP 621 and 735, with the tables of uv, Poetry and PDM),
// setup.cfg, setup.py and environment.yml. It starts no program and uses no network.
//
// The files are untrusted: each has a size limit, and the number of files is limited. A
// malformed line is an error with its position. A line that is correct but has no meaning for
// this program is in Set.NotRead with the reason, so that nothing is lost silently.
//
// User names and passwords of URLs are removed, and the removal is reported in Set.NotRead.
package declared

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/nearest"
	"github.com/reconcile-ml/reconcile/internal/pep"
)

// A Set is the content of one reference.
type Set struct {
	Requirements []Requirement
	Constraints  []Requirement // bounds of packages that something else requires: -c, tool.uv.constraint-dependencies
	Overrides    []Requirement // replace all other requirements of a package: tool.uv.override-dependencies
	Indexes      []Index
	Conda        []CondaSpec
	Channels     []string // names, without those that are in NotRead
	Project      *Project // of pyproject.toml, setup.cfg and setup.py, otherwise nil
	Python       []Python // all of them hold
	CompiledFor  Python   // the Python minor version in the header of a compiled requirements file; no clauses if unknown
	NotRead      []NotRead
	Files        []string // the files that were read, the first one first
}

// A Requirement is a requirement with its position.
//
// URL is "" for a package of an index. A direct reference has one of the forms
// git+https://HOST/x.git@REVISION#subdirectory=y, https://HOST/x-1.0-py3-none-any.whl#sha256=…,
// ./libs/x and ./wheels/x-1.0-py3-none-any.whl. Paths are relative to the root of the file
// system; the root itself is RootURL. Name is "" if only the source has the name.
type Requirement struct {
	pep.Requirement
	Pos      diag.Pos
	Index    string   // the name of its index, "" for any; it binds the package, also where another requirement of it has none
	Editable bool     // of a directory or a git repository
	Hashes   []string // "sha256:…", of a requirements file; the file must have one of them
	Group    string   // the extra or group that contains it, "" for the requirements of the project itself
}

// RootURL is the URL of the project in the root of the file system.
const RootURL = "./"

// An IndexKind tells which packages an index has.
type IndexKind string

const (
	DefaultIndex  IndexKind = "default"    // replaces the public index
	ExtraIndex    IndexKind = "extra"      // is searched too
	ExplicitIndex IndexKind = "explicit"   // has only the packages that name it
	FindLinks     IndexKind = "find-links" // a page or a folder with links to files
)

// An Index is a package index that a file names.
type Index struct {
	Name string // "" if the file has none
	URL  string // without credentials; of a folder, a path as in Requirement.URL
	Kind IndexKind
	Pos  diag.Pos
}

// A CondaSpec is a conda package of an environment.yml.
type CondaSpec struct {
	Name    string
	Version string // a version or a range as written, "" for any: "2.1.2", ">=1.26,<2", "1.26.*"
	Exact   bool   // Version is one version
	Build   string // a build or a pattern, "" for any: "py3.10_cuda12.1_*"
	Channel string // "" for any
	Pos     diag.Pos
}

// A Python bounds the Python version.
type Python struct {
	Clauses []pep.Clause
	Text    string // as written
	Pos     diag.Pos
}

// A NotRead is something that has no meaning for this program, or whose value is not known
// without running a program.
type NotRead struct {
	Pos    diag.Pos
	Text   string // one line without credentials, at most 120 characters
	Reason string
}

// A Project is the metadata of the project itself.
type Project struct {
	Name          string // "" if the file has none
	Version       string // "" if it is dynamic
	Backend       string // "setuptools.build_meta", "" for none
	BuildRequires []Requirement
	Installable   bool     // it can be installed as a package
	Dynamic       []string // the fields of PEP 621 that the backend computes
	Pos           diag.Pos // of the name
}

// An Offer is the list of the names that the fragment of a reference may contain.
type Offer struct {
	Extras    []string
	Groups    []string
	Default   []string   // groups that the tool of the project installs by default
	Conflicts [][]string // names of which at most one may be selected: tool.uv.conflicts
}

// Names returns the names of extras and groups, sorted.
func (o *Offer) Names() []string {
	names := slices.Concat(o.Extras, o.Groups)
	slices.Sort(names)
	return slices.Compact(names)
}

const (
	maxFile  = 1 << 20 // bytes of one file
	maxTOML  = 1 << 18 // bytes of a pyproject.toml: the time of its parser grows with the square
	maxFiles = 64      // of one reference, and of the directories in it
	maxItems = 5000    // requirements of one reference
	maxShown = 120     // characters of a text in NotRead
)

// Read reads one reference: the name of a file, with an optional fragment of extras and groups,
// such as "requirements.txt", "pyproject.toml#train,dev" or "environment.yml". The error
// contains all problems (*diag.Problem); the set then has everything else. It is never nil.
func Read(fsys fs.FS, reference string) (*Set, error) {
	r := &reader{fsys: fsys, set: &Set{}}
	file, fragment, _ := strings.Cut(reference, "#")
	var names []string
	for name := range strings.SplitSeq(fragment, ",") {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	if text, ok := r.text(file, diag.Pos{}); ok {
		r.file(file, text, names)
	}
	r.finish()
	return r.set, r.problems.Err()
}

// Offered returns the extras and groups of a pyproject.toml, setup.cfg or setup.py.
func Offered(fsys fs.FS, file string) (*Offer, error) {
	r := &reader{fsys: fsys, set: &Set{}}
	offer := &Offer{}
	if text, ok := r.text(file, diag.Pos{}); ok {
		if s := r.sections(file, text); s != nil {
			offer = s.offer()
		}
	}
	return offer, r.problems.Err()
}

// ProjectOf returns the metadata of the project in a directory, such as ".", or nil if no file
// there has its name.
func ProjectOf(fsys fs.FS, dir string) *Project {
	r := &reader{fsys: fsys, set: &Set{}, onlyMetadata: true}
	file := path.Join(dir, pyprojectFile)
	if !isAbsent(fsys, file) {
		if text, ok := r.text(file, diag.Pos{}); ok {
			if doc := r.toml(file, text); doc != nil {
				if p := r.projectTable(file, doc); p.Name != "" {
					return p
				}
			}
		}
	}
	if s := r.setuptools(dir); s != nil && s.project.Name != "" {
		return s.project
	}
	return nil
}

const (
	pyprojectFile = "pyproject.toml"
	setupCfg      = "setup.cfg"
	setupPy       = "setup.py"
)

// A reader is the state of one Read.
type reader struct {
	fsys     fs.FS
	set      *Set
	problems diag.List
	chain    []diag.Pos // where the files that are being read are included
	chained  []string   // the files that are being read
	done     map[string]bool
	reads    int
	projects map[string]*Project          // of directories
	members  map[string]map[string]string // of the workspaces of files: directories by normalised name

	onlyMetadata bool // the requirements of setup.cfg and setup.py are not read
}

// file reads a file by its name.
func (r *reader) file(file, text string, names []string) {
	if isConda(file) {
		r.noFragment(file, names)
		r.conda(file, text)
		return
	}
	if s := r.sections(file, text); s != nil {
		r.selectSections(s, file, names)
		return
	}
	if path.Base(file) == pyprojectFile {
		return // a problem
	}
	r.noFragment(file, names)
	r.requirements(file, text, false)
}

// sections reads a file that has extras and groups. It returns nil for another file, and after
// a problem.
func (r *reader) sections(file, text string) *sections {
	switch path.Base(file) {
	case pyprojectFile:
		return r.pyproject(file, text)
	case setupCfg, setupPy:
		return r.setuptools(path.Dir(file))
	}
	return nil
}

func (r *reader) noFragment(file string, names []string) {
	if len(names) > 0 {
		r.problem("requirements.group", diag.Pos{File: file}, "%s has no extras or groups", printable(file)).
			Hint = "remove the fragment: " + printable(file)
	}
}

// sections are the requirements of a project, its extras and its groups. An extra or a group is
// read when it is selected, so that problems of the others are not reported.
type sections struct {
	project   *Project
	main      []Requirement
	extras    map[string]func() []Requirement
	groups    map[string]func() group
	defaults  []string
	conflicts [][]string
	sources   map[string][]uvSource // by normalised name
}

// A group is a dependency group (PEP 735).
type group struct {
	list     []Requirement
	includes []include
}

type include struct {
	name string
	pos  diag.Pos
}

func newSections() *sections {
	return &sections{extras: map[string]func() []Requirement{}, groups: map[string]func() group{}}
}

// addGroup adds requirements to a group.
func (s *sections) addGroup(name string, read func() group) {
	before := s.groups[name]
	s.groups[name] = func() group {
		g := read()
		if before != nil {
			first := before()
			g = group{slices.Concat(first.list, g.list), slices.Concat(first.includes, g.includes)}
		}
		return g
	}
}

func (s *sections) offer() *Offer {
	o := &Offer{Conflicts: s.conflicts}
	for name := range s.extras {
		o.Extras = append(o.Extras, name)
	}
	for name := range s.groups {
		o.Groups = append(o.Groups, name)
	}
	slices.Sort(o.Extras)
	slices.Sort(o.Groups)
	for _, name := range s.defaults {
		if _, ok := lookup(s.groups, name); ok || name == "all" {
			o.Default = append(o.Default, name)
		}
	}
	return o
}

// lookup returns the value of a name in any spelling.
func lookup[V any](m map[string]V, name string) (V, bool) {
	if v, ok := m[name]; ok {
		return v, true
	}
	for key, v := range m {
		if pep.Normalize(key) == pep.Normalize(name) {
			return v, true
		}
	}
	var none V
	return none, false
}

// selectSections adds the requirements of the project, and those of the named extras and groups.
func (r *reader) selectSections(s *sections, file string, names []string) {
	r.set.Project = s.project
	picked := &selection{reader: r, sections: s, seen: map[string]bool{}}
	picked.add(s.main, "")
	for _, name := range names {
		_, isExtra := lookup(s.extras, name)
		_, isGroup := lookup(s.groups, name)
		if isExtra {
			picked.extra(name)
		}
		if isGroup {
			picked.group(include{name: name, pos: diag.Pos{File: file}}, nil)
		}
		if isExtra || isGroup {
			continue
		}
		offered := s.offer().Names()
		p := r.problem("requirements.group", diag.Pos{File: file}, "%s has no extra or group %q", printable(file), printable(name))
		p.Found = "no extras and no groups"
		if len(offered) > 0 {
			p.Found = "it has " + printable(strings.Join(offered, ", "))
			if closest := nearest.Word(name, offered); closest != "" {
				p.Hint = "did you mean " + printable(closest) + "?"
			}
		}
	}
}

// A selection adds extras and groups once each.
type selection struct {
	*reader
	sections *sections
	seen     map[string]bool
}

// add adds requirements. A requirement of an extra of the project itself adds that extra.
func (p *selection) add(list []Requirement, group string) {
	own := ""
	if p.sections.project != nil {
		own = pep.Normalize(p.sections.project.Name)
	}
	for _, q := range list {
		if own != "" && pep.Normalize(q.Name) == own && (q.URL == "" || q.URL == RootURL) {
			for _, extra := range q.Extras {
				if _, ok := lookup(p.sections.extras, extra); ok {
					p.extra(extra)
				} else {
					p.problem("requirements.group", q.Pos, "%s has no extra %q", printable(q.Name), printable(extra))
				}
			}
			continue
		}
		q.Group = group
		for _, bound := range p.bind(q, p.sections.sources) {
			p.require(bound)
		}
	}
}

func (p *selection) extra(name string) {
	if key := "extra " + pep.Normalize(name); !p.seen[key] {
		p.seen[key] = true
		read, _ := lookup(p.sections.extras, name)
		p.add(read(), pep.Normalize(name))
	}
}

// group adds a group and the groups that it includes. chain are the groups around it.
func (p *selection) group(in include, chain []include) {
	name := pep.Normalize(in.name)
	if i := slices.IndexFunc(chain, func(c include) bool { return pep.Normalize(c.name) == name }); i >= 0 {
		q := p.problem("requirements.cycle", in.pos, "group %s includes itself", printable(in.name))
		if i+1 < len(chain) {
			q.Found = "it includes " + printable(chain[i+1].name) + " at " + chain[i+1].pos.String()
		} else {
			q.Found = "the same group at " + in.pos.String()
		}
		q.Hint = "remove one include-group"
		return
	}
	if len(chain) >= maxFiles {
		p.problem("requirements.size", in.pos, "more than %d groups include each other", maxFiles)
		return
	}
	read, ok := lookup(p.sections.groups, in.name)
	if !ok {
		p.problem("requirements.group", in.pos, "there is no group %q to include", printable(in.name))
		return
	}
	if key := "group " + name; !p.seen[key] {
		p.seen[key] = true
		g := read()
		for _, nested := range g.includes {
			p.group(nested, append(slices.Clip(chain), in))
		}
		p.add(g.list, name)
	}
}

func (r *reader) require(q Requirement) { r.set.Requirements = append(r.set.Requirements, q) }

// unique returns the requirements without those that are the same as an earlier one, at most
// maxItems.
func (r *reader) unique(list []Requirement) []Requirement {
	seen := map[string]bool{}
	unique := list[:0]
	for _, q := range list {
		key := fmt.Sprintf("%s|%s|%s|%s|%s|%v|%v", pep.Normalize(q.Name), q.String(), q.URL, q.Marker, q.Index, q.Editable, q.Hashes)
		if seen[key] {
			continue
		}
		if len(unique) >= maxItems {
			r.problem("requirements.size", q.Pos, "the files have more than %d requirements", maxItems)
			break
		}
		seen[key] = true
		unique = append(unique, q)
	}
	return unique
}

// finish removes duplicates, reports exact pins that contradict each other, and sorts NotRead.
func (r *reader) finish() {
	r.set.Requirements, r.set.Constraints = r.unique(r.set.Requirements), r.unique(r.set.Constraints)
	first := map[string][]Requirement{}
	for _, q := range slices.Concat(r.set.Requirements, r.set.Constraints) {
		pin, ok := q.Pin()
		if !ok || q.Name == "" || r.overridden(q.Name) {
			continue
		}
		key := pep.Normalize(q.Name) + ";" + q.Marker
		for _, p := range first[key] {
			other, _ := p.Pin()
			allowed, _ := pep.Allows(p.Clauses, pin)
			allows, _ := pep.Allows(q.Clauses, other)
			if !allowed && !allows {
				problem := r.problem("requirements.conflict", q.Pos, "%s==%s contradicts %s==%s", printable(q.Name), pin, printable(p.Name), other)
				problem.Found = "the other one at " + p.Pos.String()
				problem.Hint = "keep one of the two versions"
				break
			}
		}
		if len(first[key]) < 10 {
			first[key] = append(first[key], q)
		}
	}
	slices.SortStableFunc(r.set.NotRead, func(a, b NotRead) int { return cmp.Or(a.Pos.Compare(b.Pos), strings.Compare(a.Text, b.Text)) })
}

func (r *reader) overridden(name string) bool {
	return slices.ContainsFunc(r.set.Overrides, func(o Requirement) bool { return pep.Normalize(o.Name) == pep.Normalize(name) })
}
