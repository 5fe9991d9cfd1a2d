package foreignlock

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/lock"
)

// uvLock is version 1 of the format of uv; its revisions only add keys.
type uvLock struct {
	Version        int              `toml:"version"`
	RequiresPython string           `toml:"requires-python"`
	Supported      []string         `toml:"supported-markers"`
	Conflicts      [][]uvConflict   `toml:"conflicts"`
	Manifest       uvManifest       `toml:"manifest"`
	Packages       []uvPackage      `toml:"package"`
	byName         map[string][]int // of Packages
}

// A uvConflict is a project, an extra or a group that excludes others.
type uvConflict struct {
	Package string `toml:"package"`
	Extra   string `toml:"extra"`
	Group   string `toml:"group"`
}

// active returns the name that stands for the item in markers.
func (c uvConflict) active() string {
	switch {
	case c.Extra != "":
		return uvName("extra", c.Package, c.Extra)
	case c.Group != "":
		return uvName("group", c.Package, c.Group)
	}
	return fmt.Sprintf("project-%d-%s", len(c.Package), c.Package)
}

// uvName returns the name of an extra or group of a package in markers:
// "extra-8-nanochat-gpu".
func uvName(kind, pkg, name string) string {
	return fmt.Sprintf("%s-%d-%s-%s", kind, len(pkg), pkg, name)
}

type uvManifest struct {
	Members      []string                   `toml:"members"`
	Requirements []uvRequirement            `toml:"requirements"`
	Groups       map[string][]uvRequirement `toml:"dependency-groups"`
}

type uvPackage struct {
	Name         string                    `toml:"name"`
	Version      string                    `toml:"version"`
	Source       uvSource                  `toml:"source"`
	Markers      []string                  `toml:"resolution-markers"`
	Dependencies []uvDependency            `toml:"dependencies"`
	Optional     map[string][]uvDependency `toml:"optional-dependencies"`
	Dev          map[string][]uvDependency `toml:"dev-dependencies"`
	Sdist        *uvFile                   `toml:"sdist"`
	Wheels       []uvFile                  `toml:"wheels"`
	Metadata     *uvMetadata               `toml:"metadata"`
}

type uvSource struct {
	Registry     string `toml:"registry"`
	Git          string `toml:"git"`
	URL          string `toml:"url"`
	Path         string `toml:"path"`
	Directory    string `toml:"directory"`
	Editable     string `toml:"editable"`
	Virtual      string `toml:"virtual"`
	Subdirectory string `toml:"subdirectory"`
}

// local returns the directory of a project, "" for other sources.
func (s uvSource) local() string { return s.Directory + s.Editable + s.Virtual }

type uvDependency struct {
	Name    string    `toml:"name"`
	Version string    `toml:"version"`
	Source  *uvSource `toml:"source"`
	Extras  []string  `toml:"extra"`
	Marker  string    `toml:"marker"`
}

type uvFile struct {
	URL      string `toml:"url"`
	Path     string `toml:"path"`
	Filename string `toml:"filename"`
	Hash     string `toml:"hash"`
	Size     int64  `toml:"size"`
}

type uvMetadata struct {
	Requires []uvRequirement            `toml:"requires-dist"`
	Extras   []string                   `toml:"provides-extras"`
	Dev      map[string][]uvRequirement `toml:"requires-dev"`
}

type uvRequirement struct {
	Name      string   `toml:"name"`
	Extras    []string `toml:"extras"`
	Specifier string   `toml:"specifier"`
	Marker    string   `toml:"marker"`
	Index     string   `toml:"index"`
	URL       string   `toml:"url"`
	Git       string   `toml:"git"`
	Path      string   `toml:"path"`
	Directory string   `toml:"directory"`
	Editable  string   `toml:"editable"`
	Virtual   string   `toml:"virtual"`
}

func readUV(r *reader) {
	var doc uvLock
	if !r.toml(&doc) || !r.version("version", uvVersion(doc.Version), "1") || !r.requires(doc.RequiresPython) {
		return
	}
	doc.byName = map[string][]int{}
	for i, p := range doc.Packages {
		doc.byName[p.Name] = append(doc.byName[p.Name], i)
	}
	u := &uvReader{reader: r, doc: &doc}
	if u.roots() && u.selection() {
		u.stale()
		u.indexes()
		u.read()
	}
}

func uvVersion(v int) string {
	if v == 0 {
		return ""
	}
	return strconv.Itoa(v)
}

// A uvReader selects packages of a uv.lock.
type uvReader struct {
	*reader
	doc     *uvLock
	project pyproject
	root    []int // of doc.Packages: the project, or all members of a workspace without one
}

// isMember reports whether a package is a project of the workspace.
func (u *uvReader) isMember(p *uvPackage) bool {
	if members := u.doc.Manifest.Members; len(members) > 0 {
		return slices.Contains(members, p.Name)
	}
	return p.Source.local() == "."
}

