package foreignlock

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/pep"
)

// stale reports that pyproject.toml has other requirements than the metadata in the lock.
func (u *uvReader) stale() {
	if u.project.Project == nil || len(u.root) != 1 {
		return
	}
	p := &u.doc.Packages[u.root[0]]
	if p.Metadata == nil {
		return
	}
	isRoot := path.Clean(p.Source.local()) == "."
	c := comparison{pythons: u.pythons(), direct: map[string]bool{}, tables: map[string]string{}}
	var found []string
	if why := u.staleRequires(isRoot && len(u.doc.Manifest.Members) == 0); why != "" {
		found = append(found, why)
	}
	sources := u.sources()
	want, have := c.want(&u.project), c.have(p.Metadata)
	have = slices.DeleteFunc(have, func(q request) bool {
		return q.scope == "" && u.project.isDynamic("dependencies") || strings.HasPrefix(q.scope, " (extra") && u.project.isDynamic("optional-dependencies")
	})
	if !isRoot { // the workspace may give a source to requirements of its members
		for _, q := range have {
			c.direct[q.name] = c.direct[q.name] || q.isDirect
		}
	}
	for name := range sources {
		c.direct[name] = c.direct[name] || sources[name].isDirect
	}
	found = append(found, c.differences(want, have)...)
	if isRoot {
		found = append(found, sourceDifferences(sources, want, have)...)
	}
	if len(found) > 0 {
		const most = 10
		if len(found) > most {
			found = append(found[:most], fmt.Sprintf("and %d more", len(found)-most))
		}
		u.foreignStale(strings.Join(found, "\n"))
	}
}

// pythons returns releases that the lock allows.
func (u *uvReader) pythons() []string {
	clauses, _ := pep.ParseClauses(u.doc.RequiresPython)
	var list []string
	for minor := 6; minor < 20; minor++ {
		for _, patch := range []int{0, 3, 20} {
			release := fmt.Sprintf("3.%d.%d", minor, patch)
			if allowed, ok := pep.Allows(clauses, release); ok && allowed {
				list = append(list, release)
			}
		}
	}
	const most = 12 // a limit for locks without an upper one
	if len(list) > most {
		list = list[:most]
	}
	return list
}

// staleRequires compares requires-python: the lock has that of the only project, or the
// intersection of those of all members.
func (u *uvReader) staleRequires(isOnly bool) string {
	inProject, ok := pep.ParseClauses(u.project.Project.RequiresPython)
	inLock, okLock := pep.ParseClauses(u.doc.RequiresPython)
	if !ok || !okLock || u.project.Project.RequiresPython == "" {
		return ""
	}
	if specOf(nil, inProject) == specOf(nil, inLock) {
		return ""
	}
	for minor := range 40 {
		for patch := range 21 {
			release := fmt.Sprintf("3.%d.%d", minor, patch)
			project, _ := pep.Allows(inProject, release)
			locked, _ := pep.Allows(inLock, release)
			if locked && !project || isOnly && locked != project {
				return fmt.Sprintf("locked for Python %s, the project has %s", u.doc.RequiresPython, u.project.Project.RequiresPython)
			}
		}
	}
	return ""
}

// A request is a requirement of the project, in the lock or in pyproject.toml.
type request struct {
	name     string
	spec     string // extras and specifier, in a normal form
	scope    string // " (extra gpu)", " (group dev)", or ""
	marker   string
	index    string // URL, "" for the default one
	isDirect bool
}

// A comparison compares requests. Markers are equal if they hold in the same environments.
type comparison struct {
	pythons []string
	direct  map[string]bool   // names whose specifier is not compared, since uv drops it
	tables  map[string]string // a character for each environment, by marker
}

