package foreignlock

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/pep"
)

// pylock is the format of PEP 751.
type pylock struct {
	Version        string          `toml:"lock-version"`
	Environments   []string        `toml:"environments"`
	RequiresPython string          `toml:"requires-python"`
	CreatedBy      string          `toml:"created-by"`
	Extras         []string        `toml:"extras"`
	Groups         []string        `toml:"dependency-groups"`
	Packages       []pylockPackage `toml:"packages"`
}

type pylockPackage struct {
	Name           string             `toml:"name"`
	Version        string             `toml:"version"`
	Marker         string             `toml:"marker"`
	RequiresPython string             `toml:"requires-python"`
	Index          string             `toml:"index"`
	Dependencies   []pylockDependency `toml:"dependencies"`
	Wheels         []pylockFile       `toml:"wheels"`
	Sdist          *pylockFile        `toml:"sdist"`
	Archive        *pylockFile        `toml:"archive"`
	Directory      *pylockDirectory   `toml:"directory"`
	VCS            *pylockVCS         `toml:"vcs"`
}

type pylockDependency struct {
	Name string `toml:"name"`
}

type pylockFile struct {
	Name         string            `toml:"name"`
	URL          string            `toml:"url"`
	Path         string            `toml:"path"`
	Size         int64             `toml:"size"`
	Hashes       map[string]string `toml:"hashes"`
	Subdirectory string            `toml:"subdirectory"`
}

type pylockDirectory struct {
	Path         string `toml:"path"`
	Subdirectory string `toml:"subdirectory"`
}

type pylockVCS struct {
	Type         string `toml:"type"`
	URL          string `toml:"url"`
	Path         string `toml:"path"`
	Commit       string `toml:"commit-id"`
	Subdirectory string `toml:"subdirectory"`
}

func readPylock(r *reader) {
	var doc pylock
	if !r.toml(&doc) || !r.version("lock-version", doc.Version, "1.0") || !r.requires(doc.RequiresPython) {
		return
	}
	p := &pylockReader{reader: r, doc: &doc}
	r.checkNames("extra", r.Extras, nameSet(doc.Extras))
	r.checkNames("group", r.Groups, nameSet(doc.Groups))
	registries := map[string]int{}
	for i := range doc.Packages {
		q := &doc.Packages[i]
		switch {
		case q.Index != "":
			registries[q.Index]++
		case slices.ContainsFunc(q.Wheels, pylockFile.isPublic):
			registries[publicIndex]++
		}
	}
	r.setDefaults(nil, nil, registries)
	if r.problems.Len() == 0 {
		p.read()
	}
}

func nameSet(names []string) map[string]bool {
	set := map[string]bool{}
	for _, name := range names {
		set[pep.Normalize(name)] = true
	}
	return set
}

// A pylockReader selects packages of a pylock.toml.
type pylockReader struct {
	*reader
	doc *pylock
}

func (p *pylockReader) read() {
	sets := map[string]map[string]bool{"extras": nameSet(p.Extras), "dependency_groups": nameSet(p.Groups), "extra": nameSet(p.Extras)}
	all := map[int]*chosen{}
	for _, platform := range p.lock.Platforms {
		m := p.newMarkers(platform, sets)
		if !p.supported(m, platform) {
			continue
		}
		for i := range p.doc.Packages {
			q := &p.doc.Packages[i]
			if !p.holds(m, q.Marker, func() diag.Pos { return p.at(pylockKey(i)) }) || !p.allows(i) {
				continue
			}
			if all[i] == nil {
				all[i] = &chosen{dist: p.dist(i), dependencies: map[string]bool{}}
			}
			all[i].platforms = append(all[i].platforms, platform)
		}
	}
	installed := map[string]bool{}
	for _, c := range all {
		installed[c.name] = true
	}
	needed := map[string]bool{}
	list := make([]*chosen, 0, len(all))
	for _, i := range slices.Sorted(maps.Keys(all)) {
		c := all[i]
		for _, d := range p.doc.Packages[i].Dependencies {
			if name := pep.Normalize(d.Name); installed[name] && name != c.name {
				c.dependencies[name] = true
				needed[name] = true
			}
		}
		list = append(list, c)
	}
	for name := range installed { // the lock does not contain the requirements of the project
		if !needed[name] {
			p.lock.Requests = append(p.lock.Requests, lock.Requirement{Name: name}.Request())
		}
	}
	slices.Sort(p.lock.Requests)
	p.assemble(list)
}

