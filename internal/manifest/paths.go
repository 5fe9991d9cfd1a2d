package manifest

import (
	"fmt"
	"path"
	"strings"

	"golang.org/x/text/unicode/norm"
	"gopkg.in/yaml.v3"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/layout"
)

const (
	maxPath      = 4096 // bytes of a path, as on Linux
	maxComponent = 255  // bytes of one name in it
)

// path reads a path as it is written: relative to the manifest, or absolute
// where the caller allows it. Anything that a shell, a program or a file system
// could read in two ways is refused. It returns "" after a problem.
func (l *loader) path(n *yaml.Node, what string) string {
	v, ok := l.scalar(n, what)
	if !ok {
		return ""
	}
	summary, hint := pathProblem(v)
	if summary == "" {
		return v
	}
	l.problem(n, "path", what+" "+summary, quote(v), hint)
	return ""
}

// pathProblem returns what is wrong with a path by itself, and what to write.
func pathProblem(v string) (summary, hint string) {
	switch {
	case v == "":
		return "is empty", "write a path relative to the manifest, such as data/raw"
	case len(v) > maxPath:
		return fmt.Sprintf("is longer than %d bytes", maxPath), ""
	case strings.ContainsAny(v, "\n\t"):
		return "holds a tab or the end of a line", ""
	case v == "/":
		return "is the root of the file system", ""
	case v[0] == '~':
		return "begins with ~, which is not expanded", "write a path relative to the manifest"
	case v[0] == '-':
		return "begins with -, which programs take for an option", "choose another name"
	case strings.Contains(v, `\`):
		return "holds a backslash", "write / between folders"
	case v[len(v)-1] == '/':
		return "ends with a slash", "write " + strings.TrimRight(v, "/")
	}
	rest := strings.TrimPrefix(v, "/")
	for first := true; rest != ""; first = false {
		name, after, _ := strings.Cut(rest, "/")
		rest = after
		switch {
		case name == "..":
			return "leads out of the project", "everything lies below the manifest; a host can allow a place outside by allow_paths"
		case name == "" || name == ".":
			if clean := path.Clean(v); clean != "." && !strings.HasPrefix(clean, "..") {
				return "is not written in its shortest form", "write " + clean
			}
			return "is not the path of anything below the manifest", "name a folder or file"
		case len(name) > maxComponent:
			return fmt.Sprintf("has a name longer than %d bytes", maxComponent), ""
		case name[0] == ' ' || name[len(name)-1] == ' ':
			return "has a name that begins or ends with a blank", "remove the blank"
		case first && len(name) == len(layout.Dir) && strings.EqualFold(name, layout.Dir):
			return "lies in what reconcile keeps for itself", "choose another place"
		case len(name) == 4 && strings.EqualFold(name, ".git"):
			return "lies in a git repository's own folder", "choose another place"
		}
	}
	return "", ""
}

// fold returns the form of a path in which two spellings are equal that some
// file system takes for the same: case, and composed or decomposed letters. Most
// paths are their own form and are returned as they are.
func fold(p string) string {
	for i := range len(p) {
		if c := p[i]; c >= 0x80 || 'A' <= c && c <= 'Z' {
			return norm.NFC.String(strings.ToLower(norm.NFC.String(p)))
		}
	}
	return p
}

// A claim says that something of the manifest stands at a path, and what.
type claim struct {
	path   string
	folded string
	what   string
	folder bool // others may lie below it
	pos    diag.Pos
}

// claims are the paths of one machine. The index is by folded path.
type claims struct {
	list  []claim
	index map[string]int32
	below *claims // looked at too: what all machines share
}

func newClaims(n int, below *claims) *claims {
	return &claims{list: make([]claim, 0, n), index: make(map[string]int32, n), below: below}
}

// find returns the claim of a folded path, or nil.
func (c *claims) find(folded string) *claim {
	for ; c != nil; c = c.below {
		if i, ok := c.index[folded]; ok {
			return &c.list[i]
		}
	}
	return nil
}

// add claims a path, or reports who has it already.
func (l *loader) add(c *claims, new claim) {
	if new.path == "" {
		return
	}
	new.folded = fold(new.path)
	if old := c.find(new.folded); old != nil {
		summary := fmt.Sprintf("%s is the path of %s already", quote(new.path), old.what)
		if old.path != new.path {
			summary = fmt.Sprintf("%s and %s are one path where case or the form of letters does not count", quote(new.path), quote(old.path))
		}
		l.report(new.pos.Line, new.pos.Col, diag.Problem{
			Code: "manifest.two-owners", Summary: summary, Found: "the first one at " + old.pos.String(), Hint: "give each its own path",
		})
		return
	}
	c.index[new.folded] = int32(len(c.list))
	c.list = append(c.list, new)
}

// nested reports claims that lie below what can have nothing below it.
func (l *loader) nested(c *claims) {
	for i := range c.list {
		for parent := c.list[i].folded; ; {
			slash := strings.LastIndexByte(parent, '/')
			if slash <= 0 {
				break
			}
			parent = parent[:slash]
			over := c.find(parent)
			if over == nil || over.folder {
				continue
			}
			l.report(c.list[i].pos.Line, c.list[i].pos.Col, diag.Problem{
				Code:    "manifest.two-owners",
				Summary: fmt.Sprintf("%s lies below %s, which is %s", quote(c.list[i].path), quote(over.path), over.what),
				Found:   "the other one at " + over.pos.String(), Hint: "choose another place",
			})
			break
		}
	}
}

// checkPaths reports paths that meet: spelled alike or alike to some file
// system, or one below a file or an environment.
func (l *loader) checkPaths() {
	m := l.m
	common := newClaims(len(m.Directories)+len(m.Files)+4*len(m.Environments)+1, nil)
	l.add(common, claim{path: path.Clean(m.File), what: "the manifest", pos: diag.Pos{File: m.File, Line: 1, Col: 1}})
	for i := range m.Directories {
		d := &m.Directories[i]
		l.allowed(d.Path, d.pathPos, m.Hosts)
		l.add(common, claim{path: d.Path, what: "a directory", folder: true, pos: d.pathPos})
	}
	if m.Storage != nil {
		l.allowed(m.Storage.Path, m.Storage.pathPos, m.Hosts)
	}
	for _, e := range m.Environments {
		l.add(common, claim{path: e.Path, what: "an environment", pos: e.pathPos})
		l.add(common, claim{path: e.Lock, what: "a lock", pos: e.lockPos})
		l.add(common, claim{path: e.RequirementsFile, what: "a requirements file", pos: e.requirementsPos})
		l.add(common, claim{path: e.EnvironmentFile, what: "an environment file", pos: e.environmentPos})
	}
	for i := range m.Files {
		l.add(common, claim{path: m.Files[i].Path, what: "a file", pos: m.Files[i].pathPos})
	}
	for i := range m.Files {
		if t := m.Files[i].Template; t != "" && common.find(fold(t)) == nil {
			l.add(common, claim{path: t, what: "a template", pos: m.Files[i].templatePos})
		} else if t != "" && common.find(fold(t)).what != "a template" {
			l.add(common, claim{path: t, what: "a template", pos: m.Files[i].templatePos})
		}
	}
	l.nested(common)
	for _, e := range m.Environments {
		l.checkPlaces(common, e.Places, m.Hosts)
	}
	for _, h := range m.Hosts {
		l.checkPlaces(common, h.Places, []*Host{h})
	}
}

// checkPlaces checks overrides against what all machines share. The common path
// of the directory becomes a link, so nothing else may lie below it.
func (l *loader) checkPlaces(common *claims, places []Place, hosts []*Host) {
	if len(places) == 0 {
		return
	}
	own := newClaims(2*len(places), common)
	for i := range places {
		l.allowed(places[i].Path, places[i].pathPos, hosts)
		l.add(own, claim{path: places[i].Path, what: "the place of a directory", folder: true, pos: places[i].pathPos})
	}
	l.nested(own)
	for i := range places {
		l.linkIsFree(common, own, &places[i])
	}
}

// linkIsFree reports what lies below a path that becomes a link.
func (l *loader) linkIsFree(common, own *claims, p *Place) {
	d := l.m.directory(p.Directory)
	if d == nil {
		return // reported by checkReferences
	}
	prefix := fold(d.Path) + "/"
	for _, c := range []*claims{common, own} {
		for i := range c.list {
			if strings.HasPrefix(c.list[i].folded, prefix) {
				l.report(p.pathPos.Line, p.pathPos.Col, diag.Problem{
					Code:    "manifest.two-owners",
					Summary: fmt.Sprintf("%s lies elsewhere here, so %s becomes a link, and %s lies below it", quote(p.Directory), quote(d.Path), quote(c.list[i].path)),
					Found:   "the other one at " + c.list[i].pos.String(), Hint: "choose another place for one of them",
				})
				return
			}
		}
	}
}

// allowed reports an absolute path that no host of hosts allows.
func (l *loader) allowed(p string, pos diag.Pos, hosts []*Host) {
	if !strings.HasPrefix(p, "/") {
		return
	}
	for _, h := range hosts {
		if h.allows(p) {
			return
		}
	}
	l.report(pos.Line, pos.Col, diag.Problem{
		Code: "manifest.path", Summary: "a path outside of the project that no host allows", Found: quote(p),
		Hint: "add the folder to allow_paths of the host, or write a path relative to the manifest",
	})
}

// directory returns the directory of a name, or nil.
func (m *Manifest) directory(name string) *Directory {
	for i := range m.Directories {
		if m.Directories[i].Name == name {
			return &m.Directories[i]
		}
	}
	return nil
}