// roots finds the packages whose dependencies are installed.
func (u *uvReader) roots() bool {
	var ok bool
	if u.project, ok = u.reader.pyproject(); !ok {
		return false
	}
	name := u.project.name()
	for i := range u.doc.Packages {
		p := &u.doc.Packages[i]
		if p.Source.local() != "" && (p.Name == name || name == "" && u.isMember(p)) {
			u.root = append(u.root, i)
		}
	}
	if name != "" && len(u.root) != 1 {
		u.foreignStale("the lock has no project " + name)
		return false
	}
	return true
}

// selection checks that the extras and groups exist, and do not exclude each other.
func (u *uvReader) selection() bool {
	before := u.problems.Len()
	extras, groups := map[string]bool{}, map[string]bool{}
	for name := range u.doc.Manifest.Groups {
		groups[name] = true
	}
	for _, i := range u.root {
		p := &u.doc.Packages[i]
		for name := range p.Optional {
			extras[name] = true
		}
		for name := range p.Dev {
			groups[name] = true
		}
		if p.Metadata != nil {
			for _, name := range p.Metadata.Extras {
				extras[name] = true
			}
			for name := range p.Metadata.Dev {
				groups[name] = true
			}
		}
	}
	u.checkNames("extra", u.Extras, extras)
	u.checkNames("group", u.Groups, groups)
	active := u.active()
	for _, set := range u.doc.Conflicts {
		var both []string
		for _, c := range set {
			if active[c.active()] && (c.Extra != "" || c.Group != "") {
				kind := "extra "
				if c.Group != "" {
					kind = "group "
				}
				both = append(both, kind+c.Extra+c.Group)
			}
		}
		if len(both) > 1 {
			u.problem("lock.conflict", u.at("conflicts"), strings.Join(both, "\n"), "select one of them for an environment", "the lock does not install these extras and groups together")
		}
	}
	return u.problems.Len() == before
}

// active returns the names of the selected extras and groups in markers.
func (u *uvReader) active() map[string]bool {
	active := map[string]bool{}
	for _, i := range u.root {
		p := &u.doc.Packages[i]
		active[uvConflict{Package: p.Name}.active()] = true
		for _, name := range u.Extras {
			if p.Optional[name] != nil {
				active[uvName("extra", p.Name, name)] = true
			}
		}
		for _, name := range u.Groups {
			if p.Dev[name] != nil {
				active[uvName("group", p.Name, name)] = true
			}
		}
	}
	return active
}

// indexes sets the default indexes.
func (u *uvReader) indexes() {
	var ofProject []string
	named := map[string]string{}
	if x := u.project.Tool.UV.IndexURL; x != "" {
		ofProject = append(ofProject, x)
	}
	for _, x := range u.project.Tool.UV.Indexes {
		if x.Default {
			ofProject = append(ofProject, x.URL)
		} else {
			named[x.URL] = x.Name
		}
	}
	registries := map[string]int{}
	for i := range u.doc.Packages {
		if x := u.doc.Packages[i].Source.Registry; strings.Contains(x, "://") {
			registries[x]++
		}
	}
	for _, x := range u.project.Tool.UV.ExtraIndexURL {
		named[x] = ""
	}
	u.setDefaults(ofProject, named, registries)
}

// read selects the packages of all platforms.
func (u *uvReader) read() {
	all := map[int]*chosen{}
	for _, platform := range u.lock.Platforms {
		w := &uvWalk{uvReader: u, platform: platform, all: all}
		w.walk()
	}
	u.lock.Requests = u.direct()
	list := make([]*chosen, 0, len(all))
	for _, i := range slices.Sorted(maps.Keys(all)) {
		c := all[i]
		if u.isInstalled(i) {
			c.dist = u.dist(i)
			list = append(list, c)
		}
	}
	u.assemble(list)
}

// isInstalled reports whether a package is more than the list of its dependencies.
func (u *uvReader) isInstalled(i int) bool {
	if slices.Contains(u.root, i) {
		return u.Editable
	}
	return u.doc.Packages[i].Source.Virtual == ""
}

// direct returns the requests of the project in the form of locks, sorted.
func (u *uvReader) direct() []string {
	requests := map[string]bool{}
	add := func(deps []uvDependency) {
		for _, d := range deps {
			requests[lock.Requirement{Name: d.Name, Extras: d.Extras}.Request()] = true
		}
	}
	for _, i := range u.root {
		p := &u.doc.Packages[i]
		add(p.Dependencies)
		for _, name := range u.Extras {
			add(p.Optional[name])
		}
		for _, name := range u.Groups {
			add(p.Dev[name])
		}
	}
	return slices.Sorted(maps.Keys(requests))
}

