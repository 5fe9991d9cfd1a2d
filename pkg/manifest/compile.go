package manifest

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/pkg/diag"
	"github.com/reconcile-ml/reconcile/pkg/facts"
	"github.com/reconcile-ml/reconcile/pkg/lock"
	"github.com/reconcile-ml/reconcile/pkg/resources"
	"github.com/reconcile-ml/reconcile/pkg/resources/directory"
	"github.com/reconcile-ml/reconcile/pkg/resources/disk"
	"github.com/reconcile-ml/reconcile/pkg/resources/file"
	"github.com/reconcile-ml/reconcile/pkg/resources/link"
	"github.com/reconcile-ml/reconcile/pkg/resources/python"
	"github.com/reconcile-ml/reconcile/pkg/resources/tool"
	"github.com/reconcile-ml/reconcile/pkg/resources/venv"
)

// Resources returns all resources of a machine, in the order of the sections
// directories, storage, environments, files, and within them of the manifest.
// env is what Select returned; nil leaves environments out.
func (m *Manifest) Resources(s Selection, env *Environment) ([]resources.Resource, error) {
	c := compiler{m: m, host: m.Host(s.Host), hostName: s.Host.Hostname, list: make([]resources.Resource, 0, len(m.Directories)+len(m.Files)+8)}
	c.directories(env)
	c.storage()
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
		place := c.place(d.Name, env)
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

// place returns where a directory lies instead; what a host says goes before
// what an environment says.
func (c *compiler) place(name string, env *Environment) *Place {
	var all []Place
	if c.host != nil {
		all = c.host.Places
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
	var locked *lock.Lock
	var closure []lock.Dist
	var problem *diag.Problem // why there is no closure
	if e.Lock != "" {
		var err error
		if locked, problem, err = c.m.Locked(e); err != nil {
			return err
		}
		if problem == nil {
			closure, problem = e.closure(locked, s.Host.Platform)
		}
	}
	c.requirements(e, closure)
	if e.Type != "venv" {
		problem := e.Unmanaged()
		problem.Severity = diag.Warn
		c.add(e.Type, e.Name, e.Pos, e.Protect, &unmanaged{environment: e.Name, problem: *problem})
		return nil
	}
	c.list = append(c.list, c.m.Tools(e)...)
	if e.RequirementsFile != "" {
		c.add("file", e.RequirementsFile, e.requirementsPos, false, &file.Spec{
			Path: e.RequirementsFile, Content: lock.Requirements(c.m.Project, e.Name, e.Packages, locked),
		})
	}
	spec := &venv.Spec{
		Name: e.Name, Path: e.Path, Python: e.Python, Prompt: c.m.Project + "-" + e.Name,
		Installer: e.Installer, Imports: e.Imports, Closure: closure, Problem: problem,
		ProveCUDA: e.ProveCUDA, QLoRA: (*resources.QLoRA)(e.QLoRA),
	}
	c.add("venv", e.Name, e.Pos, e.Protect, spec)
	return nil
}

// closure returns what a platform installs of a lock, or why it is not for it.
func (e *Environment) closure(locked *lock.Lock, platform string) ([]lock.Dist, *diag.Problem) {
	closure, err := locked.For(platform)
	if err != nil {
		return nil, &diag.Problem{
			Code: "lock.platform", Pos: e.Pos, Summary: err.Error(),
			Hint: "add " + platform + " to platforms, then run `reconcile lock`",
		}
	}
	return closure, nil
}

// Unmanaged returns why this version does not manage an environment; nil if it
// does.
func (e *Environment) Unmanaged() *diag.Problem {
	if e.Type == "venv" {
		return nil
	}
	return &diag.Problem{
		Code: "environment.not-manageable", Pos: e.Pos,
		Summary: fmt.Sprintf("environment %s is of type %s, which is declared but not managed by this version", e.Name, e.Type),
		Hint:    "make this environment by hand; `--env NAME` chooses one of type venv",
	}
}

// Tools returns the resources that building or locking an environment of type
// venv needs: an interpreter of its line, and uv unless pip was asked for.
func (m *Manifest) Tools(e *Environment) []resources.Resource {
	builds := make([]python.Build, 0, len(m.Interpreters))
	for _, i := range m.Interpreters {
		if i.Line == e.Python {
			builds = append(builds, i.Build)
		}
	}
	for _, b := range python.DefaultBuilds() {
		if strings.HasPrefix(b.Version, e.Python+".") {
			builds = append(builds, b)
		}
	}
	list := []resources.Resource{{
		Addr: resources.Addr{Kind: "python", Name: e.Python}, Pos: e.Pos,
		Spec: &python.Spec{Line: e.Python, Builds: builds},
	}}
	if e.Installer != "pip" {
		uv := tool.UV()
		uv.Python = e.Python
		list = append(list, resources.Resource{Addr: resources.Addr{Kind: "tool", Name: uv.Name}, Pos: e.Pos, Spec: &uv})
	}
	return list
}

// Locked reads the lock of an environment of type venv. A lock that is absent,
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
	return locked, locked.Stale(e.Requests(), e.Platforms, e.Python), nil
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
	if p := locked.Stale(e.Requests(), e.Platforms, e.Python); p != nil {
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

// unmanaged is an environment of a type that this version cannot make. It is a
// warning in every plan, and the rest of the machine is brought to the manifest.
type unmanaged struct {
	environment string
	problem     diag.Problem
}

// Owns is the environment.
func (u *unmanaged) Owns() facts.Key { return facts.EnvironmentKey(u.environment) }

// Reads is nothing: the answer does not depend on the machine.
func (u *unmanaged) Reads() []facts.Key { return nil }

// Diff changes nothing and warns.
func (u *unmanaged) Diff(facts.View) resources.Change {
	p := u.problem
	return resources.Change{Summary: "not managed by this version", Problem: &p}
}
