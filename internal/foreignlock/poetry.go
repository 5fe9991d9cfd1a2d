package foreignlock

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/pelletier/go-toml/v2"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/pep"
)

// poetryLock is the format of Poetry, versions 1.1 to 2.1.
type poetryLock struct {
	Packages []poetryPackage     `toml:"package"`
	Extras   map[string][]string `toml:"extras"`
	Metadata struct {
		LockVersion string                  `toml:"lock-version"`
		Python      string                  `toml:"python-versions"`
		ContentHash string                  `toml:"content-hash"`
		Files       map[string][]poetryFile `toml:"files"` // of version 1.1
	} `toml:"metadata"`
}

type poetryPackage struct {
	Name         string              `toml:"name"`
	Version      string              `toml:"version"`
	Optional     bool                `toml:"optional"`
	Python       string              `toml:"python-versions"`
	Groups       []string            `toml:"groups"`
	Markers      any                 `toml:"markers"` // a marker, or markers by group
	Files        []poetryFile        `toml:"files"`
	Dependencies map[string]any      `toml:"dependencies"`
	Extras       map[string][]string `toml:"extras"`
	Source       poetrySource        `toml:"source"`
}

type poetryFile struct {
	File string `toml:"file"`
	Hash string `toml:"hash"`
}

type poetrySource struct {
	Type         string `toml:"type"`
	URL          string `toml:"url"`
	Commit       string `toml:"resolved_reference"`
	Subdirectory string `toml:"subdirectory"`
}

// groupsVersion is the first version whose packages have groups and markers.
const groupsVersion = "2.1"

func readPoetry(r *reader) {
	var doc poetryLock
	if !r.toml(&doc) || !r.version("metadata.lock-version", doc.Metadata.LockVersion, "1.1", "2.0", groupsVersion) {
		return
	}
	p := &poetryReader{reader: r, doc: &doc, byName: map[string][]int{}}
	for i := range doc.Packages {
		name := pep.Normalize(doc.Packages[i].Name)
		p.byName[name] = append(p.byName[name], i)
	}
	if !p.allowsPython("metadata.python-versions", doc.Metadata.Python, func(release string) bool { return poetryAllows(doc.Metadata.Python, release) }) {
		return
	}
	project := map[string]any{}
	if len(r.Project) > 0 {
		if err := toml.Unmarshal(r.Project, &project); err != nil {
			r.pyproject() // reports the position
			return
		}
		p.stale(project)
	}
	if p.readProject(project); !p.selection() {
		return
	}
	p.indexes(project)
	p.read()
}

// A poetryReader selects packages of a poetry.lock.
type poetryReader struct {
	*reader
	doc    *poetryLock
	byName map[string][]int           // of doc.Packages, by normalised name
	roots  map[string][]poetryRequest // by group; those of the project in mainGroup
	groups map[string]bool            // known ones
	extras map[string][]string        // normalised names of packages by normalised extra
}

// mainGroup is the group of the requirements of the project.
const mainGroup = "main"

// A poetryRequest is a requirement in the form of Poetry.
type poetryRequest struct {
	name       string
	extras     []string
	constraint string // of the version
	python     string // constraint of the Python release
	marker     string
	optional   bool
	extra      string // of the project, "" for all
}

// poetryAllows reports whether a constraint of Poetry allows a version. It reports true for one
// that is malformed.
func poetryAllows(constraint, version string) bool {
	for alternative := range strings.SplitSeq(strings.ReplaceAll(constraint, "||", "|"), "|") {
		clauses, ok := pep.PoetryClauses(alternative)
		if allowed, valid := pep.Allows(clauses, version); allowed || !valid || !ok {
			return true
		}
	}
	return false
}

