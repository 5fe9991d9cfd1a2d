package manifest

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"

	"github.com/reconcile-ml/reconcile/internal/diag"
)

const (
	maxPath      = 4096 // bytes of a path, as on Linux
	maxComponent = 255  // bytes of one name in it
)

// path reads a path as written, relative or absolute, and its position. It refuses paths
// that a shell, a program or a file system could read in two ways.
func (v value) path() (string, diag.Pos) {
	s, ok := v.scalar()
	if !ok {
		return "", v.pos()
	}
	if summary, hint := pathProblem(s); summary != "" {
		v.problem("path", v.what+" "+summary, quote(s), hint)
		return "", v.pos()
	}
	return s, v.pos()
}

// innerPath reads a path inside the project.
func (v value) innerPath() (string, diag.Pos) {
	p, pos := v.path()
	if strings.HasPrefix(p, "/") {
		v.problem("path", v.what+" must be inside the project", quote(p), "write it relative to the manifest")
		return "", pos
	}
	return p, pos
}

// pathProblem returns the problem of a path, and a hint.
func pathProblem(s string) (summary, hint string) {
	switch {
	case s == "":
		return "is empty", "write a path relative to the manifest, such as data/raw"
	case len(s) > maxPath:
		return fmt.Sprintf("is longer than %d bytes", maxPath), ""
	case strings.ContainsAny(s, "\n\t"):
		return "contains a tab or a newline", ""
	case s == "/":
		return "is the root of the file system", ""
	case s[0] == '~':
		return "begins with ~, which is not expanded", "write a path relative to the manifest"
	case s[0] == '-':
		return "begins with -, like an option of a program", "choose another name"
	case strings.Contains(s, `\`):
		return "contains a backslash", "write / between folders"
	case s[len(s)-1] == '/':
		return "ends with a slash", "write " + strings.TrimRight(s, "/")
	}
	for name := range strings.SplitSeq(strings.TrimPrefix(s, "/"), "/") {
		switch {
		case name == "..":
			return "leads out of the project", "all paths are below the manifest; allow_paths of a host can allow a folder outside"
		case name == "" || name == ".":
			if clean := path.Clean(s); clean != "." && !strings.HasPrefix(clean, "..") {
				return "is not in its shortest form", "write " + clean
			}
			return "is not a path below the manifest", "name a folder or file"
		case len(name) > maxComponent:
			return fmt.Sprintf("has a name longer than %d bytes", maxComponent), ""
		case name[0] == ' ' || name[len(name)-1] == ' ':
			return "has a name that begins or ends with a space", "remove the space"
		case len(name) == 4 && strings.EqualFold(name, ".git"):
			return "is in the .git folder of a repository", "choose another path"
		}
	}
	return "", ""
}

// fold returns the form of a path that is equal for two spellings which some file systems
// treat as the same: case, and composed or decomposed letters.
func fold(p string) string {
	for i := range len(p) {
		if c := p[i]; c >= 0x80 || 'A' <= c && c <= 'Z' {
			return norm.NFC.String(strings.ToLower(norm.NFC.String(p)))
		}
	}
	return p
}

// A claim is a path that the manifest uses.
type claim struct {
	path   string
	folded string
	what   string // "a directory"
	folder bool   // other claims may be below it
	pos    diag.Pos
}

// claims are the paths of a machine.
type claims struct {
	list   []claim
	index  map[string]int32 // by folded path
	common *claims          // those of all machines, or nil
}

func newClaims(n int, common *claims) *claims {
	return &claims{list: make([]claim, 0, n), index: make(map[string]int32, n), common: common}
}

// find returns the claim of a folded path, or nil.
func (c *claims) find(folded string) *claim {
	for ; c != nil; c = c.common {
		if i, ok := c.index[folded]; ok {
			return &c.list[i]
		}
	}
	return nil
}

// add claims a path, or reports the existing claim.
func (l *loader) add(c *claims, path, what string, folder bool, pos diag.Pos) {
	if path == "" {
		return
	}
	folded := fold(path)
	if old := c.find(folded); old != nil {
		summary := fmt.Sprintf("%s is already the path of %s", quote(path), old.what)
		if old.path != path {
			summary = fmt.Sprintf("%s and %s are the same path on file systems that ignore case or Unicode normalisation", quote(path), quote(old.path))
		}
		l.problemAt(pos, "two-owners", summary, "the first one at "+old.pos.String(), "give each its own path")
		return
	}
	c.index[folded] = int32(len(c.list))
	c.list = append(c.list, claim{path, folded, what, folder, pos})
}

// checkNested reports claims below a file or an environment.
func (l *loader) checkNested(c *claims) {
	for i := range c.list {
		for parent := path.Dir(c.list[i].folded); parent != "." && parent != "/"; parent = path.Dir(parent) {
			if over := c.find(parent); over != nil && !over.folder {
				l.problemAt(c.list[i].pos, "two-owners", fmt.Sprintf("%s is below %s, which is %s", quote(c.list[i].path), quote(over.path), over.what),
					"the other one at "+over.pos.String(), "choose another path")
				break
			}
		}
	}
}

// checkPaths reports conflicting paths: equal ones, and those below a file or an
// environment.
func (l *loader) checkPaths() {
	m := l.m
	common := newClaims(len(m.Directories)+len(m.Files)+4*len(m.Environments)+1, nil)
	l.add(common, path.Clean(m.File), "the manifest", false, diag.Pos{File: m.File, Line: 1, Col: 1})
	for i := range m.Directories {
		d := &m.Directories[i]
		l.allowed(d.Path, d.pathPos, m.Hosts)
		l.add(common, d.Path, "a directory", true, d.pathPos)
	}
	if m.Storage != nil {
		l.allowed(m.Storage.Path, m.Storage.pathPos, m.Hosts)
	}
	for _, e := range m.Environments {
		l.add(common, e.Path, "an environment", false, e.pathPos)
		if !e.IsForeign() { // several environments may share it
			l.add(common, e.Lock, "a lock", false, e.lockPos)
		}
		l.add(common, e.RequirementsFile, "a requirements file", false, e.requirementsPos)
		l.add(common, e.EnvironmentFile, "an environment file", false, e.environmentPos)
	}
	for i := range m.Files {
		l.add(common, m.Files[i].Path, "a file", false, m.Files[i].pathPos)
	}
	for i := range m.Files {
		f := &m.Files[i]
		if c := common.find(fold(f.Template)); c == nil || c.what != "a template" { // several files may share one
			l.add(common, f.Template, "a template", false, f.templatePos)
		}
	}
	l.checkNested(common)
	for _, e := range m.Environments {
		l.checkPlaces(common, e.Places, m.Hosts)
	}
	for _, h := range m.Hosts {
		l.checkPlaces(common, h.Places, []*Host{h})
	}
}

// checkPlaces checks places against the common claims. The common path of a directory
// becomes a link, so nothing else may be below it.
func (l *loader) checkPlaces(common *claims, places []Place, hosts []*Host) {
	own := newClaims(len(places), common)
	for _, p := range places {
		l.allowed(p.Path, p.pathPos, hosts)
		l.add(own, p.Path, "a directory override", true, p.pathPos)
	}
	l.checkNested(own)
	for _, p := range places {
		d := l.m.directory(p.Directory)
		if d == nil {
			continue // checkReferences reports it
		}
		below := func(c claim) bool { return strings.HasPrefix(c.folded, fold(d.Path)+"/") }
		for _, c := range []*claims{common, own} {
			if i := slices.IndexFunc(c.list, below); i >= 0 {
				l.problemAt(p.pathPos, "two-owners", fmt.Sprintf("%s becomes a link, because %s has another path here, and %s is below it", quote(d.Path), quote(p.Directory), quote(c.list[i].path)),
					"the other one at "+c.list[i].pos.String(), "choose another path for one of them")
				break
			}
		}
	}
}

// allowed reports an absolute path that none of hosts allows.
func (l *loader) allowed(p string, pos diag.Pos, hosts []*Host) {
	if strings.HasPrefix(p, "/") && !slices.ContainsFunc(hosts, func(h *Host) bool { return h.allows(p) }) {
		l.problemAt(pos, "path", "a path outside the project that no host allows", quote(p), "add the folder to allow_paths of the host, or write a path relative to the manifest")
	}
}

// directory returns the directory with a name, or nil.
func (m *Manifest) directory(name string) *Directory {
	for i := range m.Directories {
		if m.Directories[i].Name == name {
			return &m.Directories[i]
		}
	}
	return nil
}