// A uvItem is a package, or one of its extras.
type uvItem struct {
	pkg   int
	extra string
}

// A uvWalk selects the packages of one platform, as `uv sync` does.
type uvWalk struct {
	*uvReader
	platform string
	all      map[int]*chosen
	markers  *markers
	seen     map[uvItem]bool
	queue    []uvItem
}

func (w *uvWalk) walk() {
	active := w.active()
	sets := map[string]map[string]bool{"extra": active}
	if len(w.doc.Conflicts) > 0 {
		// Markers depend on all active extras, so these are collected first: an extra that a
		// dependency requests is active while the marker of that dependency is evaluated.
		w.start(sets, func(int, uvDependency) {})
		for len(w.queue) > 0 {
			item := w.next()
			for _, d := range w.dependencies(item) {
				var added []string
				for _, extra := range d.Extras {
					if name := uvName("extra", d.Name, extra); !active[name] {
						active[name] = true
						added = append(added, name)
					}
				}
				if len(added) > 0 {
					clear(w.markers.cache)
				}
				if w.follow(item.pkg, d, func(int, uvDependency) {}) || len(added) == 0 {
					continue
				}
				for _, name := range added {
					delete(active, name)
				}
				clear(w.markers.cache)
			}
		}
	}
	w.start(sets, w.add)
	if !w.supported() {
		return
	}
	for len(w.queue) > 0 {
		item := w.next()
		for _, d := range w.dependencies(item) {
			w.follow(item.pkg, d, w.add)
		}
	}
}

// supported reports whether the lock is for the platform.
func (w *uvWalk) supported() bool {
	if len(w.doc.Supported) == 0 {
		return true
	}
	for _, marker := range w.doc.Supported {
		if w.holds(w.markers, marker, func() diag.Pos { return w.at("supported-markers") }) {
			return true
		}
	}
	w.problem("lock.platform", w.at("supported-markers"), strings.Join(w.doc.Supported, "\n"), "change tool.uv.environments in pyproject.toml, then "+w.relock(),
		"the lock is not for %s", w.platform)
	return false
}

// start fills the queue with the projects and their groups.
func (w *uvWalk) start(sets map[string]map[string]bool, add func(from int, d uvDependency)) {
	w.markers, w.seen, w.queue = w.newMarkers(w.platform, sets), map[uvItem]bool{}, nil
	for _, i := range w.root {
		p := &w.doc.Packages[i]
		w.push(uvItem{i, ""})
		for _, extra := range w.Extras {
			if p.Optional[extra] != nil {
				w.push(uvItem{i, extra})
			}
		}
		if w.Editable {
			w.choose(i)
		}
		for _, group := range w.Groups {
			for _, d := range p.Dev[group] {
				w.follow(i, d, add)
			}
		}
	}
	requirements := slices.Clone(w.doc.Manifest.Requirements)
	for _, group := range w.Groups {
		requirements = append(requirements, w.doc.Manifest.Groups[group]...)
	}
	for _, q := range requirements {
		if i, ok := w.byMarkers(q); ok {
			w.follow(-1, uvDependency{Name: q.Name, Version: w.doc.Packages[i].Version, Source: &w.doc.Packages[i].Source, Extras: q.Extras, Marker: q.Marker}, add)
		}
	}
}

// byMarkers returns the package for a requirement of the workspace, which has no version.
func (w *uvWalk) byMarkers(q uvRequirement) (int, bool) {
	list := w.doc.byName[q.Name]
	for _, i := range list {
		p := &w.doc.Packages[i]
		if len(list) == 1 || slices.ContainsFunc(p.Markers, func(m string) bool {
			return w.holds(w.markers, m, func() diag.Pos { return w.at(uvKey(i)) })
		}) {
			return i, true
		}
	}
	if len(list) == 0 {
		w.problem("lock.package", diag.Pos{}, "", w.relock(), "the lock has no package %s", q.Name)
	}
	return 0, false
}

func (w *uvWalk) next() uvItem {
	item := w.queue[0]
	w.queue = w.queue[1:]
	return item
}

func (w *uvWalk) push(item uvItem) {
	if !w.seen[item] {
		w.seen[item] = true
		w.queue = append(w.queue, item)
	}
}

func (w *uvWalk) dependencies(item uvItem) []uvDependency {
	if item.extra != "" {
		return w.doc.Packages[item.pkg].Optional[item.extra]
	}
	return w.doc.Packages[item.pkg].Dependencies
}

// follow adds a dependency if its marker holds.
func (w *uvWalk) follow(from int, d uvDependency, add func(from int, d uvDependency)) bool {
	if !w.holds(w.markers, d.Marker, func() diag.Pos { return w.at(uvKey(from)) }) {
		return false
	}
	i, ok := w.find(from, d)
	if !ok {
		return false
	}
	add(from, d)
	w.push(uvItem{i, ""})
	for _, extra := range d.Extras {
		w.push(uvItem{i, extra})
	}
	return true
}