// readProject reads the requirements of a pyproject.toml.
func (p *poetryReader) readProject(doc map[string]any) {
	p.roots, p.groups, p.extras = map[string][]poetryRequest{}, map[string]bool{}, map[string][]string{}
	for _, q := range p.doc.Packages {
		for _, g := range q.Groups {
			p.groups[pep.Normalize(g)] = true
		}
	}
	for extra, names := range p.doc.Extras {
		for _, name := range names {
			p.extras[pep.Normalize(extra)] = append(p.extras[pep.Normalize(extra)], pep.Normalize(name))
		}
	}
	project, poetry := subtable(doc, "project"), subtable(doc, "tool", "poetry")
	for _, text := range texts(project["dependencies"]) {
		p.addPEP508(mainGroup, text, "")
	}
	for extra, list := range subtable(project, "optional-dependencies") {
		extra = pep.Normalize(extra)
		p.extras[extra] = append(p.extras[extra], []string{}...) // an extra may be empty
		for _, text := range texts(list) {
			p.addPEP508(mainGroup, text, extra)
		}
	}
	if len(p.roots[mainGroup]) == 0 || project["dependencies"] == nil {
		p.addTable(mainGroup, subtable(poetry, "dependencies"))
	}
	p.addTable("dev", subtable(poetry, "dev-dependencies"))
	for name, group := range subtable(poetry, "group") {
		group, _ := group.(map[string]any)
		p.groups[pep.Normalize(name)] = true
		p.addTable(pep.Normalize(name), subtable(group, "dependencies"))
	}
	standard := pyproject{Groups: map[string][]any{}}
	for name, items := range subtable(doc, "dependency-groups") {
		standard.Groups[name], _ = items.([]any)
	}
	for name := range standard.groups() {
		p.groups[name] = true
		for _, text := range standard.group(name) {
			p.addPEP508(name, text, "")
		}
	}
	delete(p.groups, mainGroup)
}

// addTable adds the requirements of a table in the form of Poetry.
func (p *poetryReader) addTable(group string, table map[string]any) {
	if len(table) > 0 {
		p.groups[group] = true
	}
	for name, value := range table {
		if name == "python" {
			continue
		}
		p.roots[group] = append(p.roots[group], poetryRequests(name, value)...)
	}
}

func (p *poetryReader) addPEP508(group, text, extra string) {
	r, err := pep.ParseRequirement(text)
	if err != nil {
		return
	}
	p.roots[group] = append(p.roots[group], poetryRequest{
		name: pep.Normalize(r.Name), extras: r.Extras, constraint: pep.Specifier(r.Clauses), marker: r.Marker, extra: extra,
	})
	if extra != "" {
		p.extras[extra] = append(p.extras[extra], pep.Normalize(r.Name))
	}
}

// poetryRequests reads a constraint, a table, or a list of them.
func poetryRequests(name string, value any) []poetryRequest {
	q := poetryRequest{name: pep.Normalize(name)}
	switch value := value.(type) {
	case string:
		q.constraint = value
	case []any:
		var list []poetryRequest
		for _, item := range value {
			list = append(list, poetryRequests(name, item)...)
		}
		return list
	case map[string]any:
		q.constraint, _ = value["version"].(string)
		q.python, _ = value["python"].(string)
		q.marker, _ = value["markers"].(string)
		q.optional, _ = value["optional"].(bool)
		q.extras = texts(value["extras"])
	}
	return []poetryRequest{q}
}

func subtable(doc map[string]any, names ...string) map[string]any {
	for _, name := range names {
		doc, _ = doc[name].(map[string]any)
	}
	return doc
}

func texts(v any) (list []string) {
	items, _ := v.([]any)
	for _, item := range items {
		if text, ok := item.(string); ok {
			list = append(list, text)
		}
	}
	return list
}

// selection checks that the extras and groups exist.
func (p *poetryReader) selection() bool {
	before := p.problems.Len()
	extras := map[string]bool{}
	for name := range p.extras {
		extras[name] = true
	}
	p.checkNames("extra", p.Extras, extras)
	p.checkNames("group", p.Groups, p.groups)
	return p.problems.Len() == before
}

// indexes sets the default indexes.
func (p *poetryReader) indexes(doc map[string]any) {
	named := map[string]string{}
	sources, _ := subtable(doc, "tool", "poetry")["source"].([]any)
	for _, s := range sources {
		s, _ := s.(map[string]any)
		url, _ := s["url"].(string)
		switch s["priority"] {
		case "explicit", "supplemental", "secondary":
			named[url], _ = s["name"].(string)
		}
	}
	registries := map[string]int{}
	for _, q := range p.doc.Packages {
		switch q.Source.Type {
		case "":
			registries[publicIndex]++
		case "legacy":
			registries[q.Source.URL]++
		}
	}
	p.setDefaults(nil, named, registries)
}