// want returns the requests of a pyproject.toml.
func (c *comparison) want(p *pyproject) []request {
	var list []request
	add := func(texts []string, scope string) {
		for _, text := range texts {
			if strings.Contains(text, "@") {
				text = strings.Replace(text, "; ", " ; ", 1) // uv does not need the space after a URL
			}
			if r, err := pep.ParseRequirement(text); err == nil {
				list = append(list, request{
					name: pep.Normalize(r.Name), spec: specOf(r.Extras, r.Clauses), scope: scope, marker: r.Marker, isDirect: r.URL != "",
				})
			}
		}
	}
	if !p.isDynamic("dependencies") {
		add(p.Project.Dependencies, "")
	}
	if !p.isDynamic("optional-dependencies") {
		for extra, texts := range p.Project.Optional {
			add(texts, scopeOf("extra", extra))
		}
	}
	for name := range p.groups() {
		add(p.group(name), scopeOf("group", name))
	}
	return list
}

// have returns the requests that the lock was made for.
func (c *comparison) have(m *uvMetadata) []request {
	var list []request
	add := func(q uvRequirement, scope, marker string) {
		clauses, _ := pep.ParseClauses(q.Specifier)
		list = append(list, request{
			name: pep.Normalize(q.Name), spec: specOf(q.Extras, clauses), scope: scope, marker: marker, index: q.Index,
			isDirect: q.URL+q.Git+q.Path+q.Directory+q.Editable+q.Virtual != "",
		})
	}
	for _, q := range m.Requires {
		marker, extra, ok := cutExtra(q.Marker)
		if ok {
			add(q, scopeOf("extra", extra), marker)
			continue
		}
		add(q, "", q.Marker)
	}
	for name, group := range m.Dev {
		for _, q := range group {
			add(q, scopeOf("group", name), q.Marker)
		}
	}
	return list
}

func scopeOf(kind, name string) string {
	if name == "" {
		return ""
	}
	return " (" + kind + " " + pep.Normalize(name) + ")"
}

// cutExtra splits a marker of an extra of the project, which ends in a comparison with its name.
func cutExtra(marker string) (rest, extra string, ok bool) {
	const test = "extra == '"
	i := strings.LastIndex(marker, test)
	if i < 0 {
		return marker, "", false
	}
	extra, isLast := strings.CutSuffix(marker[i+len(test):], "'")
	rest = marker[:i]
	if rest != "" {
		rest, ok = strings.CutSuffix(rest, " and ")
		if !ok {
			return marker, "", false
		}
	}
	return rest, extra, isLast && !strings.Contains(rest, "extra ")
}

// specOf returns the extras and the specifier of a requirement in a normal form.
func specOf(extras []string, clauses []pep.Clause) string {
	names := make([]string, len(extras))
	for i, e := range extras {
		names[i] = pep.Normalize(e)
	}
	slices.Sort(names)
	parts := make([]string, len(clauses))
	for i, c := range clauses {
		version, wildcard := strings.CutSuffix(c.Version, ".*")
		if canonical, ok := pep.CanonicalVersion(version); ok {
			version = canonical
		}
		if !wildcard && c.Op != "~=" && c.Op != "===" { // 2 and 2.0 are equal
			for strings.HasSuffix(version, ".0") {
				version = strings.TrimSuffix(version, ".0")
			}
		}
		if wildcard {
			version += ".*"
		}
		parts[i] = c.Op + version
	}
	slices.Sort(parts)
	spec := strings.Join(slices.Compact(parts), ",")
	if len(names) > 0 {
		return "[" + strings.Join(slices.Compact(names), ",") + "]" + spec
	}
	return spec
}

