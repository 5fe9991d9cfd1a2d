package manifest

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/declared"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/foreignlock"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/pep"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
	"github.com/reconcile-ml/reconcile/internal/simpleindex"
)

// Sources are the requests of an environment from all its sources: the manifest and the files
// that it names.
type Sources struct {
	Packages    []lock.Requirement
	Constraints []lock.Requirement
	Overrides   []lock.Requirement // replace all other requirements of their packages
	Hashes      map[string][]facts.SHA256
	Indexes     []Index  // named ones that packages may come from
	FindLinks   []string // pages, and folders of the project that begin with "./"
	Conda       []declared.CondaSpec
	NotRead     []declared.NotRead

	conflicts []*diag.Problem // of names of indexes
}

// addSources reads the files that the environments name.
func (l *loader) addSources() {
	read := map[string]*declared.Set{}
	for _, e := range l.m.Environments {
		e.sources = Sources{Packages: slices.Clone(e.Packages), Hashes: map[string][]facts.SHA256{}, Indexes: slices.Clone(l.m.Indexes)}
		if _, none := l.fsys.(emptyFS); none {
			continue
		}
		if e.IsForeign() { // its lock has the requests
			for _, r := range e.Files {
				if _, err := fs.Stat(l.fsys, r.File); errors.Is(err, fs.ErrNotExist) {
					l.list.Add(&diag.Problem{
						Code: "requirements.absent", Pos: r.Pos, Summary: r.File + " does not exist",
						Hint: "restore it, since its extras and groups are selected from " + e.Lock + ", or correct `requirements`",
					})
				}
			}
			continue
		}
		for _, r := range e.Files {
			set, ok := read[r.String()]
			if !ok {
				var err error
				set, err = declared.Read(l.fsys, r.String())
				l.addProblems(err, r.Pos)
				read[r.String()] = set
			}
			e.sources.add(set)
		}
		l.addProject(e)
		l.addDirectories(e)
		l.checkURLs(e)
		l.checkBindings(e)
	}
}

// addProblems reports the problems of a file that the manifest names at pos.
func (l *loader) addProblems(err error, pos diag.Pos) {
	for _, p := range diag.Problems(err) {
		if !p.Pos.IsValid() {
			p.Pos = pos
		}
		l.list.Add(p)
	}
}

// addProject adds the project itself.
func (l *loader) addProject(e *Environment) {
	if !e.Editable {
		return
	}
	p := declared.ProjectOf(l.fsys, ".")
	if p == nil {
		if _, err := declared.Offered(l.fsys, "pyproject.toml"); isSyntax(err) {
			l.addProblems(err, e.projectPos)
			return
		}
	}
	switch {
	case p == nil || p.Name == "":
		l.problemAt(e.projectPos, "project", "the project has no name, so it cannot be installed", "", "name it in pyproject.toml: [project] name = \"NAME\", or remove `project`")
	case !p.Installable:
		l.problemAt(e.projectPos, "project", "the project cannot be installed", p.Pos.File+" has no build backend", "add one, such as [build-system] requires = [\"hatchling\"], build-backend = \"hatchling.build\", or remove `project`")
	default:
		e.sources.Packages = append(e.sources.Packages, lock.Requirement{Name: p.Name, URL: declared.RootURL, Pos: e.projectPos})
	}
}

// addDirectories adds what the editable packages request in their own files, so that a lock made
// before these files changed is stale, and so that their indexes and paths hold. What only a build
// backend has is in none.
func (l *loader) addDirectories(e *Environment) {
	seen := map[string]bool{}
	for i := 0; i < len(e.sources.Packages); i++ { // it grows
		p := e.sources.Packages[i]
		dir, ok := directoryOf(p.URL)
		key := fmt.Sprint(dir, p.Extras, p.Marker)
		if !ok || seen[key] {
			continue
		}
		seen[key] = true
		project := declared.ProjectOf(l.fsys, dir)
		if project == nil {
			continue
		}
		set, err := declared.Read(l.fsys, project.Pos.File+"#"+strings.Join(p.Extras, ","))
		l.addProblems(err, p.Pos)
		e.sources.addDependencies(set, p.Marker)
	}
}

