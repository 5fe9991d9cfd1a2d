package foreignlock

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/pep"
	"github.com/reconcile-ml/reconcile/internal/simpleindex"
)

// A dist is a package of a foreign lock.
type dist struct {
	name, version string
	key           string // of its position, or line
	line          int
	registry      string // URL of its index, "" for the default one
	wheels        []file
	sdist         *file
	direct        bool        // from a URL, a path or a repository
	source        lock.Source // of a direct one without wheels: a repository or a directory
	subdirectory  string      // of the package in a direct sdist
}

// A file is a wheel or an archive of a dist.
type file struct {
	name   string
	size   int64
	sha256 string // hexadecimal
	url    string // of a direct one: https, or a path of the project that begins with ./
}

// A chosen is a dist that platforms install.
type chosen struct {
	*dist
	platforms    []string
	dependencies map[string]bool
}

// assemble adds the selected packages to the lock, and reports those that cannot be installed.
func (r *reader) assemble(all []*chosen) {
	slices.SortStableFunc(all, func(a, b *chosen) int {
		return cmp.Or(strings.Compare(a.name, b.name), strings.Compare(a.version, b.version))
	})
	best := lock.Chooser(pep.MajorMinor(r.Python), r.lock.Platforms, r.lock.Systems)
	var sources, newer []missing
	r.once(all)
	for _, c := range all {
		if !r.check(c.dist) {
			continue
		}
		index, ok := r.index(c.dist)
		if !ok {
			continue
		}
		p := lock.Package{Name: c.name, Version: c.version, Index: index, Dependencies: slices.Sorted(maps.Keys(c.dependencies))}
		build := r.addWheels(c, p, best(lockWheels(c.wheels)))
		if len(build) == 0 {
			continue
		}
		p.Platforms = build
		mayBuild := c.direct || r.Build != nil && r.Build(c.name)
		switch {
		case (c.sdist == nil && c.source == lock.Source{} || !mayBuild) && r.hasNewer(c.dist, build):
			newer = append(newer, missing{c.dist, build})
		case c.sdist == nil && c.source == lock.Source{}:
			r.problem("lock.wheel", r.of(c.dist), fileNames(c.wheels), "remove the platform from the environment, or change the version and "+r.relock(),
				"package %s %s has no wheel for %s and Python %s, and no source", c.name, c.version, strings.Join(build, ", "), r.Python)
		case !mayBuild:
			sources = append(sources, missing{c.dist, build})
		default:
			if p.Build = r.build(c.dist); p.Build != nil {
				r.lock.Packages = append(r.lock.Packages, r.only(p))
			}
		}
	}
	r.unknownIndexes()
	r.sources(sources)
	r.newer(newer)
}

// addWheels adds a package with its wheels to the lock, or one for each wheel with a location of its
// own. best are the wheels of the platforms of the lock. It returns the platforms without one.
func (r *reader) addWheels(c *chosen, p lock.Package, best []int) (without []string) {
	platforms := map[int][]string{} // by wheel
	for i, n := range best {
		switch platform := r.lock.Platforms[i]; {
		case !slices.Contains(c.platforms, platform):
		case n < 0:
			without = append(without, platform)
		default:
			platforms[n] = append(platforms[n], platform)
		}
	}
	for _, n := range slices.Sorted(maps.Keys(platforms)) {
		f := c.wheels[n]
		w := lock.Wheel{File: f.name, Size: f.size, Platforms: platforms[n]}
		if !r.wheel(c.dist, &w, f) {
			continue
		}
		if f.url != "" {
			one := p
			one.URL, one.Wheels, one.Platforms = f.url, []lock.Wheel{w}, slices.Clone(w.Platforms)
			r.lock.Packages = append(r.lock.Packages, r.only(one))
			continue
		}
		p.Wheels = append(p.Wheels, w)
		p.Platforms = append(p.Platforms, w.Platforms...)
	}
	if len(p.Wheels) > 0 {
		slices.SortFunc(p.Wheels, func(a, b lock.Wheel) int { return strings.Compare(a.File, b.File) })
		r.lock.Packages = append(r.lock.Packages, r.only(p))
	}
	return without
}

// newestSystems have all wheels.
var newestSystems = lock.Systems{Glibc: "2.99", MacOS: "99"}

// hasNewer reports whether a package has wheels for newer systems of all the platforms.
func (r *reader) hasNewer(d *dist, platforms []string) bool {
	return !slices.Contains(lock.Chooser(pep.MajorMinor(r.Python), platforms, newestSystems)(lockWheels(d.wheels)), -1)
}

