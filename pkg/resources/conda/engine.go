package conda

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/rattler"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// clients are the conda clients that a machine may have, the fastest first. They are the
// second choice: conda and mamba run the link scripts of packages, which no option
// prevents, conda does not verify a local archive, and their configuration on the machine
// affects the build.
var clients = []string{"micromamba", "mamba", "conda"}

// Clients returns the names of the conda clients.
func Clients() []string { return slices.Clone(clients) }

// engines returns the helpers that may install, in the order in which they are tried.
func (s *Spec) engines() []string {
	if s.Engine == "auto" {
		return append([]string{"rattler"}, clients...)
	}
	return []string{s.Engine}
}

func (s *Spec) usesRattler() bool { return slices.Contains(s.engines(), "rattler") }

// An engine installs the conda packages.
type engine struct {
	name string // "rattler", "micromamba", "mamba", "conda"
	tool facts.Tool
	base facts.Interpreter // runs py-rattler; unused for others
}

// engine returns the first usable engine, or the zero value.
func (s *Spec) engine(v facts.View) engine {
	for _, name := range s.engines() {
		e := engine{name: name, tool: facts.Get[facts.Tool](v, facts.ToolKey(name))}
		if name == "rattler" {
			e.base, _ = resources.FirstPython(v, resources.HelperVersions())
		}
		if e.usable() {
			return e
		}
	}
	return engine{}
}

func (e engine) usable() bool {
	if e.tool.Path == "" || e.tool.Refused != "" {
		return false
	}
	return e.name != "rattler" || e.base.Path != "" && e.tool.Source == "reconcile"
}

// engineProblem reports that the machine has no usable engine.
func (s *Spec) engineProblem(v facts.View) *diag.Problem {
	if s.engine(v).name != "" {
		return nil
	}
	p := &diag.Problem{
		Code: "conda.engine", Summary: "nothing on this machine can install conda packages",
		Hint: "install micromamba, mamba or conda, or Python 3.10 or later, with which reconcile runs its own",
	}
	if s.Engine != "auto" {
		tool := facts.Get[facts.Tool](v, facts.ToolKey(s.Engine))
		p.Summary, p.Found = s.Engine+" is not available on this machine", tool.Refused
		p.Hint = "install it and put it on PATH, or set `engine: auto`"
		if s.Engine == "rattler" {
			p.Hint = "install Python 3.10 or later, with which reconcile runs it, or set `engine: auto`"
		}
	}
	return p
}

// A builder installs the conda packages with an engine.
type builder struct {
	spec     *Spec
	cache    string // conda cache, absolute
	platform string
	engine   engine
}

// create installs the locked conda packages at the final path.
func (b builder) create(dir string) []resources.Step {
	if b.engine.name == "rattler" {
		return b.rattler(dir)
	}
	return []resources.Step{b.client(dir)}
}

// rattler writes the script and its request into the new generation, and runs it.
func (b builder) rattler(dir string) []resources.Step {
	request, err := json.MarshalIndent(rattler.Request{
		Wheel: b.engine.tool.Path, WheelSHA256: b.engine.tool.SHA256.String(),
		Cache: b.cache, Channels: b.spec.Channels, Subdir: rattler.Subdir(b.platform),
		Prefix: dir, Packages: b.spec.Packages, Requested: b.spec.Requested,
	}, "", " ")
	if err != nil { // plain structs
		panic("encode a request: " + err.Error())
	}
	own := path.Dir(layout.Seal(dir))
	script, input := path.Join(own, "conda.py"), path.Join(own, "conda.json")
	return []resources.Step{
		resources.WriteFile{Path: script, Mode: 0o644, Internal: true, Content: rattler.Script},
		resources.WriteFile{Path: input, Mode: 0o644, Internal: true, Content: string(request) + "\n"},
		resources.Run{
			Program: b.engine.base.Path, Args: []string{"-I", "-B", script, input},
			Index: true, Channels: true, Writes: dir,
		},
	}
}

// client installs exactly the locked builds with a conda client, without dependencies. Its
// own HOME excludes ~/.condarc, and keeps the environment out of
// ~/.conda/environments.txt. Sealing the generation compares the digests that the client
// recorded with the lock.
func (b builder) client(dir string) resources.Step {
	cache := path.Join(b.cache, b.engine.name)
	r := resources.Run{
		Program: b.engine.tool.Path, SHA256: b.engine.tool.SHA256, Index: true, Channels: true, Writes: dir,
		Env: []string{
			"HOME=" + path.Join(cache, "home"), "CONDA_PKGS_DIRS=" + path.Join(cache, "pkgs"), "MAMBA_ROOT_PREFIX=" + cache,
			"CONDA_SAFETY_CHECKS=enabled", "CONDA_EXTRA_SAFETY_CHECKS=true",
			"CONDA_ADD_PIP_AS_PYTHON_DEPENDENCY=false", // else Python cannot be installed from a channel without pip
		},
		Args: []string{"create", "--yes", "--quiet"},
	}
	if b.engine.name == "micromamba" || b.engine.name == "mamba" && !strings.HasPrefix(b.engine.tool.Version, "1.") {
		r.Args = append(r.Args, "--no-rc") // conda and mamba 1 do not have this option
	}
	r.Args = append(r.Args, "--no-deps", "--override-channels")
	for _, c := range b.spec.Channels {
		r.Args = append(r.Args, "--channel", c)
	}
	r.Args = append(r.Args, "--prefix", dir, "--")
	for i := range b.spec.Packages {
		p := &b.spec.Packages[i]
		r.Args = append(r.Args, fmt.Sprintf("%s=%s=%s", p.Name, p.Version, p.Build))
	}
	return r
}
