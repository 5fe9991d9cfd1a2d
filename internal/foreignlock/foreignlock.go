// Package foreignlock reads the locks of other tools: uv.lock, poetry.lock, pixi.lock and
// pylock.toml (PEP 751). It selects the packages of some platforms and one Python minor version
// as the tool itself does, and returns them as a lock.Lock. It starts no program and uses no
// network.
package foreignlock

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/pep"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// A Selection is what an environment takes from a lock.
type Selection struct {
	// Project is the content of the pyproject.toml of the project, nil for none. ProjectPath is
	// its path relative to the root of the checkout, with slashes.
	Project     []byte
	ProjectPath string
	Extras      []string // of the project
	Groups      []string // PEP 735, or those of Poetry; for pixi.lock, at most one environment
	Python      string   // minor version: "3.12", or a release for markers that depend on it: "3.12.4"
	Platforms   []string // "linux-x86_64"
	Systems     lock.Systems
	Conda       bool // the environment has conda packages
	Editable    bool // with the project itself
	// Build reports whether the manifest permits to build a package from source, by normalised
	// name. nil permits none.
	Build func(name string) bool
	// Indexes are the names of the indexes of the manifest by URL, without a final slash.
	Indexes map[string]string
}

// readers are the functions that read a lock, by the name of its tool.
var readers = map[string]func(*reader){"uv": readUV, "poetry": readPoetry, "pylock": readPylock, "pixi": readPixi}

// tool returns the tool that wrote a lock, by its file name, or "".
func tool(name string) string {
	switch base := path.Base(name); {
	case base == "uv.lock", base == "poetry.lock", base == "pixi.lock":
		return strings.TrimSuffix(base, ".lock")
	case base == "pylock.toml", strings.HasPrefix(base, "pylock.") && strings.HasSuffix(base, ".toml"):
		return "pylock"
	}
	return ""
}

// Is reports whether a file is the lock of another tool, by its name. A pylock.toml may be one of
// reconcile: see IsOurs.
func Is(name string) bool { return tool(name) != "" }

// IsOurs reports whether a pylock.toml was written by reconcile, whose locks have names of the same
// form: lock.Decode reads them. The text may be damaged, by a conflict of git for instance.
func IsOurs(data []byte) bool {
	head, _, _ := bytes.Cut(data, []byte("\n[")) // before the first table
	return bytes.Contains(head, []byte("\ncreated-by = \"reconcile\""))
}

// Read reads a lock of another tool. Its errors are Problems: the lock is missing, invalid or
// older than pyproject.toml, it does not have what is selected, or packages would have to be
// built without permission.
func Read(fsys fs.FS, name string, s Selection) (*lock.Lock, error) {
	data, err := rawfile.ReadFS(fsys, name, lock.MaxSize)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &diag.Problem{
			Code: "lock.missing", Pos: diag.Pos{File: name}, Summary: "there is no lock",
			Hint: fmt.Sprintf("run `%s lock`, and commit the file that it writes", tool(name)),
		}
	}
	if err != nil {
		return nil, &diag.Problem{Code: "lock.unreadable", Pos: diag.Pos{File: name}, Summary: "the lock cannot be read", Found: rawfile.Reason(err), Hint: "restore the file from git, or write it again with its tool"}
	}
	return Decode(data, name, s)
}

// Decode is Read for the content of a lock.
func Decode(data []byte, name string, s Selection) (*lock.Lock, error) {
	r := &reader{path: name, tool: tool(name), data: data, Selection: s}
	n, err := strconv.ParseUint(strings.TrimPrefix(pep.MajorMinor(s.Python), "3."), 10, 8)
	if err != nil || !strings.HasPrefix(s.Python, "3.") || !pep.ValidVersion(s.Python) {
		return nil, fmt.Errorf("read %s: %q is not a Python minor version", name, s.Python)
	}
	r.minor = int(n)
	r.lock = &lock.Lock{Path: name, RequiresPython: fmt.Sprintf(">=3.%d,<3.%d", n, n+1), Platforms: slices.Sorted(slices.Values(s.Platforms)), Systems: s.Systems}
	for _, p := range r.lock.Platforms {
		if !slices.Contains(lock.KnownPlatforms(), p) {
			return nil, &diag.Problem{Code: "lock.platform", Summary: fmt.Sprintf("platform %q is unknown", p), Hint: "use " + strings.Join(lock.KnownPlatforms(), ", ")}
		}
	}
	r.Groups, r.Extras = normalize(s.Groups), normalize(s.Extras)
	read := readers[r.tool]
	if read == nil {
		return nil, &diag.Problem{Code: "lock.unreadable", Pos: diag.Pos{File: name}, Summary: "the file is no lock of uv, Poetry or pixi, and no pylock.toml", Hint: "name one as `lock`, or locks/pylock.NAME.toml for one of reconcile"}
	}
	read(r)
	if r.problems.Len() == 0 && s.Editable {
		r.editable()
	}
	if r.problems.Len() > 0 {
		return nil, r.problems.Err()
	}
	return r.lock, nil
}