// read selects the packages of all platforms.
func (p *poetryReader) read() {
	if p.doc.Metadata.LockVersion != groupsVersion && len(p.Project) == 0 {
		p.problem("lock.project", diag.Pos{File: p.path}, "", "add the pyproject.toml of the project", "a poetry.lock of version %s is read together with its pyproject.toml", p.doc.Metadata.LockVersion)
		return
	}
	all := map[int]*chosen{}
	for _, platform := range p.lock.Platforms {
		selected := map[int]bool{}
		if p.doc.Metadata.LockVersion == groupsVersion {
			p.filter(platform, selected)
		} else {
			w := poetryWalk{poetryReader: p, markers: p.newMarkers(platform, nil), selected: selected, seen: map[uvItem]bool{}}
			w.walk()
		}
		for i := range selected {
			if all[i] == nil {
				all[i] = &chosen{dist: p.dist(i), dependencies: map[string]bool{}}
			}
			all[i].platforms = append(all[i].platforms, platform)
		}
	}
	p.requests(all)
	list := make([]*chosen, 0, len(all))
	for _, i := range slices.Sorted(maps.Keys(all)) {
		list = append(list, all[i])
	}
	p.assemble(list)
}

// requests sets the requests of the lock and the dependencies of the selected packages.
func (p *poetryReader) requests(all map[int]*chosen) {
	installed := map[string]bool{}
	for _, c := range all {
		installed[c.name] = true
	}
	for i, c := range all {
		for name := range p.doc.Packages[i].Dependencies {
			if name = pep.Normalize(name); installed[name] && name != c.name {
				c.dependencies[name] = true
			}
		}
	}
	requests := map[string]bool{}
	for _, group := range append([]string{mainGroup}, p.Groups...) {
		for _, q := range p.roots[group] {
			if installed[q.name] && (q.extra == "" || slices.Contains(p.Extras, q.extra)) {
				requests[lock.Requirement{Name: q.name, Extras: q.extras}.Request()] = true
			}
		}
	}
	p.lock.Requests = slices.Sorted(maps.Keys(requests))
}

// filter selects packages by their groups and markers.
func (p *poetryReader) filter(platform string, selected map[int]bool) {
	extras := map[string]bool{}
	for _, e := range p.Extras {
		extras[e] = true
	}
	m := p.newMarkers(platform, map[string]map[string]bool{"extra": extras})
	for i := range p.doc.Packages {
		q := &p.doc.Packages[i]
		for _, group := range q.Groups {
			if group = pep.Normalize(group); group != mainGroup && !slices.Contains(p.Groups, group) {
				continue
			}
			marker, _ := q.Markers.(string)
			if byGroup, ok := q.Markers.(map[string]any); ok {
				for name, value := range byGroup {
					if pep.Normalize(name) == group {
						marker, _ = value.(string)
					}
				}
			}
			if p.holds(m, marker, func() diag.Pos { return p.at(uvKey(i)) }) {
				selected[i] = true
			}
		}
	}
}

// A poetryWalk selects the packages of one platform of a lock without groups and markers, from
// the requirements of the project.
type poetryWalk struct {
	*poetryReader
	markers   *markers
	selected  map[int]bool
	seen      map[uvItem]bool
	queue     []uvItem
	requested map[int][]string // extras of packages that are always selected with them
	found     map[int][]string // extras that packages request of others; nil to record none
}

// walk selects packages. Poetry resolves with all extras of the project, and removes the packages
// that are only needed by those that are not selected. So a selected package keeps the extras that
// any other package requests.
func (w *poetryWalk) walk() {
	all := poetryWalk{poetryReader: w.poetryReader, markers: w.newMarkers("", nil), selected: map[int]bool{}, seen: map[uvItem]bool{}}
	all.markers.env = w.markers.env
	all.found = map[int][]string{}
	all.from(slices.Collect(maps.Keys(w.extras)))
	w.requested = all.found
	w.from(w.Extras)
}