// differences returns a line for each request that only one side has.
func (c *comparison) differences(want, have []request) (found []string) {
	project, locked := c.merge(want), c.merge(have)
	for _, key := range slices.Sorted(maps.Keys(project)) {
		if project[key] != locked[key] {
			if locked[key] == "" {
				found = append(found, "not in the lock: "+key)
				continue
			}
			found = append(found, "locked with another marker: "+key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(locked)) {
		if project[key] == "" {
			found = append(found, "not in pyproject.toml: "+key)
		}
	}
	return found
}

// merge returns the environments in which each request holds, without requests that hold in
// none.
func (c *comparison) merge(list []request) map[string]string {
	tables := map[string]string{}
	for _, q := range list {
		key := q.name + q.spec + q.scope
		if c.direct[q.name] {
			extras, _, _ := strings.Cut(q.spec, "]")
			key = q.name + strings.TrimRight(extras, "=<>~!") + q.scope
			if !strings.HasPrefix(q.spec, "[") {
				key = q.name + q.scope
			}
		}
		table := c.table(q.marker)
		if strings.IndexByte(table, '1') < 0 {
			continue
		}
		if before, ok := tables[key]; ok {
			table = either(before, table)
		}
		tables[key] = table
	}
	return tables
}

func either(a, b string) string {
	out := []byte(a)
	for i := range out {
		if b[i] == '1' {
			out[i] = '1'
		}
	}
	return string(out)
}

// table returns a character for each environment: 1 if the marker holds there.
func (c *comparison) table(marker string) string {
	if table, ok := c.tables[marker]; ok {
		return table
	}
	var b strings.Builder
	for _, platform := range []string{"linux-x86_64", "linux-aarch64", "macos-arm64", "macos-x86_64", "windows-AMD64"} {
		for _, python := range c.pythons {
			holds := marker == ""
			if !holds {
				holds, _ = lock.MarkerEnvironment(platform, python).HoldsWith(marker, map[string]map[string]bool{"extra": {}})
			}
			b.WriteByte(map[bool]byte{true: '1', false: '0'}[holds])
		}
	}
	c.tables[marker] = b.String()
	return b.String()
}

// A projectSource is the source that tool.uv.sources gives to a requirement.
type projectSource struct {
	isDirect      bool
	isConditional bool            // each of its sources is for an extra, a group or a marker
	indexes       map[string]bool // URLs
}

// sources returns the sources of tool.uv.sources by normalised name.
func (u *uvReader) sources() map[string]projectSource {
	urls := map[string]string{}
	for _, x := range u.project.Tool.UV.Indexes {
		urls[x.Name] = strings.TrimSuffix(x.URL, "/")
	}
	sources := map[string]projectSource{}
	for name, value := range u.project.Tool.UV.Sources {
		s := projectSource{indexes: map[string]bool{}, isConditional: true}
		list, ok := value.([]any)
		if !ok {
			list = []any{value}
		}
		for _, item := range list {
			fields, _ := item.(map[string]any)
			s.isConditional = s.isConditional && (fields["extra"] != nil || fields["group"] != nil || fields["marker"] != nil)
			if index, ok := fields["index"].(string); ok {
				s.indexes[urls[index]] = true
				continue
			}
			s.isDirect = true
		}
		sources[pep.Normalize(name)] = s
	}
	return sources
}

// sourceDifferences returns a line for each requirement whose source is another one in the lock.
func sourceDifferences(sources map[string]projectSource, want, have []request) (found []string) {
	isDirect, indexes := map[string]bool{}, map[string]map[string]bool{}
	for _, q := range have {
		isDirect[q.name] = isDirect[q.name] || q.isDirect
		if q.index != "" {
			if indexes[q.name] == nil {
				indexes[q.name] = map[string]bool{}
			}
			indexes[q.name][strings.TrimSuffix(q.index, "/")] = true
		}
	}
	wanted := map[string]projectSource{}
	for _, q := range want {
		s := sources[q.name]
		s.isDirect = s.isDirect || q.isDirect || wanted[q.name].isDirect
		wanted[q.name] = s
	}
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		s, isUnknown := wanted[name], false
		for u := range indexes[name] {
			isUnknown = isUnknown || !s.indexes[u]
		}
		isMissing := !s.isConditional && (s.isDirect && !isDirect[name] || len(s.indexes) > 0 && len(indexes[name]) == 0)
		hasPassword := slices.ContainsFunc(slices.Collect(maps.Keys(s.indexes)), func(u string) bool { return strings.Contains(u, "@") })
		if isMissing || isDirect[name] && !s.isDirect || isUnknown && !hasPassword {
			found = append(found, "locked from another source: "+name)
		}
	}
	return found
}
