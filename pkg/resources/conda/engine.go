package conda

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/generation"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/rattler"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// clients are the clients of conda that a machine may have, the quickest first. They
// are second choice: conda and mamba run the link scripts of packages and have no
// switch against that, conda takes a local archive without looking at its digest,
// and what a machine has decides how a build goes.
var clients = []string{"micromamba", "mamba", "conda"}

// Clients returns their names.
func Clients() []string { return slices.Clone(clients) }

// engines are the helpers that may install, in the order in which they are tried.
func (s *Spec) engines() []string {
	if s.Engine == "auto" {
		return append([]string{"rattler"}, clients...)
	}
	return []string{s.Engine}
}

func (s *Spec) usesRattler() bool { return slices.Contains(s.engines(), "rattler") }

// An engine is what installs the packages of conda.
type engine struct {
	name string // "rattler", "micromamba", "mamba", "conda"
	tool facts.Tool
	base facts.Interpreter // runs py-rattler; of others nothing
}

// engine returns the first that can be used; noEngine has made sure that one can.
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

// noEngine is the Problem of a machine on which nothing can install packages of
// conda, nil for others.
func (s *Spec) noEngine(v facts.View) *diag.Problem {
	if s.engine(v).name != "" {
		return nil
	}
	p := &diag.Problem{
		Code: "conda.engine", Summary: "nothing on this machine can install packages of conda",
		Hint: "install micromamba, mamba or conda, or Python 3.10 or later, with which reconcile brings its own",
	}
	if s.Engine != "auto" {
		tool := facts.Get[facts.Tool](v, facts.ToolKey(s.Engine))
		p.Summary, p.Found = s.Engine+" is not available on this machine", tool.Refused
		p.Hint = "install it and put it on PATH, or choose `engine: auto`"
		if s.Engine == "rattler" {
			p.Hint = "install Python 3.10 or later with pip, with which reconcile brings it, or choose `engine: auto`"
		}
	}
	return p
}

// A maker makes the part of conda with an engine.
type maker struct {
	generation.Installer
	spec     *Spec
	cache    string // of conda, absolute
	platform string
	engine   engine
}

// Create installs the locked packages of conda at the final place.
func (m maker) Create(dir string) []resources.Step {
	if m.engine.name == "rattler" {
		return m.rattler(dir)
	}
	return []resources.Step{m.client(dir)}
}

// rattler writes the script and its request into the generation, which is new, and
// runs it.
func (m maker) rattler(dir string) []resources.Step {
	absolute := path.Join(m.Root, dir)
	request, err := json.MarshalIndent(rattler.Request{
		Wheel: m.engine.tool.Path, WheelSHA256: m.engine.tool.SHA256.String(),
		Cache: m.cache, Channels: m.spec.Channels, Subdir: rattler.Subdir(m.platform),
		Prefix: absolute, Packages: m.spec.Packages, Requested: m.spec.Requested,
	}, "", " ")
	if err != nil { // plain structs
		panic("encode a request: " + err.Error())
	}
	own := path.Dir(layout.Seal(dir))
	script, question := path.Join(own, "conda.py"), path.Join(own, "conda.json")
	return []resources.Step{
		resources.WriteFile{Path: script, Mode: 0o644, Content: rattler.Script},
		resources.WriteFile{Path: question, Mode: 0o644, Content: string(request) + "\n"},
		resources.Run{
			Program: m.engine.base.Path, Args: []string{"-I", "-B", path.Join(m.Root, script), path.Join(m.Root, question)},
			Index: true, Channels: true, Writes: dir,
		},
	}
}

// client asks a client of conda for exactly the locked builds, without what else
// they would need. A home of its own keeps ~/.condarc out, and the environment out of
// ~/.conda/environments.txt. Whether the archives had the locked digests is seen when
// the generation is sealed, from what the client noted of them.
func (m maker) client(dir string) resources.Step {
	cache := path.Join(m.cache, m.engine.name)
	r := resources.Run{
		Program: m.engine.tool.Path, SHA256: m.engine.tool.SHA256, Index: true, Channels: true, Writes: dir,
		Env: []string{
			"HOME=" + path.Join(cache, "home"), "CONDA_PKGS_DIRS=" + path.Join(cache, "pkgs"), "MAMBA_ROOT_PREFIX=" + cache,
			"CONDA_SAFETY_CHECKS=enabled", "CONDA_EXTRA_SAFETY_CHECKS=true",
			"CONDA_ADD_PIP_AS_PYTHON_DEPENDENCY=false", // else a channel without pip has no Python to install
		},
		Args: []string{"create", "--yes", "--quiet"},
	}
	if m.engine.name == "micromamba" || m.engine.name == "mamba" && !strings.HasPrefix(m.engine.tool.Version, "1.") {
		r.Args = append(r.Args, "--no-rc") // conda, and mamba 1 which is one, has no such word
	}
	r.Args = append(r.Args, "--no-deps", "--override-channels")
	for _, c := range m.spec.Channels {
		r.Args = append(r.Args, "--channel", c)
	}
	r.Args = append(r.Args, "--prefix", path.Join(m.Root, dir), "--")
	for i := range m.spec.Packages {
		p := &m.spec.Packages[i]
		r.Args = append(r.Args, fmt.Sprintf("%s=%s=%s", p.Name, p.Version, p.Build))
	}
	return r
}