// editable adds the project itself, unless the lock has it.
func (r *reader) editable() {
	directory := path.Dir(r.projectPath())
	if slices.ContainsFunc(r.lock.Packages, func(p lock.Package) bool { return p.Build != nil && p.Build.Directory == directory }) {
		return
	}
	project, ok := r.pyproject()
	if !ok {
		return
	}
	name, version := project.name(), project.version()
	if !pep.ValidName(name) || version != "" && !pep.ValidVersion(version) {
		r.problem("lock.project", diag.Pos{File: r.projectPath()}, fmt.Sprintf("%q %q", name, version), "set `name` and `version` below [project]", "the project has no valid name or version, and cannot be installed")
		return
	}
	p := lock.Package{Name: name, Version: version, Build: &lock.Build{Source: lock.Source{Directory: directory}}}
	for _, request := range r.lock.Requests {
		if q, err := pep.ParseRequirement(request); err == nil {
			p.Dependencies = append(p.Dependencies, pep.Normalize(q.Name))
		}
	}
	slices.Sort(p.Dependencies)
	p.Dependencies = slices.Compact(p.Dependencies)
	r.lock.Packages = append(r.lock.Packages, p)
	slices.SortStableFunc(r.lock.Packages, func(a, b lock.Package) int { return strings.Compare(a.Name, b.Name) })
}

func normalize(names []string) []string {
	list := make([]string, len(names))
	for i, name := range names {
		list[i] = pep.Normalize(name)
	}
	return list
}

// A reader reads one lock and collects problems.
type reader struct {
	Selection
	path       string
	tool       string
	data       []byte
	minor      int    // of Python 3
	python     string // release that markers are evaluated for
	lock       *lock.Lock
	places     places            // nil until a problem needs it
	defaults   map[string]bool   // URLs of indexes that each machine replaces by its default one
	indexNames map[string]string // names of indexes in the project, by URL
	unknown    []unknownIndex
	problems   diag.List
}

// problem adds a problem at a position of the lock.
func (r *reader) problem(code string, pos diag.Pos, found, hint, format string, args ...any) {
	if pos.File == "" {
		pos.File = r.path
	}
	r.problems.Add(&diag.Problem{Code: code, Pos: pos, Summary: fmt.Sprintf(format, args...), Found: found, Hint: hint})
}

// relock is the hint to write the lock again.
func (r *reader) relock() string {
	if r.tool == "pylock" {
		return "write the lock again with the tool that made it"
	}
	return fmt.Sprintf("run `%s lock` to write it again", r.tool)
}

// restore is the hint for a damaged lock, which no tool reads or replaces.
func (r *reader) restore() string {
	hint := fmt.Sprintf("restore the committed file: `git restore %s`", r.path)
	if r.tool != "pylock" {
		hint += fmt.Sprintf(", or make a new one: `mv %s %s.damaged && %s lock`", r.path, r.path, r.tool)
	}
	return hint
}

// toml decodes a document; keys that into lacks are ignored. It returns false after a problem.
func (r *reader) toml(into any) bool {
	err := toml.NewDecoder(bytes.NewReader(r.data)).Decode(into)
	if err == nil {
		return true
	}
	pos := diag.Pos{File: r.path}
	var decode *toml.DecodeError
	if errors.As(err, &decode) {
		pos.Line, pos.Col = decode.Position()
	}
	r.problem("lock.syntax", pos, "", r.restore(), "%s", strings.TrimPrefix(err.Error(), "toml: "))
	return false
}

