package manifest

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/generation"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/pkg/resources"
	"github.com/reconcile-ml/reconcile/pkg/resources/conda"
	"github.com/reconcile-ml/reconcile/pkg/resources/directory"
	"github.com/reconcile-ml/reconcile/pkg/resources/disk"
	"github.com/reconcile-ml/reconcile/pkg/resources/file"
	"github.com/reconcile-ml/reconcile/pkg/resources/link"
	"github.com/reconcile-ml/reconcile/pkg/resources/model"
	"github.com/reconcile-ml/reconcile/pkg/resources/python"
	"github.com/reconcile-ml/reconcile/pkg/resources/tool"
	"github.com/reconcile-ml/reconcile/pkg/resources/venv"
)

// Resources returns the resources of a machine, in the order of the sections directories,
// storage, models, environments and files. envs are environments of the machine, such as the
// result of Select; none leaves environments out.
func (m *Manifest) Resources(s Selection, envs []*Environment) ([]resources.Resource, error) {
	c := compiler{m: m, host: m.Host(s.Host), hostName: s.Host.Hostname, list: make([]resources.Resource, 0, len(m.Directories)+len(m.Files)+8)}
	c.directories(envs)
	c.storage()
	c.models(envs)
	for _, env := range envs {
		if err := c.environment(s, env); err != nil {
			return nil, err
		}
	}
	c.files()
	return c.list, c.problems.Err()
}

type compiler struct {
	m        *Manifest
	host     *Host // nil if the manifest has no section for it
	hostName string
	list     []resources.Resource
	problems diag.List
}

func (c *compiler) add(kind, name string, pos diag.Pos, protect bool, spec resources.Spec, after ...resources.Addr) {
	c.list = append(c.list, resources.Resource{
		Addr: resources.Addr{Kind: kind, Name: name}, Pos: pos, DependsOn: after, Protect: protect, Spec: spec,
	})
}

// allowed reports an absolute path that the selected host does not allow. Load has checked
// that some host does.
func (c *compiler) allowed(p string, pos diag.Pos, kind, name string) {
	if !strings.HasPrefix(p, "/") || c.host != nil && c.host.allows(p) {
		return
	}
	c.problems.Add(&diag.Problem{
		Code: "manifest.path", Pos: pos, Addr: kind + "." + name,
		Summary: fmt.Sprintf("%s is outside the project, and host %s does not allow it", quote(p), quote(c.hostName)),
		Hint:    "add the folder to allow_paths of this host: hosts: {" + printable(c.hostName) + ": {allow_paths: [" + quote(path.Dir(p)) + "]}}",
	})
}

// directories adds the directories. One with another path on this host or in the
// environments gets a link at its common path.
func (c *compiler) directories(envs []*Environment) {
	specs := make([]directory.Spec, len(c.m.Directories))
	for i := range c.m.Directories {
		d := &c.m.Directories[i]
		specs[i] = directory.Spec{Path: d.Path, Mode: d.Mode, Purpose: d.Purpose, Name: d.Name, Host: c.hostName}
		place := c.place(d, envs)
		if place == nil {
			c.allowed(d.Path, d.pathPos, "directory", d.Name)
			c.add("directory", d.Name, d.Pos, d.Protect, &specs[i])
			continue
		}
		c.allowed(place.Path, place.pathPos, "directory", d.Name)
		specs[i].Path = place.Path
		c.add("directory", d.Name, place.Pos, d.Protect, &specs[i])
		c.add("link", d.Name, place.Pos, d.Protect, &link.Spec{Path: d.Path, Target: target(d.Path, place.Path)},
			resources.Addr{Kind: "directory", Name: d.Name})
	}
}

// place returns the path of a directory on this host or in the environments, nil for its
// common path. It is a problem if two of the environments have different paths: a machine has
// one directory at the common path.
func (c *compiler) place(d *Directory, envs []*Environment) *Place {
	if len(envs) == 0 {
		return c.m.PlaceOf(d.Name, c.host, nil)
	}
	pathIn := func(e *Environment) (string, diag.Pos) {
		if place := c.m.PlaceOf(d.Name, c.host, e); place != nil {
			return place.Path, place.Pos
		}
		return d.Path, d.Pos
	}
	first, firstPos := pathIn(envs[0])
	for _, e := range envs[1:] {
		if other, pos := pathIn(e); other != first {
			c.problems.Add(&diag.Problem{
				Code: "environment.directories", Pos: pos, Addr: "directory." + d.Name,
				Summary: fmt.Sprintf("environments %s and %s have different paths for the directory, and one machine has one", envs[0].Name, e.Name),
				Found:   fmt.Sprintf("%s at %s, %s at %s", quote(first), firstPos, quote(other), pos),
				Hint:    fmt.Sprintf("set the path for the machine: hosts: {%s: {directories: {%s: {path: PATH}}}}", printable(c.hostName), d.Name),
			})
			break
		}
	}
	return c.m.PlaceOf(d.Name, c.host, envs[0])
}