// newer reports all packages whose wheels need newer systems, in one problem.
func (r *reader) newer(list []missing) {
	if len(list) == 0 {
		return
	}
	var found, keys []string
	glibc, macOS := 0, 0
	for _, m := range list {
		best := lock.Chooser(pep.MajorMinor(r.Python), m.platforms, newestSystems)(lockWheels(m.wheels))
		for i, platform := range m.platforms {
			file := m.wheels[best[i]].name
			if strings.HasPrefix(platform, "macos") {
				major := lock.MacOS(file)
				macOS = max(macOS, major)
				found = append(found, fmt.Sprintf("%s %s needs macOS %d", m.name, m.version, major))
				continue
			}
			minor := lock.Glibc(file)
			glibc = max(glibc, minor)
			found = append(found, fmt.Sprintf("%s %s needs glibc 2.%d", m.name, m.version, minor))
		}
	}
	values := map[string]string{}
	if glibc > 0 {
		values["glibc"] = fmt.Sprintf("2.%d", glibc)
	}
	if macOS > 0 {
		values["macos"] = strconv.Itoa(macOS)
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		keys = append(keys, fmt.Sprintf("%s: %q", key, values[key]))
	}
	r.problems.Add(&diag.Problem{
		Code: "lock.wheel", Pos: r.of(list[0].dist), Summary: "wheels of the lock need newer systems than the environment names", Found: strings.Join(slices.Compact(found), "\n"),
		Hint: "if all machines have them, add to the environment in the manifest: `" + strings.Join(keys, "`, `") + "`",
		Keys: values,
	})
}

// lockWheels returns files in the form of locks.
func lockWheels(files []file) []lock.Wheel {
	wheels := make([]lock.Wheel, len(files))
	for i, f := range files {
		wheels[i] = lock.Wheel{File: f.name, Size: f.size}
	}
	return wheels
}

// only sets the platforms to nil if all need the package.
func (r *reader) only(p lock.Package) lock.Package {
	slices.Sort(p.Platforms)
	if len(p.Platforms) == len(r.lock.Platforms) {
		p.Platforms = nil
	}
	return p
}

// once reports packages that are selected in two versions for a platform.
func (r *reader) once(all []*chosen) {
	seen := map[string]string{} // versions by name and platform
	for _, c := range all {
		for _, platform := range c.platforms {
			key := c.name + " " + platform
			if before, ok := seen[key]; ok {
				r.problem("lock.duplicate", r.of(c.dist), before+" and "+c.version, r.relock(), "package %s is locked twice for %s", c.name, platform)
			}
			seen[key] = c.version
		}
	}
}

// of returns the position of a package.
func (r *reader) of(d *dist) diag.Pos {
	if d.line > 0 {
		return diag.Pos{File: r.path, Line: d.line}
	}
	return r.at(d.key)
}

// check reports an invalid name or version.
func (r *reader) check(d *dist) bool {
	switch {
	case !pep.ValidName(d.name):
		r.problem("lock.package", r.of(d), fmt.Sprintf("%q", d.name), r.relock(), "package has an invalid name")
		return false
	case !pep.ValidVersion(d.version) && (d.version != "" || !d.direct): // a dynamic version is not locked
		r.problem("lock.package", r.of(d), fmt.Sprintf("%q", d.version), r.relock(), "package %s has an invalid version", d.name)
		return false
	}
	return true
}

// index returns the name of the index of a package in the manifest, "" for the default one; false
// if the manifest does not name it.
func (r *reader) index(d *dist) (string, bool) {
	registry := trimIndex(d.registry)
	if d.direct || registry == "" || registry == publicIndex || r.defaults[registry] {
		return "", true
	}
	if name, ok := r.Indexes[registry]; ok {
		return name, true
	}
	if !slices.ContainsFunc(r.unknown, func(x unknownIndex) bool { return x.url == registry }) {
		r.unknown = append(r.unknown, unknownIndex{registry, d})
	}
	return "", false
}

// An unknownIndex is an index that the manifest does not name, with its first package.
type unknownIndex struct {
	url   string
	first *dist
}