// version checks the version of the format.
func (r *reader) version(key, found string, known ...string) bool {
	if slices.Contains(known, found) {
		return true
	}
	if found == "" {
		found = "none"
	}
	r.problem("lock.version", r.at(key), found, "update reconcile, or write the lock with a version of the tool that has one of these formats",
		"%s is not a version of the format that is read: %s", key, strings.Join(known, ", "))
	return false
}

// requires is allowsPython for a requires-python by PEP 440.
func (r *reader) requires(specifier string) bool {
	clauses, ok := pep.ParseClauses(strings.ReplaceAll(specifier, " ", ""))
	if !ok {
		r.problem("lock.python", r.at("requires-python"), fmt.Sprintf("%q", specifier), r.relock(), "requires-python is not a version specifier")
		return false
	}
	return r.allowsPython("requires-python", specifier, func(release string) bool {
		allowed, ok := pep.Allows(clauses, release)
		return allowed && ok
	})
}

// allowsPython checks that the lock is for the Python minor version, and sets the release that
// markers are evaluated for: the selected one, or the first one that the lock allows. key is that
// of the bounds.
func (r *reader) allowsPython(key, bounds string, allows func(release string) bool) bool {
	const most = 40 // releases of a minor version
	for patch := range most {
		r.python = fmt.Sprintf("3.%d.%d", r.minor, patch)
		if strings.Count(r.Python, ".") > 1 {
			r.python = r.Python
		}
		if allows(r.python) {
			return true
		}
	}
	r.problem("lock.python", r.at(key), key[strings.LastIndexByte(key, '.')+1:]+" "+bounds, "set `python` of the environment to a version that the lock allows", "the lock is not for Python 3.%d", r.minor)
	return false
}

// markers evaluates markers of a lock for one platform.
type markers struct {
	env   pep.MarkerEnvironment
	sets  map[string]map[string]bool
	cache map[string]bool
}

// newMarkers returns the evaluation of markers for a platform, with sets of names.
func (r *reader) newMarkers(platform string, sets map[string]map[string]bool) *markers {
	return &markers{env: lock.MarkerEnvironment(platform, r.python), sets: sets, cache: map[string]bool{}}
}

// holds reports whether a marker of a package holds; "" always holds. A malformed marker is a
// problem, and does not hold.
func (r *reader) holds(m *markers, marker string, at func() diag.Pos) bool {
	if marker == "" {
		return true
	}
	holds, known := m.cache[marker]
	if known {
		return holds
	}
	holds, ok := m.env.HoldsWith(marker, m.sets)
	if !ok {
		r.problem("lock.marker", at(), marker, r.relock(), "marker cannot be evaluated")
	}
	m.cache[marker] = holds && ok
	return holds && ok
}

// places are the positions of keys before the first table, and of tables of an array, such as
// "package[3]".
type places map[string]diag.Pos

// at returns the position of a key or a table. Positions are found only after a problem.
func (r *reader) at(key string) diag.Pos {
	if r.places == nil {
		r.places = places{}
		r.locate()
	}
	if pos, ok := r.places[key]; ok {
		return pos
	}
	return diag.Pos{File: r.path}
}

// locate finds the positions in a TOML document.
func (r *reader) locate() {
	var p unstable.Parser
	p.Reset(r.data)
	table, counts := "", map[string]int{}
	for p.NextExpression() {
		e := p.Expression()
		if e.Kind == unstable.Comment {
			continue
		}
		var parts []string
		var first *unstable.Node
		for it := e.Key(); it.Next(); {
			if first == nil {
				first = it.Node()
			}
			parts = append(parts, string(it.Node().Data))
		}
		name := strings.Join(parts, ".")
		key := name
		switch e.Kind {
		case unstable.Table:
			table = name
		case unstable.ArrayTable:
			table = name
			key = fmt.Sprintf("%s[%d]", name, counts[name])
			counts[name]++
		default:
			if table != "" {
				key = table + "." + name
			}
		}
		if _, known := r.places[key]; first != nil && !known {
			start := p.Shape(first.Raw).Start
			r.places[key] = diag.Pos{File: r.path, Line: start.Line, Col: start.Column}
		}
	}
}