// PlaceOf returns the path of a directory on a host or in an environment, in this order,
// or nil if it is at its common path. host and env may be nil.
func (m *Manifest) PlaceOf(name string, host *Host, env *Environment) *Place {
	var places []Place
	if host != nil {
		places = host.Places
	}
	if env != nil {
		places = slices.Concat(places, env.Places)
	}
	if i := slices.IndexFunc(places, func(p Place) bool { return p.Directory == name }); i >= 0 {
		return &places[i]
	}
	return nil
}

// target returns the target of a link at from to the path to. It is relative inside the
// project, so that the project can be moved.
func target(from, to string) string {
	if path.IsAbs(to) || path.IsAbs(from) {
		return to
	}
	dir, dest := strings.Split(path.Dir(from), "/"), strings.Split(to, "/")
	if dir[0] == "." {
		dir = nil
	}
	for len(dir) > 0 && len(dest) > 1 && dir[0] == dest[0] {
		dir, dest = dir[1:], dest[1:]
	}
	return strings.Repeat("../", len(dir)) + strings.Join(dest, "/")
}

func (c *compiler) storage() {
	s := c.m.Storage
	if s == nil {
		return
	}
	c.allowed(s.Path, s.pathPos, "disk", "storage")
	c.add("disk", "storage", s.Pos, false, &disk.Spec{Path: s.Path, WarnBelow: s.WarnBelow, FailBelow: s.FailBelow, Budget: s.Budget})
}

// models adds the models that the environments need. Apply does not download them.
func (c *compiler) models(envs []*Environment) {
	for _, m := range c.m.ModelsFor(envs...) {
		c.add("model", m.Repo, m.Pos, false, &model.Spec{Repo: m.Repo, Revision: m.Revision, Size: m.Size, Severity: m.Severity})
	}
}

func (c *compiler) files() {
	specs := make([]file.Spec, len(c.m.Files))
	for i := range c.m.Files {
		f := &c.m.Files[i]
		specs[i].Path, specs[i].Mode, specs[i].Content = f.Path, f.Mode, f.Content
		c.add("file", f.Path, f.Pos, f.Protect, &specs[i])
	}
}

// environment adds an environment and its requirements, tools and files.
func (c *compiler) environment(s Selection, e *Environment) error {
	locked, problem, err := c.m.Locked(e)
	if err != nil {
		return err
	}
	var closure []lock.Dist
	if problem == nil {
		if closure, err = locked.For(s.Host.Platform); err != nil {
			problem = &diag.Problem{
				Code: "lock.platform", Pos: e.Pos, Summary: err.Error(),
				Hint: "add " + s.Host.Platform + " to platforms, then run `reconcile lock`",
			}
		}
	}
	c.requirements(e, closure)
	if problem == nil {
		c.pairs(e, locked, s.Host.Platform)
	}
	c.tools(e)
	c.pinFiles(e, locked)
	if e.Type == "conda" {
		c.conda(s, e, locked, closure, problem)
		return nil
	}
	c.add("venv", e.Name, e.Pos, e.Protect, &venv.Spec{
		Env: generation.Env{Name: e.Name, Path: e.Path, Python: e.Python}, Prompt: c.m.Project + "-" + e.Name,
		Content: generation.Content{Closure: closure, Problem: problem, SmokeTest: e.SmokeTest, CompileAll: e.CompileAll, Variables: c.m.Variables(e), Requests: e.ranges()},
	})
	return nil
}