// unknownIndexes reports all indexes that the manifest does not name, in one problem.
func (r *reader) unknownIndexes() {
	names := map[string]bool{}
	for _, name := range r.Indexes {
		names[name] = true
	}
	var found, items []string
	for _, x := range r.unknown {
		u, err := url.Parse(x.url)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil {
			r.problem("lock.index-unknown", r.of(x.first), "", "name the index in the manifest, and its password in ~/.config/reconcile/config.yaml", "the index of package %s is not a URL without a password", x.first.name)
			continue
		}
		name := r.indexNames[x.url]
		if name == "" || names[name] {
			name = simpleindex.ProposeName(x.url, func(name string) bool { return names[name] })
		}
		names[name] = true
		found = append(found, fmt.Sprintf("%s %s comes from %s", x.first.name, x.first.version, x.url))
		items = append(items, fmt.Sprintf("{name: %s, url: %q}", name, x.url))
	}
	if len(items) == 0 {
		return
	}
	hint := "add to `indexes` in the manifest: `" + strings.Join(items, ", ") + "`"
	if len(r.Indexes) == 0 {
		hint = "add to the manifest: `indexes: [public, " + strings.Join(items, ", ") + "]`"
	}
	r.problems.Add(&diag.Problem{
		Code: "lock.index-unknown", Pos: r.of(r.unknown[0].first), Summary: "packages come from an index that the manifest does not name", Found: strings.Join(found, "\n"), Hint: hint,
	})
}

// publicIndex is the index of a machine without settings.
var publicIndex = trimIndex(simpleindex.PublicIndex)

func trimIndex(url string) string { return strings.TrimSuffix(url, "/") }

// setDefaults finds the indexes that each machine replaces by its default one: those of the
// project, or the most frequent one of a lock that was written with a mirror of the public
// index. named are the names of other indexes of the project by URL, "" for none.
func (r *reader) setDefaults(ofProject []string, named map[string]string, registries map[string]int) {
	r.defaults, r.indexNames = map[string]bool{}, map[string]string{}
	for _, u := range ofProject {
		r.defaults[trimIndex(u)] = true
	}
	counts := map[string]int{}
	for u, n := range registries {
		counts[trimIndex(u)] += n
	}
	for u, name := range named {
		delete(counts, trimIndex(u))
		if pep.ValidName(name) {
			r.indexNames[trimIndex(u)] = name
		}
	}
	if len(ofProject) > 0 || len(counts) == 0 || counts[publicIndex] > 0 {
		return
	}
	most := slices.MaxFunc(slices.Sorted(maps.Keys(counts)), func(a, b string) int { return cmp.Compare(counts[a], counts[b]) })
	if _, isNamed := r.Indexes[most]; !isNamed {
		r.defaults[most] = true
	}
}

// wheel checks a wheel, and sets its digest.
func (r *reader) wheel(d *dist, w *lock.Wheel, f file) bool {
	name, err := lock.ParseWheel(f.name)
	switch {
	case err != nil:
		r.problem("lock.wheel", r.of(d), "", r.relock(), "%v", err)
	case name.Name != d.name || !pep.SameVersion(name.Version, d.version):
		r.problem("lock.wheel", r.of(d), f.name, r.relock(), "wheel does not belong to package %s %s", d.name, d.version)
	case w.Size < 0:
		r.problem("lock.wheel", r.of(d), fmt.Sprint(w.Size), r.relock(), "size of %s is negative", f.name)
	case !r.url(d, f.url):
	default:
		var ok bool
		if w.SHA256, ok = lock.ParseDigest(f.sha256); ok {
			return true
		}
		r.noHash(d, f)
	}
	return false
}

// build returns the input of a build.
func (r *reader) build(d *dist) *lock.Build {
	if d.sdist == nil {
		if !r.validSource(d) {
			return nil
		}
		return &lock.Build{Source: d.source}
	}
	f := *d.sdist
	sum, ok := lock.ParseDigest(f.sha256)
	switch {
	case !lock.ValidArchive(f.name):
		r.problem("lock.source", r.of(d), fmt.Sprintf("%q", f.name), r.relock(), "source of package %s is not a .tar.gz or .zip archive", d.name)
	case f.size < 0:
		r.problem("lock.source", r.of(d), fmt.Sprint(f.size), r.relock(), "size of %s is negative", f.name)
	case !r.url(d, f.url) || !r.subdirectory(d, d.subdirectory):
	case !ok:
		r.noHash(d, f)
	default:
		return &lock.Build{Source: lock.Source{File: f.name, Size: f.size, SHA256: sum, URL: f.url, Subdirectory: d.subdirectory}}
	}
	return nil
}

func (r *reader) noHash(d *dist, f file) {
	r.problem("lock.hash", r.of(d), fmt.Sprintf("%q", f.sha256), "use an index that publishes digests, then "+r.relock(), "%s has no valid sha256", f.name)
}