// addDependencies adds the requirements of an editable package, under its marker.
func (s *Sources) addDependencies(set *declared.Set, marker string) {
	from := len(s.Packages)
	s.add(set)
	known := map[string]bool{}
	for _, p := range s.Packages[:from] {
		known[p.Request()+" "+p.Index] = true
	}
	added := s.Packages[from:]
	for i := range added {
		if m := added[i].Marker; m != "" && marker != "" {
			added[i].Marker = "(" + m + ") and (" + marker + ")"
		} else {
			added[i].Marker = m + marker
		}
	}
	s.Packages = append(s.Packages[:from], slices.DeleteFunc(added, func(p lock.Requirement) bool { return known[p.Request()+" "+p.Index] })...)
}

// directoryOf returns the directory of the project that a direct reference names.
func directoryOf(url string) (string, bool) {
	if !strings.HasPrefix(url, "./") || strings.HasSuffix(url, ".whl") || lock.ValidArchive(path.Base(url)) {
		return "", false
	}
	dir := path.Clean(url)
	return dir, fs.ValidPath(dir)
}

// isSyntax reports whether a file exists and is malformed.
func isSyntax(err error) bool {
	return slices.ContainsFunc(diag.Problems(err), func(p *diag.Problem) bool { return p.Code == "requirements.syntax" })
}

// checkBindings reports indexes whose names have two URLs, and packages that must come from two
// indexes on the same machines.
func (l *loader) checkBindings(e *Environment) {
	for _, p := range e.sources.conflicts {
		l.list.Add(p)
	}
	bound := map[string]lock.Requirement{}
	for _, p := range e.sources.Packages {
		name := pep.Normalize(p.Name)
		first, again := bound[name]
		if p.Index == "" || again && (first.Index == p.Index || first.Marker != "" && p.Marker != "") {
			continue
		}
		if bound[name] = p; again {
			l.list.Add(&diag.Problem{
				Code: "requirements.index", Pos: p.Pos, Summary: fmt.Sprintf("%s must come from index %s here, and from index %s at %s", p.Name, p.Index, first.Index, first.Pos),
				Hint: "bind it to one index",
			})
		}
	}
}

// checkURLs reports references of files that cannot be locked.
func (l *loader) checkURLs(e *Environment) {
	for _, p := range e.sources.Packages[len(e.Packages):] {
		if strings.HasPrefix(p.URL, "git+") || p.URL == "" {
			continue // reconcile lock finds the commit of a branch or a tag
		}
		if p.URL == declared.RootURL && !pep.ValidName(p.Name) {
			l.list.Add(&diag.Problem{
				Code: "manifest.project", Pos: p.Pos, Summary: "the project has no name, so it cannot be installed",
				Hint: "name it in pyproject.toml: [project] name = \"NAME\", or remove this line",
			})
			continue
		}
		if problem, hint := lock.CheckURL(p.URL); problem != "" {
			l.list.Add(&diag.Problem{Code: "manifest.url", Pos: p.Pos, Summary: fmt.Sprintf("%s: %s", p.Name, problem), Found: declared.Shown(p.URL), Hint: hint})
		}
	}
}