// tools adds the tools of an environment, unless an earlier one needs the same. An interpreter
// that several need must meet the conditions of each.
func (c *compiler) tools(e *Environment) {
	for _, r := range c.m.Tools(e) {
		i := slices.IndexFunc(c.list, func(old resources.Resource) bool { return old.Addr == r.Addr })
		if i < 0 {
			c.list = append(c.list, r)
			continue
		}
		if needed, ok := r.Spec.(*python.Spec); ok {
			both := *c.list[i].Spec.(*python.Spec)
			common := func(a, b []string) []string {
				return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return !slices.Contains(b, s) })
			}
			both.Or, both.Unless = common(both.Or, needed.Or), common(both.Unless, needed.Unless)
			c.list[i].Spec = &both
		}
	}
}

// pinFiles adds the requirements file and the environment file. They have exact pins, so
// without a lock they are not written for ranges.
func (c *compiler) pinFiles(e *Environment, locked *lock.Lock) {
	isRange := func(p lock.Requirement) bool { return p.Pin() == "" && p.URL == "" }
	if locked == nil && slices.ContainsFunc(e.sources.Packages, isRange) {
		return
	}
	if e.RequirementsFile != "" {
		c.add("file", e.RequirementsFile, e.requirementsPos, false, &file.Spec{
			Path: e.RequirementsFile, Content: lock.Requirements(c.m.Project, e.Name, e.sources.Packages, locked),
		})
	}
	if e.EnvironmentFile != "" {
		channels := slices.Clone(e.Conda.Channels)
		if e.Conda.NoDefaults {
			channels = append(channels, "nodefaults")
		}
		c.add("file", e.EnvironmentFile, e.environmentPos, false, &file.Spec{Path: e.EnvironmentFile, Content: lock.CondaFile{
			Project: c.m.Project, Environment: e.Name, Name: e.Conda.Name, Channels: channels, Python: e.Python,
			Conda: e.Conda.Packages, Packages: e.sources.Packages, Closure: locked,
		}.Encode()})
	}
}

// conda adds an environment of type conda, and with register the link outside the project
// by which conda finds it by name.
func (c *compiler) conda(s Selection, e *Environment, locked *lock.Lock, closure []lock.Dist, problem *diag.Problem) {
	spec := &conda.Spec{
		Env: generation.Env{Name: e.Name, Path: e.Path, Python: e.Python}, Engine: e.Conda.Engine,
		Channels: e.Conda.Channels, Requested: e.condaSpecs(),
		Content: generation.Content{Closure: closure, Problem: problem, SmokeTest: e.SmokeTest, CompileAll: e.CompileAll, Variables: c.m.Variables(e), Requests: e.ranges()},
	}
	if problem == nil {
		spec.Packages = locked.Conda.For(s.Host.Platform)
	}
	c.add("conda", e.Name, e.Pos, e.Protect, spec)
	if e.Conda.Register && s.Host.Home != "" {
		c.add("link", "conda-"+e.Conda.Name, e.Pos, false, &link.Spec{
			Path: path.Join(s.Host.Home, ".conda/envs", e.Conda.Name), Target: e.Path, InProject: true,
		}, resources.Addr{Kind: "conda", Name: e.Name})
	}
}

// Tools returns the resources for building an environment: a Python, and for type conda
// py-rattler unless the engine is a client.
func (m *Manifest) Tools(e *Environment) []resources.Resource {
	if e.Type != "conda" {
		return m.tools(e, e.Python, nil, nil)
	}
	var unless []string
	if e.Conda.Engine != "rattler" {
		unless = conda.Clients()
	}
	versions := resources.HelperVersions() // conda installs the Python of the environment
	if e.Conda.Engine == "auto" || e.Conda.Engine == "rattler" {
		return m.tools(e, versions[0], versions[1:], unless, tool.Rattler())
	}
	return m.tools(e, versions[0], versions[1:], unless)
}

// LockTools returns the resources for locking an environment: a Python, uv, and for type
// conda py-rattler.
func (m *Manifest) LockTools(e *Environment) []resources.Resource {
	if e.Type != "conda" {
		return m.tools(e, e.Python, nil, nil, tool.UV())
	}
	versions := resources.HelperVersions()
	return m.tools(e, versions[0], versions[1:], nil, tool.UV(), tool.Rattler())
}

