// Package packages answers questions about the locked packages of an environment: which package
// depends on which (Graph), why a package is locked (Why), and what the lock is in the formats of
// other tools (Export). It starts no program.
package packages

import (
	"fmt"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/declared"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/internal/nearest"
	"github.com/reconcile-ml/reconcile/internal/pep"
	"github.com/reconcile-ml/reconcile/internal/session"
)

// An Environment is an environment with its lock.
type Environment struct {
	*manifest.Environment
	Locked *lock.Lock
	Stale  *diag.Problem // that the lock was made for other requests, nil if it was not

	project  *session.Project
	requests []Request
}

// A Request is a package that the project asks for.
type Request struct {
	Name string   `json:"name"`              // normalised
	Text string   `json:"request"`           // "numpy>=1.26", "python 3.10.*" of conda
	Type string   `json:"type"`              // of the package: "python", "conda"
	Why  string   `json:"why,omitempty"`     // the reason that the manifest gives
	Pos  diag.Pos `json:"position,omitzero"` // none if the lock of another tool has the request

	python lock.Requirement
}

// Open returns the environment that the command line names, else the only one of the manifest,
// else the one that matches this machine. It must be locked.
func Open(p *session.Project) (*Environment, error) {
	env, err := p.Only()
	if err != nil {
		return nil, err
	}
	if env == nil {
		return nil, &diag.Problem{
			Code: "packages.environment", Pos: diag.Pos{File: p.Name}, Summary: "the manifest has no environment", Hint: "`reconcile init --scan` in an empty folder shows one",
		}
	}
	if env.Lock == "" {
		return nil, &diag.Problem{
			Code: "packages.environment", Pos: env.Pos, Summary: fmt.Sprintf("environment %s has no lock", env.Name), Hint: fmt.Sprintf("add `lock: locks/pylock.%s.toml`, then run `reconcile lock`", env.Name),
		}
	}
	locked, problem, err := p.Manifest.Locked(env)
	if err != nil {
		return nil, err
	}
	if locked == nil {
		return nil, problem
	}
	e := &Environment{Environment: env, Locked: locked, Stale: problem, project: p}
	e.requests = e.readRequests()
	return e, nil
}

// Platform returns the platform that a command line names, else that of this machine if it is
// locked, else the first one of the lock.
func (e *Environment) Platform(asked string) (string, error) {
	if asked == "" {
		host, _ := facts.Find[facts.Host](e.project.Base, facts.HostKey)
		if slices.Contains(e.Locked.Platforms, host.Platform) || len(e.Locked.Platforms) == 0 {
			return host.Platform, nil
		}
		return slices.Sorted(slices.Values(e.Locked.Platforms))[0], nil
	}
	if slices.Contains(e.Locked.Platforms, asked) {
		return asked, nil
	}
	return "", &diag.Problem{
		Code: "packages.platform", Pos: diag.Pos{File: e.Locked.Path}, Summary: fmt.Sprintf("environment %s is not locked for %s", e.Name, asked),
		Found: "it is locked for " + strings.Join(e.Locked.Platforms, ", "), Hint: "add the platform to `platforms`, then run `reconcile lock`",
	}
}

// readRequests returns the requests of the environment.
func (e *Environment) readRequests() (list []Request) {
	if e.IsForeign() {
		list = e.foreignRequests()
	} else {
		for _, r := range e.Sources().Packages {
			list = append(list, requestOf(r))
		}
	}
	if e.Conda != nil {
		list = append(list, e.condaRequests()...)
	}
	return list
}

// foreignRequests returns the requests of the lock of another tool.
func (e *Environment) foreignRequests() (list []Request) {
	declarations := e.declarations()
	for _, text := range e.Locked.Requests {
		r, err := pep.ParseRequirement(text)
		if err != nil {
			continue // a request that only the other tool understands
		}
		q := lock.Requirement{Name: r.Name, Extras: r.Extras, Specifier: pep.Specifier(r.Clauses), Marker: r.Marker, URL: r.URL}
		if found := declarations[pep.Normalize(r.Name)]; len(found) > 0 {
			q.Pos = found[0].Pos
			if len(found) == 1 && q.Specifier == "" {
				q.Specifier = pep.Specifier(found[0].Clauses) // uv.lock has none
			}
		}
		list = append(list, requestOf(q))
	}
	return list
}