// validSource checks a repository or a directory.
func (r *reader) validSource(d *dist) bool {
	s := d.source
	if s.Directory != "" {
		if s.Directory == "." || validPath(s.Directory) {
			return true
		}
		r.problem("lock.source", r.of(d), fmt.Sprintf("%q", s.Directory), "move it into the project", "directory of package %s is not in the project", d.name)
		return false
	}
	switch {
	case !lock.ValidGit(s.Git): // not quoted, since it may contain a password
		r.problem("lock.source", r.of(d), "", "use an https URL without credentials: git asks its credential helper", "repository of package %s is not a valid URL", d.name)
	case !lock.ValidCommit(s.Commit):
		r.problem("lock.source", r.of(d), fmt.Sprintf("%q", s.Commit), r.relock(), "package %s is not locked to a full commit", d.name)
	default:
		return r.subdirectory(d, s.Subdirectory)
	}
	return false
}

func (r *reader) subdirectory(d *dist, sub string) bool {
	if sub == "" || validPath(sub) {
		return true
	}
	r.problem("lock.source", r.of(d), fmt.Sprintf("%q", sub), r.relock(), "subdirectory of package %s is not a path in its source", d.name)
	return false
}

// url checks the location of a direct reference.
func (r *reader) url(d *dist, location string) bool {
	if location == "" {
		return true
	}
	if local, ok := strings.CutPrefix(location, "./"); ok {
		if validPath(local) {
			return true
		}
		r.problem("lock.source", r.of(d), fmt.Sprintf("%q", local), "move it into the project", "file of package %s is not in the project", d.name)
		return false
	}
	u, err := url.Parse(location)
	switch {
	case err != nil || u.Scheme != "https" || u.Host == "" || strings.ContainsAny(location, " \t\r\n\\'\""):
		r.problem("lock.source", r.of(d), "", r.relock(), "location of package %s is not an https URL", d.name)
	case u.User != nil:
		r.problem("lock.source", r.of(d), "", "remove the user and the password from the URL", "location of package %s has credentials in its URL", d.name)
	default:
		return true
	}
	return false
}

// validPath reports whether a path is below the directory that it is relative to.
func validPath(name string) bool {
	return name != "" && name == path.Clean(name) && !path.IsAbs(name) && name != "." && name != ".." && !strings.HasPrefix(name, "../") &&
		!strings.ContainsFunc(name, func(c rune) bool { return c < ' ' || c == 0x7f || c == '\\' || c == ':' })
}

// missing is a package that some platforms would have to build.
type missing struct {
	*dist
	platforms []string
}

// sources reports all packages that would have to be built without permission, in one problem.
func (r *reader) sources(list []missing) {
	if len(list) == 0 {
		return
	}
	var names, found []string
	for _, m := range list {
		names = append(names, m.name)
		line := fmt.Sprintf("%s %s, source only", m.name, m.version)
		if len(m.wheels) > 0 {
			line = fmt.Sprintf("%s %s, no wheel for %s and Python %s", m.name, m.version, strings.Join(m.platforms, ", "), r.Python)
		}
		found = append(found, line)
	}
	names = slices.Compact(names)
	r.problems.Add(&diag.Problem{
		Code: "lock.source", Pos: r.of(list[0].dist), Summary: "packages would have to be built from source", Found: strings.Join(found, "\n"),
		Hint:     fmt.Sprintf("to permit that, add this line to the environment in the manifest: `build: [%s]`", strings.Join(names, ", ")),
		Packages: names,
	})
}

func fileNames(files []file) string {
	const most = 5
	var names []string
	for i, f := range files {
		if i == most {
			names = append(names, fmt.Sprintf("and %d more", len(files)-most))
			break
		}
		names = append(names, f.name)
	}
	return strings.Join(names, "\n")
}

// fileName returns the file name at the end of a URL or path.
func fileName(location string) string {
	location, _, _ = strings.Cut(location, "#")
	location, _, _ = strings.Cut(location, "?")
	name := location[strings.LastIndexByte(location, '/')+1:]
	if strings.IndexByte(name, '%') < 0 {
		return name
	}
	plain, err := url.PathUnescape(name)
	if err != nil {
		return name
	}
	return plain
}

// inProject returns a path that is relative to the directory of the lock as one that is relative
// to the root of the checkout.
func (r *reader) inProject(name string) string {
	if path.IsAbs(name) {
		return name
	}
	return path.Join(path.Dir(r.path), name)
}

// publicFiles is the location of the files of the public index.
const publicFiles = "https://files.pythonhosted.org/"