// supported reports whether the lock is for the platform.
func (p *pylockReader) supported(m *markers, platform string) bool {
	for _, marker := range p.doc.Environments {
		if p.holds(m, marker, func() diag.Pos { return p.at("environments") }) {
			return true
		}
	}
	if len(p.doc.Environments) == 0 {
		return true
	}
	p.problem("lock.platform", p.at("environments"), strings.Join(p.doc.Environments, "\n"), p.relock()+" for the platform", "the lock is not for %s and Python %s", platform, p.Python)
	return false
}

// allows reports whether a package allows the Python release, which PEP 751 prescribes.
func (p *pylockReader) allows(i int) bool {
	q := &p.doc.Packages[i]
	clauses, ok := pep.ParseClauses(q.RequiresPython)
	if allowed, valid := pep.Allows(clauses, p.python); ok && valid && !allowed {
		p.problem("lock.python", p.at(pylockKey(i)), "requires-python "+q.RequiresPython, "set `python` of the environment to a version that the package allows", "package %s is not for Python %s", q.Name, p.Python)
		return false
	}
	return true
}

func pylockKey(i int) string { return fmt.Sprintf("packages[%d]", i) }

// dist returns a package in the common form.
func (p *pylockReader) dist(i int) *dist {
	q := &p.doc.Packages[i]
	d := &dist{name: pep.Normalize(q.Name), version: q.Version, key: pylockKey(i), registry: q.Index}
	switch {
	case q.VCS != nil:
		d.direct, d.source = true, lock.Source{Git: q.VCS.URL, Commit: q.VCS.Commit, Subdirectory: q.VCS.Subdirectory}
	case q.Directory != nil:
		d.direct, d.source.Directory = true, path.Join(p.inProject(q.Directory.Path), q.Directory.Subdirectory)
	case q.Archive != nil:
		d.direct, d.subdirectory = true, q.Archive.Subdirectory
		f := p.file(q.Archive, true)
		if strings.HasSuffix(f.name, ".whl") {
			d.wheels = []file{f}
		} else {
			d.sdist = &f
		}
	default:
		// Without an index, a file is fetched from its URL. The files of the public index are
		// fetched from the index of the machine, which may be a mirror.
		direct := q.Index == "" && !slices.ContainsFunc(q.Wheels, pylockFile.isPublic) && (q.Sdist == nil || !q.Sdist.isPublic())
		for j := range q.Wheels {
			d.wheels = append(d.wheels, p.file(&q.Wheels[j], direct || q.Wheels[j].Path != "" && q.Wheels[j].URL == ""))
		}
		if q.Sdist != nil {
			f := p.file(q.Sdist, direct)
			d.sdist = &f
		}
	}
	return d
}

// isPublic reports whether a file is one of the public index.
func (f pylockFile) isPublic() bool {
	return strings.HasPrefix(f.URL, publicFiles)
}

// file returns a file in the common form, with its location if direct.
func (p *pylockReader) file(f *pylockFile, direct bool) file {
	out := file{name: f.Name, size: f.Size, sha256: f.Hashes["sha256"]}
	location := f.URL
	if location == "" {
		location = f.Path
	}
	if out.name == "" {
		out.name = fileName(location)
	}
	if direct && location != "" {
		out.url = p.located(location)
	}
	return out
}
