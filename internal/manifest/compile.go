package manifest

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
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

// Resources returns all resources of a machine, in the order of the sections
// directories, storage, models, environments, files, and within them of the manifest.
// env is what Select returned; nil leaves environments out.
func (m *Manifest) Resources(s Selection, env *Environment) ([]resources.Resource, error) {
	c := compiler{m: m, host: m.Host(s.Host), hostName: s.Host.Hostname, list: make([]resources.Resource, 0, len(m.Directories)+len(m.Files)+8)}
	c.directories(env)
	c.storage()
	c.models(env)
	if env != nil {
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

// allowed reports an absolute path that the selected host does not allow. Load
// has made sure that some host does.
func (c *compiler) allowed(p string, pos diag.Pos, kind, name string) {
	if !strings.HasPrefix(p, "/") || c.host != nil && c.host.allows(p) {
		return
	}
	c.problems.Add(&diag.Problem{
		Code: "manifest.path", Pos: pos, Addr: kind + "." + name,
		Summary: fmt.Sprintf("%s lies outside of the project, and host %s does not allow that", quote(p), quote(c.hostName)),
		Hint:    "add the folder to allow_paths of this host: hosts: {" + printable(c.hostName) + ": {allow_paths: [" + quote(path.Dir(p)) + "]}}",
	})
}

// directories adds the project's folders. One that lies elsewhere on this host
// or with this environment gets a link at its common path.
func (c *compiler) directories(env *Environment) {
	specs := make([]directory.Spec, len(c.m.Directories))
	for i := range c.m.Directories {
		d := &c.m.Directories[i]
		specs[i] = directory.Spec{Path: d.Path, Mode: d.Mode, Purpose: d.Purpose}
		place := c.m.PlaceOf(d.Name, c.host, env)
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

// PlaceOf returns where a directory lies on a machine instead of at its common path,
// at which a link stands; nil where it lies there. What a host says goes before what
// an environment says. host and env may be nil.
func (m *Manifest) PlaceOf(name string, host *Host, env *Environment) *Place {
	var all []Place
	if host != nil {
		all = host.Places
	}
	if env != nil {
		all = slices.Concat(all, env.Places)
	}
	for i := range all {
		if all[i].Directory == name {
			return &all[i]
		}
	}
	return nil
}

// target returns what a link at from must hold to lead to to: inside the project
// it stays right when the project moves.
func target(from, to string) string {
	if path.IsAbs(to) || path.IsAbs(from) {
		return to
	}
	here, there := strings.Split(path.Dir(from), "/"), strings.Split(to, "/")
	if here[0] == "." {
		here = nil
	}
	for len(here) > 0 && len(there) > 1 && here[0] == there[0] {
		here, there = here[1:], there[1:]
	}
	return strings.Repeat("../", len(here)) + strings.Join(there, "/")
}

func (c *compiler) storage() {
	s := c.m.Storage
	if s == nil {
		return
	}
	c.allowed(s.Path, s.pathPos, "disk", "storage")
	c.add("disk", "storage", s.Pos, false, &disk.Spec{Path: s.Path, WarnBelow: s.WarnBelow, FailBelow: s.FailBelow, Budget: s.Budget})
}

// models adds those that an environment needs. They are looked at, never brought.
func (c *compiler) models(env *Environment) {
	for _, m := range c.m.ModelsFor(env) {
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

// environment adds the selected environment and what it needs.
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
	c.list = append(c.list, c.m.Tools(e)...)
	c.pinFiles(e, locked)
	if e.Type == "conda" {
		c.conda(s, e, locked, closure, problem)
		return nil
	}
	c.add("venv", e.Name, e.Pos, e.Protect, &venv.Spec{
		Name: e.Name, Path: e.Path, Python: e.Python, Prompt: c.m.Project + "-" + e.Name,
		Installer: e.Installer, Closure: closure, Problem: problem, SmokeTest: e.proof(), Variables: c.m.Variables(e),
	})
	return nil
}

// proof is what the manifest asks a generation to show.
func (e *Environment) proof() generation.SmokeTest {
	return generation.SmokeTest{Imports: e.Imports, TestCUDA: e.TestCUDA, QLoRA: (*resources.QLoRA)(e.QLoRA)}
}

// pinFiles adds the files in which people read the pins, each with its reason.
func (c *compiler) pinFiles(e *Environment, locked *lock.Lock) {
	if e.RequirementsFile != "" {
		c.add("file", e.RequirementsFile, e.requirementsPos, false, &file.Spec{
			Path: e.RequirementsFile, Content: lock.Requirements(c.m.Project, e.Name, e.Packages, locked),
		})
	}
	if e.EnvironmentFile != "" {
		channels := slices.Clone(e.Conda.Channels)
		if e.Conda.NoDefaults {
			channels = append(channels, "nodefaults")
		}
		c.add("file", e.EnvironmentFile, e.environmentPos, false, &file.Spec{Path: e.EnvironmentFile, Content: lock.CondaFile{
			Project: c.m.Project, Environment: e.Name, Name: e.Conda.Name, Channels: channels, Python: e.Python,
			Conda: e.Conda.Packages, Pins: e.Packages, Closure: locked,
		}.Encode()})
	}
}

// conda adds an environment of type conda, and the entry outside of the project by
// which conda finds it by name, if that was asked for.
func (c *compiler) conda(s Selection, e *Environment, locked *lock.Lock, closure []lock.Dist, problem *diag.Problem) {
	spec := &conda.Spec{
		Name: e.Name, Path: e.Path, Python: e.Python, Engine: e.Conda.Engine, Installer: e.Installer,
		Channels: e.Conda.Channels, Requested: e.condaSpecs(), Closure: closure, Problem: problem, SmokeTest: e.proof(), Variables: c.m.Variables(e),
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

// Tools returns the resources that building an environment needs: an interpreter,
// uv unless pip was asked for, and for type conda py-rattler unless a client was.
func (m *Manifest) Tools(e *Environment) []resources.Resource {
	if e.Type != "conda" {
		return m.tools(e, e.Python, nil, nil, false)
	}
	var unless []string // clients of conda, which bring a pip too
	if e.Conda.Engine != "rattler" {
		unless = conda.Clients()
	}
	lines := resources.HelperVersions() // conda brings the line that is asked for
	return m.tools(e, lines[0], lines[1:], unless, e.Conda.Engine == "auto" || e.Conda.Engine == "rattler")
}

// LockTools returns the resources that resolving an environment needs: uv where pip
// installs too, and py-rattler where a client of conda does.
func (m *Manifest) LockTools(e *Environment) []resources.Resource {
	resolving := *e
	resolving.Installer = "auto"
	if e.Type != "conda" {
		return m.Tools(&resolving)
	}
	lines := resources.HelperVersions()
	return m.tools(&resolving, lines[0], lines[1:], nil, true)
}

func (m *Manifest) tools(e *Environment, line string, or, unless []string, rattler bool) []resources.Resource {
	builds := make([]python.Build, 0, len(m.Interpreters))
	for _, i := range m.Interpreters {
		if i.Line == line {
			builds = append(builds, i.Build)
		}
	}
	for _, b := range python.DefaultBuilds() {
		if strings.HasPrefix(b.Version, line+".") {
			builds = append(builds, b)
		}
	}
	list := []resources.Resource{{
		Addr: resources.Addr{Kind: "python", Name: line}, Pos: e.Pos,
		Spec: &python.Spec{Line: line, Or: or, Unless: unless, Builds: builds},
	}}
	add := func(s tool.Spec) {
		s.Python, s.Or, s.Unless = line, or, unless
		list = append(list, resources.Resource{Addr: resources.Addr{Kind: "tool", Name: s.Name}, Pos: e.Pos, Spec: &s})
	}
	if e.Installer != "pip" {
		add(tool.UV())
	}
	if rattler {
		add(tool.Rattler())
	}
	return list
}

// Locked reads the lock of an environment. A lock that is absent,
// damaged or made for other pins comes as a problem: `reconcile lock` mends it,
// and must itself be able to load the manifest. A stale lock is returned too.
func (m *Manifest) Locked(e *Environment) (*lock.Lock, *diag.Problem, error) {
	locked, err := lock.Read(m.fsys, e.Lock)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, lock.Missing(e.Lock), nil
	case err != nil:
		problems := diag.Problems(err)
		if len(problems) == 0 || problems[0].Code == "internal" {
			return nil, nil, err
		}
		return nil, problems[0], nil
	}
	return locked, locked.Stale(e.asked()), nil
}

// CheckLock returns everything that is wrong with the lock of an environment: that
// it is absent (lock.missing), damaged, or made for other pins.
func (m *Manifest) CheckLock(e *Environment) error {
	if e.Lock == "" {
		return nil
	}
	locked, err := lock.Read(m.fsys, e.Lock)
	if err != nil {
		return err
	}
	if p := locked.Stale(e.asked()); p != nil {
		return p
	}
	return nil
}

// Requests returns the pins of an environment as locks list them, sorted.
func (e *Environment) Requests() []string {
	requests := make([]string, len(e.Packages))
	for i, p := range e.Packages {
		requests[i] = p.Request()
	}
	slices.Sort(requests)
	return requests
}

// asked is what the environment asks of its lock.
func (e *Environment) asked() lock.Asked {
	a := lock.Asked{Requests: e.Requests(), Platforms: e.Platforms, Python: e.Python}
	if e.Conda != nil {
		a.Channels, a.CondaRequests = e.Conda.Channels, e.condaSpecs()
	}
	return a
}

// CondaRequest is what solving the part of conda asks, without the wheel that
// solves it; nil for type venv.
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