// add selects a dependency for the platform.
func (w *uvWalk) add(from int, d uvDependency) {
	i, _ := w.find(from, d)
	w.choose(i)
	if from >= 0 && from != i && w.isInstalled(i) {
		w.chosen(from).dependencies[w.doc.Packages[i].Name] = true
	}
}

func (w *uvWalk) chosen(i int) *chosen {
	if w.all[i] == nil {
		w.all[i] = &chosen{dependencies: map[string]bool{}}
	}
	return w.all[i]
}

func (w *uvWalk) choose(i int) {
	if c := w.chosen(i); !slices.Contains(c.platforms, w.platform) {
		c.platforms = append(c.platforms, w.platform)
	}
}

// find returns the package of a dependency, whose version and source are only given if several
// packages have its name.
func (w *uvWalk) find(from int, d uvDependency) (int, bool) {
	found := -1
	for _, i := range w.doc.byName[d.Name] {
		p := &w.doc.Packages[i]
		if d.Version != "" && d.Version != p.Version || d.Source != nil && *d.Source != p.Source {
			continue
		}
		if found >= 0 {
			w.problem("lock.package", w.at(uvKey(from)), d.Name, w.relock(), "dependency %s is ambiguous", d.Name)
			return 0, false
		}
		found = i
	}
	if found < 0 {
		w.problem("lock.package", w.at(uvKey(from)), strings.TrimSpace(d.Name+" "+d.Version), w.relock(), "the lock has no package for a dependency")
	}
	return found, found >= 0
}

func uvKey(i int) string { return fmt.Sprintf("package[%d]", i) }

// dist returns a package in the common form.
func (u *uvReader) dist(i int) *dist {
	p := &u.doc.Packages[i]
	d := &dist{name: p.Name, version: p.Version, key: uvKey(i), subdirectory: p.Source.Subdirectory}
	switch s := p.Source; {
	case s.Registry != "":
		d.registry = s.Registry
		u.files(d, p, "")
	case s.Git != "":
		d.direct, d.source = true, gitSource(s.Git)
	case s.local() != "":
		d.direct, d.source.Directory = true, u.inProject(s.local())
	default: // a file
		d.direct = true
		u.files(d, p, s.URL+s.Path)
	}
	return d
}

// files sets the wheels and the source archive of a package: those of an index, of a folder of
// wheels, or one file at a location.
func (u *uvReader) files(d *dist, p *uvPackage, location string) {
	folder := ""
	if r := p.Source.Registry; r != "" && !strings.Contains(r, "://") {
		folder, d.direct = r, true
	}
	one := func(f *uvFile) file {
		out := file{name: f.Filename, size: f.Size}
		out.sha256, _ = strings.CutPrefix(f.Hash, "sha256:")
		switch {
		case location != "":
			out.url = u.located(location)
		case folder != "":
			out.url = u.located(folder + "/" + strings.TrimPrefix(f.Path, folder+"/"))
		default:
			out.name = fileName(f.URL)
		}
		if out.name == "" {
			out.name = fileName(out.url)
		}
		return out
	}
	for j := range p.Wheels {
		d.wheels = append(d.wheels, one(&p.Wheels[j]))
	}
	if p.Sdist != nil {
		f := one(p.Sdist)
		d.sdist = &f
	}
}

// located returns the location of a file in the form of lock.Package.URL.
func (r *reader) located(location string) string {
	if strings.Contains(location, "://") {
		return location
	}
	return "./" + r.inProject(location)
}

// gitSource returns the source of a URL such as
// "https://HOST/x.git?subdirectory=y&rev=main#COMMIT".
func gitSource(text string) lock.Source {
	repository, commit, _ := strings.Cut(text, "#")
	repository, query, _ := strings.Cut(repository, "?")
	values, _ := url.ParseQuery(query) // an invalid query has no subdirectory
	return lock.Source{Git: repository, Commit: commit, Subdirectory: values.Get("subdirectory")}
}

// checkNames reports selected extras or groups that the lock does not have.
func (r *reader) checkNames(kind string, selected []string, known map[string]bool) {
	for _, name := range selected {
		if known[name] {
			continue
		}
		found := "none"
		if len(known) > 0 {
			found = strings.Join(slices.Sorted(maps.Keys(known)), ", ")
		}
		r.problem("lock.selection", diag.Pos{File: r.path}, fmt.Sprintf("%ss: %s", kind, found), fmt.Sprintf("correct its name in `requirements`, or add it to pyproject.toml and %s", r.relock()),
			"the lock has no %s %q", kind, name)
	}
}