// add adds the requirements of a file.
func (s *Sources) add(set *declared.Set) {
	if set == nil {
		return
	}
	names := map[string]string{} // of indexes, by those of the file
	for _, x := range set.Indexes {
		name := s.addIndex(x)
		if x.Name != "" {
			names[x.Name] = name
		}
	}
	requirement := func(r declared.Requirement) lock.Requirement {
		q := requirementOf(r)
		if name, ok := names[q.Index]; ok {
			q.Index = name
		}
		return q
	}
	for _, r := range set.Requirements {
		q := requirement(r)
		s.Packages = append(s.Packages, q)
		for _, h := range r.Hashes {
			var sum facts.SHA256
			if digest, ok := strings.CutPrefix(h, "sha256:"); ok && sum.UnmarshalText([]byte(digest)) == nil {
				name := pep.Normalize(q.Name)
				s.Hashes[name] = append(s.Hashes[name], sum)
			}
		}
	}
	for _, r := range set.Constraints {
		s.Constraints = append(s.Constraints, requirement(r))
	}
	for _, r := range set.Overrides {
		s.Overrides = append(s.Overrides, requirement(r))
	}
	s.Conda = append(s.Conda, set.Conda...)
	s.NotRead = append(s.NotRead, set.NotRead...)
}

// addIndex adds an index of a file, unless there is one with its URL. It returns its name, "" for a
// page or folder of links. One with the name of another index is a conflict.
func (s *Sources) addIndex(x declared.Index) string {
	if x.Kind == declared.FindLinks {
		if !slices.Contains(s.FindLinks, x.URL) {
			s.FindLinks = append(s.FindLinks, x.URL)
		}
		return ""
	}
	for _, o := range s.Indexes {
		if strings.TrimSuffix(o.URL, "/") == strings.TrimSuffix(x.URL, "/") {
			return o.Name
		}
		if x.Name != "" && o.Name == x.Name {
			s.conflicts = append(s.conflicts, &diag.Problem{
				Code: "requirements.index", Pos: x.Pos, Summary: fmt.Sprintf("index %s has another URL than at %s", x.Name, o.Pos),
				Found: x.URL + "\n" + o.URL, Hint: "use one URL, or two names",
			})
			return o.Name
		}
	}
	name := x.Name
	if !isSlug(name) {
		name = simpleindex.ProposeName(x.URL, func(name string) bool {
			return slices.ContainsFunc(s.Indexes, func(o Index) bool { return o.Name == name })
		})
	}
	s.Indexes = append(s.Indexes, Index{Name: name, URL: x.URL, Searched: x.Kind != declared.ExplicitIndex, Pos: x.Pos})
	return name
}

// requirementOf turns a requirement of a file into one for locks. A direct reference without a
// name gets that of its file or directory.
func requirementOf(r declared.Requirement) lock.Requirement {
	q := lock.Requirement{
		Name: r.Name, Extras: r.Extras, Specifier: pep.Specifier(r.Clauses), Marker: r.Marker, Index: r.Index, URL: r.URL, Pos: r.Pos,
	}
	if q.Name == "" {
		q.Name = nameOf(r.URL)
	}
	return q
}

// nameOf returns the probable name of the package at a direct reference; "" if there is none.
// Locking compares it with the metadata.
func nameOf(text string) string {
	text, _, _ = strings.Cut(text, "#")
	text = strings.TrimSuffix(text, "/")
	base := text[strings.LastIndexByte(text, '/')+1:]
	base, _, _ = strings.Cut(base, "@")
	for _, suffix := range []string{".git", ".tar.gz", ".zip"} {
		base = strings.TrimSuffix(base, suffix)
	}
	return base
}

// String returns the reference as the manifest writes it.
func (r Reference) String() string {
	if len(r.Names) == 0 {
		return r.File
	}
	return r.File + "#" + strings.Join(r.Names, ",")
}

// Sources returns what an environment requests. It must not be modified.
func (e *Environment) Sources() *Sources { return &e.sources }

// WithPackages returns a copy of an environment with other packages in the manifest's list.
func (e *Environment) WithPackages(list []lock.Requirement) *Environment {
	other := *e
	other.Packages = list
	other.sources.Packages = slices.Concat(list, e.sources.Packages[len(e.Packages):])
	return &other
}

// Requests returns the requests of an environment in the form of locks, sorted.
func (e *Environment) Requests() []string {
	return lock.Requests(e.sources.Packages, e.sources.Constraints, e.sources.Overrides)
}