func (m *Manifest) tools(e *Environment, minor string, or, unless []string, helpers ...tool.Spec) []resources.Resource {
	var builds []python.Build
	for _, i := range m.Interpreters {
		if i.Minor == minor {
			builds = append(builds, i.Build)
		}
	}
	for _, b := range python.DefaultBuilds() {
		if strings.HasPrefix(b.Version, minor+".") {
			builds = append(builds, b)
		}
	}
	list := []resources.Resource{{
		Addr: resources.Addr{Kind: "python", Name: minor}, Pos: e.Pos,
		Spec: &python.Spec{Minor: minor, Or: or, Unless: unless, Builds: builds},
	}}
	for _, s := range helpers {
		list = append(list, resources.Resource{Addr: resources.Addr{Kind: "tool", Name: s.Name}, Pos: e.Pos, Spec: &s})
	}
	return list
}

// IsPythonArchive reports whether the SHA-256 is that of an archive that the manifest names
// under interpreters, or that reconcile fetches by itself.
func (m *Manifest) IsPythonArchive(sum facts.SHA256) bool {
	return python.IsArchive(sum) || slices.ContainsFunc(m.Interpreters, func(i Interpreter) bool { return i.Build.SHA256 == sum })
}

// Locked reads the lock of an environment. A missing, damaged or stale lock is a problem,
// not an error, since `reconcile lock` must be able to load the manifest and fix it. A
// stale lock is returned together with its problem.
func (m *Manifest) Locked(e *Environment) (*lock.Lock, *diag.Problem, error) {
	locked, err := m.lockOf(e)
	if err != nil {
		problems := diag.Problems(err)
		if len(problems) == 0 || problems[0].Code == "internal" {
			return nil, nil, err
		}
		return nil, problems[0], nil
	}
	return locked, m.stale(e, locked), nil
}

// stale returns the problem that a lock was made for another manifest; nil if it was not. That
// of another tool was compared when it was read.
func (m *Manifest) stale(e *Environment, locked *lock.Lock) *diag.Problem {
	if e.IsForeign() {
		return nil
	}
	if p := locked.Stale(e.lockInputs()); p != nil {
		return p
	}
	return m.staleDirectory(e, locked)
}

// lockOf reads the lock of an environment.
func (m *Manifest) lockOf(e *Environment) (*lock.Lock, error) {
	if !e.IsForeign() {
		return m.readLock(e.Lock, func() (*lock.Lock, error) { return lock.Read(m.fsys, e.Lock) })
	}
	return m.readLock(e.Lock+"#"+e.Name, func() (*lock.Lock, error) { return m.readForeign(e) })
}

// readLock reads a lock once, unless it is written meanwhile: probes need it too, at the same
// time.
func (m *Manifest) readLock(key string, read func() (*lock.Lock, error)) (*lock.Lock, error) {
	file, _, _ := strings.Cut(key, "#")
	info, err := fs.Stat(m.fsys, file)
	if err != nil {
		return read()
	}
	m.locks.Lock()
	defer m.locks.Unlock()
	last := m.locks.read[key]
	if last.info == nil || last.info.Size() != info.Size() || !last.info.ModTime().Equal(info.ModTime()) {
		last.info = info
		last.lock, last.err = read()
		if m.locks.read == nil {
			m.locks.read = map[string]lockRead{}
		}
		m.locks.read[key] = last
	}
	return last.lock, last.err
}

// A lockRead is the result of reading a lock, and its file before that.
type lockRead struct {
	info fs.FileInfo
	lock *lock.Lock
	err  error
}

// CheckLock returns all problems of the lock of an environment: it is missing, damaged or
// stale.
func (m *Manifest) CheckLock(e *Environment) error {
	if e.Lock == "" {
		return nil
	}
	locked, err := m.lockOf(e)
	if err != nil {
		return err
	}
	if p := m.stale(e, locked); p != nil {
		return p
	}
	return nil
}

// lockInputs returns the inputs of a lock that is up to date.
func (e *Environment) lockInputs() lock.Inputs {
	a := lock.Inputs{Requests: e.Requests(), Platforms: e.Platforms, Systems: e.Systems(), Builds: e.BuildRules(), Python: e.Python}
	if e.Conda != nil {
		a.Channels, a.CondaRequests = e.Conda.Channels, e.condaSpecs()
	}
	return a
}

// CondaRequest returns the conda packages to solve, without the py-rattler wheel; nil for
// type venv.
func (e *Environment) CondaRequest() *lock.CondaRequest {
	if e.Conda == nil {
		return nil
	}
	r := &lock.CondaRequest{Channels: e.Conda.Channels, Specs: e.condaSpecs(), Pos: e.Conda.pos}
	if e.CUDA != nil {
		r.CUDA = e.CUDA.Minimum
	}
	return r
}
