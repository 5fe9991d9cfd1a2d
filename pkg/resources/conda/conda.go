// Package conda manages Python environments of type conda: generations that are
// built aside, proved, sealed, and then made visible by one rename (package
// generation). conda brings the interpreter and what the manifest asks of it, from
// locked archives; uv or pip bring the rest, from hashed wheels. It leaves alone
// every environment and every installation of conda that it did not make.
package conda

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/generation"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/rattler"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Spec is the desired state of one environment.
type Spec struct {
	Name      string            `json:"name"`              // of the environment: "remote"
	Path      string            `json:"path"`              // visible place: ".conda/remote"
	Python    string            `json:"python"`            // line: "3.10"
	Engine    string            `json:"engine"`            // "auto", "rattler", "micromamba", "mamba", "conda"
	Installer string            `json:"installer"`         // "auto", "uv", "pip": for the distributions of Python
	Channels  []string          `json:"channels"`          // in order of priority
	Requested []string          `json:"requested"`         // what was solved: lock.CondaSpecs
	Packages  []rattler.Package `json:"packages"`          // locked for this platform, by name
	Closure   []lock.Dist       `json:"closure"`           // locked distributions of Python, by name
	Problem   *diag.Problem     `json:"problem,omitempty"` // why there is no closure: the lock is absent or stale
	generation.SmokeTest
	Variables []resources.Variable `json:"variables,omitempty"` // set for those who enter

	former string // the environment that this one was before; not part of what is asked for
}

// Owns is the environment.
func (s *Spec) Owns() facts.Key { return facts.EnvironmentKey(s.Name) }

// Reads is the environment, its .gitignore, and what a build needs.
func (s *Spec) Reads() []facts.Key {
	keys := generation.Reads(s.Name, s.Path)
	if s.Installer != "pip" {
		keys = append(keys, facts.ToolKey("uv"))
	}
	for _, name := range s.engines() {
		keys = append(keys, facts.ToolKey(name))
	}
	if s.usesRattler() {
		keys = append(keys, resources.PythonKeys(resources.HelperVersions())...)
	}
	if s.former != "" {
		keys = append(keys, facts.EnvironmentKey(s.former))
	}
	return append(keys, s.SmokeTestReads()...)
}

// Diff compares the visible generation with the one that is asked for.
func (s *Spec) Diff(v facts.View) resources.Change {
	if p := s.blocked(v); p != nil {
		return resources.Block(p)
	}
	d, m := s.desired(v)
	return d.Diff(v, m)
}

// desired is the generation that is asked for, and how it is made. It is asked when
// nothing blocks, so every fact is there.
func (s *Spec) desired(v facts.View) (*generation.Desired, generation.Builder) {
	project := facts.Get[facts.Project](v, facts.ProjectKey)
	host := facts.Get[facts.Host](v, facts.HostKey)
	d := &generation.Desired{
		Environment: s.Name, Type: "conda", Path: s.Path, PreviousName: s.former, Project: project,
		Digest: s.Digest(host.Platform), Python: s.python(),
		Closure: s.Closure, Conda: lock.CondaFacts(s.Packages), CondaNeed: s.need,
		SmokeTest: s.SmokeTest, Variables: s.Variables,
	}
	return d, maker{
		Installer: generation.Installer{Root: project.Root, UV: generation.SelectUV(v, s.Installer)},
		spec:      s, cache: path.Join(project.Root, layout.Conda(project.State)), platform: host.Platform, engine: s.engine(v),
	}
}

// python is the version of the interpreter that conda brings, "" without one.
func (s *Spec) python() string { return s.version("python") }

// version is that of a package that conda brings, "" if it does not.
func (s *Spec) version(name string) string {
	for i := range s.Packages {
		if s.Packages[i].Name == name {
			return s.Packages[i].Version
		}
	}
	return ""
}

// unpackedRattler is what py-rattler takes while it runs, in bytes: 83.4 million are in
// the wheel of 0.28.0 for Linux.
const unpackedRattler = 84_000_000

// need is what packages of conda take. Unpacked they are about four times their
// archives, and lie once in the cache, to which the environment links. One that is
// made anew has py-rattler beside it for that time.
func (s *Spec) need(packages []facts.CondaPackage) resources.Need {
	var n resources.Need
	for i := range s.Packages {
		if slices.ContainsFunc(packages, func(p facts.CondaPackage) bool { return p.Name == s.Packages[i].Name }) {
			n.Download += s.Packages[i].Size
		}
	}
	n.Disk = 4 * n.Download
	if s.usesRattler() {
		n.Disk += unpackedRattler
	}
	return n
}

// mostPrefix is how long the path of an environment may be, in bytes: packages of
// conda leave room for 255 where they write it into programs.
const mostPrefix = 254

// blocked says why the environment cannot be made, nil if it can.
func (s *Spec) blocked(v facts.View) *diag.Problem {
	if p := generation.ForeignProblem(facts.Get[facts.Environment](v, s.Owns())); p != nil {
		return p
	}
	if s.Problem != nil {
		p := *s.Problem
		return &p
	}
	if !strings.HasPrefix(s.python(), s.Python+".") {
		return &diag.Problem{
			Code: "conda.no-python", Summary: fmt.Sprintf("the lock has no Python %s for conda to install", s.Python),
			Hint: "run `reconcile lock`, and commit the result",
		}
	}
	project := facts.Get[facts.Project](v, facts.ProjectKey)
	if p := generation.RootProblem(project); p != nil {
		return p
	}
	prefix := path.Join(project.Root, layout.Generation(project.State, s.Name, "0123456789ab-99"))
	if len(prefix) > mostPrefix {
		return &diag.Problem{
			Code: "conda.long-path", Summary: fmt.Sprintf("the environment would lie at a path of %d bytes, and packages of conda leave room for %d", len(prefix), mostPrefix),
			Found: prefix, Hint: "move the project to a shorter path",
		}
	}
	host := facts.Get[facts.Host](v, facts.HostKey)
	if p := generation.LibcProblem(s.Closure, host); p != nil {
		return p
	}
	if p := s.olderSystem(host); p != nil {
		return p
	}
	if p := s.noEngine(v); p != nil {
		return p
	}
	if generation.SelectUV(v, s.Installer).Path == "" && len(s.Closure) > 0 && (s.Installer == "uv" || s.version("pip") == "") {
		return &diag.Problem{
			Code: "environment.installer", Summary: "there is no uv on this machine, and conda brings no pip",
			Hint: "install uv and put it on PATH, or add pip to `conda_packages`",
		}
	}
	return nil
}