// from selects the requirements of the project with some of its extras, and their dependencies.
func (w *poetryWalk) from(selected []string) {
	extras, optional := map[string]bool{}, map[string]bool{} // optional are packages of the extras
	for _, e := range selected {
		extras[e] = true
		for _, name := range w.extras[e] {
			optional[name] = true
		}
	}
	w.markers.sets = map[string]map[string]bool{"extra": extras}
	for _, group := range append([]string{mainGroup}, w.Groups...) {
		for _, q := range w.roots[group] {
			if q.extra != "" && !extras[q.extra] || q.optional && !optional[q.name] {
				continue
			}
			w.follow(-1, q)
		}
	}
	project := w.markers
	for ; len(w.queue) > 0; w.queue = w.queue[1:] {
		item := w.queue[0]
		w.markers = &markers{env: project.env, sets: map[string]map[string]bool{"extra": {item.extra: item.extra != ""}}, cache: map[string]bool{}}
		w.dependencies(item.pkg, item.extra)
	}
}

// follow selects a requirement of a package and its dependencies, if it is one of this platform.
func (w *poetryWalk) follow(from int, q poetryRequest) {
	at := func() diag.Pos { return w.at(uvKey(max(0, from))) }
	if !poetryAllows(q.python, w.python) || !w.holds(w.markers, q.marker, at) {
		return
	}
	i, ok := w.find(q)
	if !ok {
		w.problem("lock.package", at(), strings.TrimSpace(q.name+" "+q.constraint), w.relock(), "the lock has no package for a dependency")
		return
	}
	w.selected[i] = true
	if w.found != nil && from >= 0 {
		w.found[i] = append(w.found[i], q.extras...)
	}
	w.add(i, q.extras)
	if !w.seen[uvItem{i, ""}] {
		w.add(i, append(slices.Clone(w.requested[i]), ""))
	}
}

// add queues the dependencies of extras of a package; "" are those of the package itself.
func (w *poetryWalk) add(i int, extras []string) {
	for _, extra := range extras {
		item := uvItem{i, pep.Normalize(extra)}
		if !w.seen[item] {
			w.seen[item] = true
			w.queue = append(w.queue, item)
		}
	}
}

