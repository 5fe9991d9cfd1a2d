// Package venv manages Python environments of type venv as generations (package
// generation). It never changes an existing generation, nor a folder at the path of the
// environment that reconcile did not create.
package venv

import (
	"cmp"
	"fmt"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/generation"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Kind is the kind "venv".
var Kind = resources.Kind{Name: "venv", New: func() resources.Spec { return &Spec{} }}

// Spec is the desired state of one environment.
type Spec struct {
	generation.Env
	Prompt    string `json:"prompt"`    // of activate
	Installer string `json:"installer"` // "auto" (uv if the machine has it or its wheel is pinned for this platform, else pip), "uv", "pip"
	generation.Content
}

// Reads returns the environment, its .gitignore, and the facts that a build needs.
func (s *Spec) Reads() []facts.Key {
	return append(s.Content.Reads(&s.Env, s.Installer), facts.PythonKey(s.Python))
}

// Diff compares the active generation with the desired one.
func (s *Spec) Diff(v facts.View) resources.Change {
	if p := s.blocked(v); p != nil {
		return resources.Block(p)
	}
	d, b := s.desired(v)
	return d.Diff(v, b)
}

// Recreate builds another generation, from the intact parts of the active one.
func (s *Spec) Recreate(v facts.View) resources.Change {
	d, b := s.desired(v)
	return d.Rebuild(v, b)
}

// MovedFrom reuses the unchanged packages of the environment with the previous name.
func (s *Spec) MovedFrom(r resources.Recorded) resources.Spec {
	moved := *s
	moved.PreviousName = r.Addr.Name
	return &moved
}

// blocked returns why the environment cannot be built, nil if it can.
func (s *Spec) blocked(v facts.View) *diag.Problem {
	base, ok := facts.Get[facts.Pythons](v, facts.PythonKey(s.Python)).Usable()
	var noPython *diag.Problem
	if !ok {
		noPython = &diag.Problem{
			Code: "python.none", Summary: fmt.Sprintf("this machine has no usable Python %s", s.Python),
			Hint: fmt.Sprintf("install Python %s", s.Python),
		}
	}
	return cmp.Or(
		generation.ForeignProblem(facts.Get[facts.Environment](v, s.Owns())),
		s.LockProblem(),
		noPython,
		generation.PromptProblem(s.Prompt),
		generation.RootProblem(facts.Get[facts.Project](v, facts.ProjectKey)),
		generation.LibcProblem(s.Closure, facts.Get[facts.Host](v, facts.HostKey)),
		s.installerProblem(v, base),
	)
}

// installerProblem reports that the machine has neither uv nor pip.
func (s *Spec) installerProblem(v facts.View, base facts.Interpreter) *diag.Problem {
	_, _, pip := resources.PipCommand(base, "")
	switch {
	case generation.SelectUV(v, s.Installer).Path != "":
	case s.Installer == "uv":
		return &diag.Problem{
			Code: "environment.installer", Summary: "uv is not available on this machine",
			Hint: "install uv and put it on PATH, or set `installer: auto`",
		}
	case !pip:
		return &diag.Problem{
			Code: "environment.installer", Summary: fmt.Sprintf("this machine has no uv, and %s has no pip", base.Path),
			Hint: fmt.Sprintf("install uv, or on Debian and Ubuntu run `sudo apt install python%s-venv`", s.Python),
		}
	}
	return nil
}

// desired returns the desired generation and its builder. Nothing may block it.
func (s *Spec) desired(v facts.View) (*generation.Desired, generation.Builder) {
	project := facts.Get[facts.Project](v, facts.ProjectKey)
	base, _ := facts.Get[facts.Pythons](v, facts.PythonKey(s.Python)).Usable()
	d := &generation.Desired{
		Environment: s.Name, Type: "venv", Path: s.Path, PreviousName: s.PreviousName, Project: project,
		Digest: s.Digest(facts.Get[facts.Host](v, facts.HostKey).Platform, base),
		Python: base.Version, Base: base.Path, Closure: s.Closure,
		SmokeTest: s.SmokeTest, CompileAll: s.CompileAll, Variables: s.Variables,
	}
	return d, builder{
		Installer: generation.Installer{Store: project.Store, UV: generation.SelectUV(v, s.Installer), Base: base},
		prompt:    s.Prompt,
	}
}

// digestFormat changes if generations are built in another way, so that earlier ones are
// built again.
const digestFormat = 1

// Digest returns the SHA-256, in hexadecimal, of everything that determines the content of
// a generation: platform, interpreter, closure with its hashes, prompt, variables and smoke
// test. The index is not part of it, so another mirror gives the same generation.
func (s *Spec) Digest(platform string, base facts.Interpreter) string {
	return s.Content.Digest(fmt.Sprintf("reconcile environment %d\nplatform %q\npython %q %q %q\nprompt %q\n",
		digestFormat, platform, base.Version, base.Arch, base.Prefix, s.Prompt))
}

// A builder creates the empty environment with uv, or with the module venv.
type builder struct {
	generation.Installer
	prompt string
}

// Create creates the empty environment at its final path.
func (b builder) Create(dir string) []resources.Step {
	if b.UV.Path == "" {
		args := []string{"-I", "-m", "venv", "--without-pip", "--prompt=" + b.prompt, "--", dir}
		return []resources.Step{resources.Run{Program: b.Base.Path, Args: args, Writes: dir}}
	}
	args := append([]string{"venv"}, b.UVFlags()...)
	args = append(args, "--no-project", "--python", b.Base.Path, "--prompt="+b.prompt, "--", dir)
	return []resources.Step{resources.Run{Program: b.UV.Path, SHA256: b.UV.SHA256, Args: args, Writes: dir}}
}
