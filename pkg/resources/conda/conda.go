// Package conda manages Python environments of type conda as generations (package
// generation). conda installs the interpreter and its packages from locked archives; the rest
// is assembled from hashed wheels. It never changes an environment or a conda
// installation that reconcile did not create.
package conda

import (
	"cmp"
	"fmt"
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

// Kind is the kind "conda".
var Kind = resources.Kind{Name: "conda", New: func() resources.Spec { return &Spec{} }}

// Spec is the desired state of one environment.
type Spec struct {
	generation.Env
	Engine    string            `json:"engine"`    // "auto", "rattler", "micromamba", "mamba", "conda"
	Channels  []string          `json:"channels"`  // in order of priority
	Requested []string          `json:"requested"` // the solved specs: lock.CondaSpecs
	Packages  []rattler.Package `json:"packages"`  // locked for this platform, by name
	generation.Content
}

// Reads returns the environment, its .gitignore, and the facts that a build needs.
func (s *Spec) Reads() []facts.Key {
	keys := append(s.Content.Reads(&s.Env), resources.ToolKeys(s.engines())...)
	if s.usesRattler() {
		keys = append(keys, resources.PythonKeys(resources.HelperVersions())...)
	}
	return keys
}

// Diff compares the active generation with the desired one.
func (s *Spec) Diff(v facts.View) resources.Change {
	if p := s.blocked(v); p != nil {
		return resources.Block(p)
	}
	return s.desired(v).Diff(v)
}

// Recreate builds another generation of the same content.
func (s *Spec) Recreate(v facts.View) resources.Change {
	return s.desired(v).Rebuild(v)
}

// MovedFrom returns the Spec that replaces the environment with the previous name.
func (s *Spec) MovedFrom(r resources.Recorded) resources.Spec {
	moved := *s
	moved.PreviousName = r.Addr.Name
	return &moved
}

// desired returns the desired generation. Nothing may block it.
func (s *Spec) desired(v facts.View) *generation.Desired {
	project := facts.Get[facts.Project](v, facts.ProjectKey)
	host := facts.Get[facts.Host](v, facts.HostKey)
	b := builder{spec: s, cache: layout.Conda(project.Store), platform: host.Platform, engine: s.engine(v)}
	builds := s.BuildKeys(v, s.Python, host.Platform)
	return &generation.Desired{
		Environment: s.Name, Type: "conda", Path: s.Path, PreviousName: s.PreviousName, Project: project,
		Digest: s.Digest(host.Platform, builds), Builds: builds, Python: s.version("python"),
		Closure: s.Closure, Conda: lock.CondaFacts(s.Packages), CondaNeed: s.need,
		Requests: s.Requests, SmokeTest: s.SmokeTest, Variables: s.Variables, CompileAll: s.CompileAll, Create: b.create,
	}
}

// digestFormat changes if generations are built in another way, so that earlier ones are
// built again.
const digestFormat = 1

// Digest returns the SHA-256, in hexadecimal, of everything that determines the content of
// a generation: platform, conda packages and closure with their hashes, variables and smoke
// test. The engine and the channels are not part of it.
func (s *Spec) Digest(platform string, builds generation.BuildKeys) string {
	var entries []string
	for i := range s.Packages {
		p := &s.Packages[i]
		entries = append(entries, fmt.Sprintf("conda %q %q %q %s\n", p.Name, p.Version, p.Build, p.SHA256))
	}
	return s.Content.Digest(fmt.Sprintf("reconcile conda environment %d\nplatform %q\n", digestFormat, platform), builds, entries...)
}

// version returns the locked version of a conda package, "" if it is not locked.
func (s *Spec) version(name string) string {
	if i := slices.IndexFunc(s.Packages, func(p rattler.Package) bool { return p.Name == name }); i >= 0 {
		return s.Packages[i].Version
	}
	return ""
}

// unpackedRattler is the unpacked size of py-rattler, in bytes: 83.4 million for the wheel
// of 0.28.0 for Linux.
const unpackedRattler = 84_000_000

// need returns what conda packages need. Unpacked they have about four times the size of
// their archives, once, in the cache that the environment links to. py-rattler is unpacked
// during the build.
func (s *Spec) need(packages []facts.CondaPackage) (sum resources.Need, shared []resources.SharedNeed) {
	for i := range s.Packages {
		p := &s.Packages[i]
		if !slices.ContainsFunc(packages, func(f facts.CondaPackage) bool { return f.Name == p.Name }) {
			continue
		}
		n := resources.Need{Download: p.Size, Disk: 4 * p.Size}
		sum.Download += n.Download
		sum.Disk += n.Disk
		shared = append(shared, resources.SharedNeed{SHA256: p.SHA256, Need: n})
	}
	if s.usesRattler() {
		sum.Disk += unpackedRattler
	}
	return sum, shared
}

// blocked returns why the environment cannot be built, nil if it can.
func (s *Spec) blocked(v facts.View) *diag.Problem {
	project, host := facts.Get[facts.Project](v, facts.ProjectKey), facts.Get[facts.Host](v, facts.HostKey)
	return cmp.Or(
		generation.ForeignProblem(facts.Get[facts.Environment](v, s.Owns())),
		s.LockProblem(),
		s.pythonProblem(),
		s.pathProblem(project),
		generation.SystemProblem(s.Closure, host),
		s.systemProblem(host),
		s.engineProblem(v),
	)
}

func (s *Spec) pythonProblem() *diag.Problem {
	if strings.HasPrefix(s.version("python"), s.Python+".") {
		return nil
	}
	return &diag.Problem{
		Code: "conda.no-python", Summary: fmt.Sprintf("the lock has no Python %s for conda to install", s.Python),
		Hint: "run `reconcile lock`, and commit the result",
	}
}

// maxPrefix is the maximum length of the path of an environment, in bytes: conda packages
// reserve 255 for it in programs.
const maxPrefix = 254

func (s *Spec) pathProblem(project facts.Project) *diag.Problem {
	prefix := layout.Generation(project.State, s.Name, "0123456789ab-99")
	if len(prefix) <= maxPrefix {
		return nil
	}
	return &diag.Problem{
		Code: "conda.long-path", Summary: fmt.Sprintf("the path of the environment would have %d bytes, and conda packages support %d", len(prefix), maxPrefix),
		Found: prefix, Hint: "name a store with a shorter path: export RECONCILE_STORE=/path/to/store",
	}
}