// dependencies follows those of a package, or those of one of its extras.
func (w *poetryWalk) dependencies(i int, extra string) {
	p := &w.doc.Packages[i]
	named := map[string]bool{} // by the extra
	for name, list := range p.Extras {
		if pep.Normalize(name) == extra {
			for _, text := range list {
				r, err := pep.ParseRequirement(text)
				if err != nil {
					continue
				}
				named[pep.Normalize(r.Name)] = true
				if pep.Normalize(r.Name) == pep.Normalize(p.Name) { // "all" includes "web"
					w.add(i, r.Extras)
				}
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.Dependencies)) {
		for _, q := range poetryRequests(name, p.Dependencies[name]) {
			if q.optional != (extra != "") || q.optional && !named[q.name] {
				continue
			}
			w.follow(i, q)
		}
	}
}

// find returns the package of a requirement: of several with its name, the one that the
// constraint and its own Python constraint allow.
func (w *poetryWalk) find(q poetryRequest) (int, bool) {
	candidates := w.byName[q.name]
	if len(candidates) == 1 {
		return candidates[0], true
	}
	for _, i := range candidates {
		if p := &w.doc.Packages[i]; w.selected[i] && poetryAllows(q.constraint, p.Version) {
			return i, true
		}
	}
	for _, i := range candidates {
		if p := &w.doc.Packages[i]; poetryAllows(q.constraint, p.Version) && poetryAllows(p.Python, w.python) {
			return i, true
		}
	}
	return 0, false
}

// dist returns a package in the common form.
func (p *poetryReader) dist(i int) *dist {
	q := &p.doc.Packages[i]
	d := &dist{name: pep.Normalize(q.Name), version: q.Version, key: uvKey(i), subdirectory: q.Source.Subdirectory}
	location := ""
	switch q.Source.Type {
	case "":
	case "legacy":
		d.registry = q.Source.URL
	case "git":
		d.direct, d.source = true, lock.Source{Git: q.Source.URL, Commit: q.Source.Commit, Subdirectory: q.Source.Subdirectory}
		return d
	case "directory":
		d.direct, d.source.Directory = true, p.inProject(q.Source.URL)
		return d
	default: // "url", "file"
		d.direct, location = true, p.located(q.Source.URL)
	}
	files := q.Files
	if len(files) == 0 {
		files = p.doc.Metadata.Files[q.Name]
	}
	for _, f := range files {
		one := file{name: f.File, url: location}
		one.sha256, _ = strings.CutPrefix(f.Hash, "sha256:")
		switch {
		case strings.HasSuffix(f.File, ".whl"):
			d.wheels = append(d.wheels, one)
		case lock.ValidArchive(f.File) && (d.sdist == nil || strings.HasSuffix(f.File, ".tar.gz")):
			d.sdist = &one
		}
	}
	return d
}

// stale compares the digest of the relevant content of pyproject.toml, which differs between
// versions of Poetry.
func (p *poetryReader) stale(doc map[string]any) {
	have := strings.TrimPrefix(p.doc.Metadata.ContentHash, "sha256:")
	project, groups, tool := subtable(doc, "project"), subtable(doc, "dependency-groups"), subtable(doc, "tool", "poetry")
	for _, version := range []struct{ project, groups bool }{{true, true}, {true, false}, {false, false}} {
		relevant := map[string]any{}
		ofProject, ofTool := map[string]any{}, map[string]any{}
		if version.project {
			for _, key := range []string{"requires-python", "dependencies", "optional-dependencies"} {
				if v, ok := project[key]; ok {
					ofProject[key] = v
				}
			}
		}
		withGroups := version.groups && len(groups) > 0
		for _, key := range []string{"dependencies", "source", "extras", "dev-dependencies", "group"} {
			v, ok := tool[key]
			if ok || key != "group" && len(ofProject) == 0 && !withGroups {
				ofTool[key] = v
			}
		}
		if len(ofProject) > 0 {
			relevant["project"] = ofProject
		}
		if withGroups {
			relevant["dependency-groups"] = groups
		}
		if len(relevant) > 0 {
			relevant["tool"] = map[string]any{"poetry": ofTool}
		} else {
			relevant = ofTool
		}
		var b strings.Builder
		writeJSON(&b, relevant)
		if sum := sha256.Sum256([]byte(b.String())); hex.EncodeToString(sum[:]) == have {
			return
		}
	}
	p.foreignStale("content-hash differs")
}

// writeJSON writes a value as Python's json.dumps does with sorted keys.
func writeJSON(b *strings.Builder, v any) {
	switch v := v.(type) {
	case nil:
		b.WriteString("null")
	case bool:
		b.WriteString(strconv.FormatBool(v))
	case int64:
		b.WriteString(strconv.FormatInt(v, 10))
	case float64:
		text := strconv.FormatFloat(v, 'g', -1, 64)
		if !strings.ContainsAny(text, ".eEnN") {
			text += ".0"
		}
		b.WriteString(text)
	case string:
		writeJSONString(b, v)
	case []any:
		b.WriteByte('[')
		for i, item := range v {
			if i > 0 {
				b.WriteString(", ")
			}
			writeJSON(b, item)
		}
		b.WriteByte(']')
	case map[string]any:
		b.WriteByte('{')
		for i, key := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				b.WriteString(", ")
			}
			writeJSONString(b, key)
			b.WriteString(": ")
			writeJSON(b, v[key])
		}
		b.WriteByte('}')
	}
}

// writeJSONString writes a string in ASCII.
func writeJSONString(b *strings.Builder, s string) {
	b.WriteByte('"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteRune(c)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == '\t':
			b.WriteString(`\t`)
		case c == '\b':
			b.WriteString(`\b`)
		case c == '\f':
			b.WriteString(`\f`)
		case c >= 0x10000:
			high, low := utf16.EncodeRune(c)
			fmt.Fprintf(b, `\u%04x\u%04x`, high, low)
		case c < ' ' || c > '~' && c != 0x7f:
			fmt.Fprintf(b, `\u%04x`, c)
		default:
			b.WriteRune(c)
		}
	}
	b.WriteByte('"')
}