// ranges returns the requests that limit the version without pinning it, by normalised name.
func (e *Environment) ranges() map[string]string {
	ranges := map[string]string{}
	for _, p := range e.sources.Packages {
		if p.Pin() == "" && p.URL == "" && (p.Specifier != "" || len(p.Extras) > 0) {
			p.Marker = ""
			ranges[pep.Normalize(p.Name)] = p.String()
		}
	}
	return ranges
}

// NotRead returns a warning for each line of the files that has no meaning for the locks of some
// environments, or of all for no names, so that no request is lost silently.
func (m *Manifest) NotRead(environments ...string) []*diag.Problem {
	var list []*diag.Problem
	seen := map[declared.NotRead]bool{}
	for _, e := range m.Environments {
		if len(environments) > 0 && !slices.Contains(environments, e.Name) {
			continue
		}
		for _, n := range e.sources.NotRead {
			if seen[n] || n.Reason == declared.ComputedReason && e.installsProject() { // its build backend has the requirements
				continue
			}
			seen[n] = true
			list = append(list, &diag.Problem{
				Code: "requirements.not-read", Severity: diag.Warn, Pos: n.Pos, Summary: fmt.Sprintf("%q is not locked as it is written", n.Text), Found: n.Reason,
			})
		}
	}
	return list
}

// installsProject reports whether the project itself is installed.
func (e *Environment) installsProject() bool {
	return slices.ContainsFunc(e.sources.Packages, func(p lock.Requirement) bool { return p.URL == declared.RootURL })
}

// staleDirectory returns the problem that an editable package is absent, or has another version
// than the lock.
func (m *Manifest) staleDirectory(e *Environment, l *lock.Lock) *diag.Problem {
	for _, p := range l.Packages {
		if p.Build == nil || p.Build.Directory == "" {
			continue
		}
		dir := p.Build.Directory
		if info, err := fs.Stat(m.fsys, dir); err != nil || !info.IsDir() {
			i := slices.IndexFunc(e.sources.Packages, func(q lock.Requirement) bool {
				named, ok := directoryOf(q.URL)
				return ok && named == dir
			})
			problem := &diag.Problem{Code: "manifest.url", Pos: diag.Pos{File: l.Path}, Summary: fmt.Sprintf("%s: %s is not a directory of the project", p.Name, dir), Hint: "restore the directory, or remove the package, then run `reconcile lock`"}
			if i >= 0 {
				problem.Pos = e.sources.Packages[i].Pos
			}
			return problem
		}
		project := declared.ProjectOf(m.fsys, dir)
		if project == nil || project.Version == "" || pep.CompareVersions(project.Version, p.Version) == 0 {
			continue
		}
		return &diag.Problem{
			Code: "lock.stale", Pos: diag.Pos{File: l.Path}, Summary: "the lock does not match " + project.Pos.File,
			Found: fmt.Sprintf("%s is locked at %s, and its version is %s", p.Name, p.Version, project.Version),
			Hint:  "run `reconcile lock`, and commit the result",
		}
	}
	return nil
}

// IsForeign reports whether the lock is one of another tool, which stays its own.
func (e *Environment) IsForeign() bool { return e.foreign }

// Own returns the normalised name of the project that the files declare, "" for none.
func (m *Manifest) Own() string {
	if p := declared.ProjectOf(m.fsys, "."); p != nil {
		return pep.Normalize(p.Name)
	}
	return ""
}

// Systems returns the oldest systems of the machines.
func (e *Environment) Systems() lock.Systems { return lock.Systems{Glibc: e.Glibc, MacOS: e.MacOS} }

// MayBuild reports whether a package may be built from source, by its normalised name.
func (e *Environment) MayBuild(name string) bool {
	return slices.ContainsFunc(e.Build, func(b Build) bool { return b.Name == name })
}