func requestOf(r lock.Requirement) Request {
	return Request{Name: pep.Normalize(r.Name), Text: r.String(), Type: python, Why: r.Why, Pos: r.Pos, python: r}
}

// condaRequests returns the requests of conda packages.
func (e *Environment) condaRequests() (list []Request) {
	for _, spec := range lock.CondaSpecs(e.Python, e.Conda.Packages) {
		name, _, _ := strings.Cut(spec, " ")
		r := Request{Name: name, Text: spec, Type: conda, Pos: e.Pos}
		if i := slices.IndexFunc(e.Conda.Packages, func(p lock.CondaPin) bool { return p.Name == name }); i >= 0 {
			r.Why, r.Pos = e.Conda.Packages[i].Why, e.Conda.Packages[i].Pos
		}
		list = append(list, r)
	}
	return list
}

// declarations returns the requirements of the files of a project whose lock another tool writes,
// by normalised name. They only add positions, so those that cannot be read are left out.
func (e *Environment) declarations() map[string][]declared.Requirement {
	references := []string{"pyproject.toml"}
	if len(e.Files) > 0 {
		references = nil
		for _, f := range e.Files {
			references = append(references, f.String())
		}
	}
	found := map[string][]declared.Requirement{}
	for _, reference := range references {
		set, err := declared.Read(e.project.FS(), reference)
		if err != nil {
			continue
		}
		for _, r := range set.Requirements {
			name := pep.Normalize(r.Name)
			found[name] = append(found[name], r)
		}
	}
	return found
}

// Names returns the names of all locked packages, sorted.
func (e *Environment) Names() (names []string) {
	for _, p := range e.Locked.Packages {
		names = append(names, p.Name)
	}
	if e.Locked.Conda != nil {
		for i := range e.Locked.Conda.Packages {
			names = append(names, e.Locked.Conda.Packages[i].Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// maxNear is how many names a message proposes.
const maxNear = 5

// absent returns the problem that a package is not locked.
func (e *Environment) absent(name, platform string) *diag.Problem {
	p := &diag.Problem{
		Code: "packages.absent", Pos: diag.Pos{File: e.Locked.Path}, Summary: fmt.Sprintf("%s is not locked in environment %s", name, e.Name),
		Hint: "`reconcile tree` lists the locked packages",
	}
	if platform != "" {
		p.Summary += " for " + platform
	}
	names := e.Names()
	var near []string
	if word := nearest.Word(name, names); word != "" && pep.Normalize(word) != pep.Normalize(name) {
		near = append(near, word)
	}
	for _, other := range names {
		if len(name) > 2 && len(near) < maxNear && strings.Contains(other, pep.Normalize(name)) && !slices.Contains(near, other) && other != pep.Normalize(name) {
			near = append(near, other)
		}
	}
	if len(near) > 0 {
		p.Hint = "did you mean " + strings.Join(near, ", ") + "?"
	}
	return p
}

// incomplete returns the problem that the lock was written without dependencies.
func (e *Environment) incomplete() *diag.Problem {
	return &diag.Problem{
		Code: "packages.dependencies", Pos: diag.Pos{File: e.Locked.Path}, Summary: "the lock has no dependencies of its packages",
		Found: "it was written by an earlier version of reconcile", Hint: "`reconcile lock --env " + e.Name + "` adds them, and changes no version",
	}
}

// isComplete reports whether the lock has the dependencies of its packages.
func (e *Environment) isComplete() bool {
	for _, p := range e.Locked.Packages {
		if len(p.Dependencies) > 0 {
			return true
		}
	}
	requested := map[string]bool{}
	for _, r := range e.requests {
		requested[r.Name] = true
	}
	return e.IsForeign() || !slices.ContainsFunc(e.Locked.Packages, func(p lock.Package) bool { return !requested[p.Name] })
}