// BuildRules returns the packages that may be built from source, by normalised name.
func (e *Environment) BuildRules() map[string]lock.BuildRule {
	rules := map[string]lock.BuildRule{}
	for _, b := range e.Build {
		rules[b.Name] = lock.BuildRule{With: b.With}
	}
	return rules
}

// readForeign reads the lock of another tool.
func (m *Manifest) readForeign(e *Environment) (*lock.Lock, error) {
	s := foreignlock.Selection{
		Python: e.Python, Platforms: e.Platforms, Systems: e.Systems(), Conda: e.Conda != nil, Editable: e.Editable,
		Build: e.MayBuild, Indexes: map[string]string{},
	}
	for _, x := range m.Indexes {
		s.Indexes[strings.TrimSuffix(x.URL, "/")] = x.Name
	}
	s.ProjectPath = "pyproject.toml"
	var names []string
	for _, r := range e.Files {
		if path.Base(r.File) == "pyproject.toml" {
			s.ProjectPath = r.File
		}
		names = append(names, r.Names...)
	}
	project, err := rawfile.ReadFS(m.fsys, s.ProjectPath, MaxSize)
	if err == nil {
		s.Project = project
		offer, err := declared.Offered(m.fsys, s.ProjectPath)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if slices.Contains(offer.Extras, name) {
				s.Extras = append(s.Extras, name)
			} else {
				s.Groups = append(s.Groups, name) // an unknown one is a problem of the lock
			}
		}
	} else if !rawfile.IsAbsent(err) {
		return nil, fmt.Errorf("read %s: %w", s.ProjectPath, err)
	} else {
		s.Groups = names
	}
	l, err := foreignlock.Read(m.fsys, e.Lock, s)
	if err != nil || !slices.ContainsFunc(l.Packages, func(p lock.Package) bool { return p.Build != nil }) {
		return l, err
	}
	builds, err := lock.Read(m.fsys, e.BuildsLock())
	if err != nil && diag.Problems(err)[0].Code != "lock.missing" {
		return nil, err
	}
	if builds != nil {
		if p := builds.Stale(lock.Inputs{Platforms: e.Platforms, Systems: e.Systems(), Builds: e.BuildRules(), Python: e.Python}); p != nil {
			builds = nil
		}
	}
	if missing := l.CompleteBuilds(builds); len(missing) > 0 {
		e.unlockedBuilds = l
		return nil, &diag.Problem{
			Code: "lock.builds", Pos: diag.Pos{File: e.BuildsLock()}, Summary: "the requirements of builds are not locked",
			Found: strings.Join(missing, ", ") + " of " + e.Lock + " must be built, and that lock does not have what their builds need",
			Hint:  "run `reconcile lock`, and commit the file that it writes",
		}
	}
	return l, nil
}

// BuildsLock returns the file with the requirements of the builds of an environment whose lock is
// one of another tool.
func (e *Environment) BuildsLock() string { return "locks/builds." + e.Name + ".toml" }

// Builds returns the packages of the lock of another tool, of which some must be built.
func (m *Manifest) Builds(e *Environment) ([]lock.Package, error) {
	locked, err := m.readForeign(e)
	if e.unlockedBuilds != nil {
		locked, err = e.unlockedBuilds, nil
	}
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(locked.Packages), func(p lock.Package) bool { return p.Build == nil }), nil
}

// isForeign reports whether a file is the lock of another tool: by its name, or a pylock.toml
// that reconcile has not written.
func (l *loader) isForeign(name string) bool {
	if strings.HasSuffix(name, ".lock") {
		return true
	}
	if !foreignlock.Is(name) {
		return false
	}
	head, err := rawfile.HeadFS(l.fsys, name, maxHead)
	return err == nil && !foreignlock.IsOurs(head)
}

// maxHead is more than what precedes the first table of a lock, in bytes, also with a conflict of
// git in it.
const maxHead = 4 << 10
