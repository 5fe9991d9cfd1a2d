// Package venv manages Python environments of type venv: generations that are
// built aside, proved, sealed, and then made visible by one rename (package
// generation). It leaves alone whatever stands at the visible place and was not
// made by reconcile, and every generation that is there already.
package venv

import (
	"fmt"
	"path"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/generation"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Spec is the desired state of one environment.
type Spec struct {
	Name      string        `json:"name"`              // of the environment: "local"
	Path      string        `json:"path"`              // visible place: ".venv"
	Python    string        `json:"python"`            // line: "3.10"
	Prompt    string        `json:"prompt"`            // shown by activate
	Installer string        `json:"installer"`         // "auto" (uv, where there is one or its wheel is pinned for this platform; else pip), "uv", "pip"
	Closure   []lock.Dist   `json:"closure"`           // locked for this platform, by name
	Problem   *diag.Problem `json:"problem,omitempty"` // why there is no closure: the lock is absent or stale
	generation.SmokeTest
	Variables []resources.Variable `json:"variables,omitempty"` // set for those who enter

	former string // the environment that this one was before; not part of what is asked for
}

// Owns is the environment.
func (s *Spec) Owns() facts.Key { return facts.EnvironmentKey(s.Name) }

// Reads is the environment, its .gitignore, and what a build needs.
func (s *Spec) Reads() []facts.Key {
	keys := append(generation.Reads(s.Name, s.Path), facts.PythonKey(s.Python))
	if s.Installer != "pip" {
		keys = append(keys, facts.ToolKey("uv"))
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

// blocked says why the environment cannot be made, nil if it can.
func (s *Spec) blocked(v facts.View) *diag.Problem {
	if p := generation.ForeignProblem(facts.Get[facts.Environment](v, s.Owns())); p != nil {
		return p
	}
	if s.Problem != nil {
		p := *s.Problem
		return &p
	}
	base, ok := facts.Get[facts.Pythons](v, facts.PythonKey(s.Python)).Usable()
	if !ok {
		return &diag.Problem{
			Code: "python.none", Summary: fmt.Sprintf("there is no usable Python %s on this machine", s.Python),
			Hint: fmt.Sprintf("install Python %s", s.Python),
		}
	}
	if p := generation.PromptProblem(s.Prompt); p != nil {
		return p
	}
	if p := generation.RootProblem(facts.Get[facts.Project](v, facts.ProjectKey)); p != nil {
		return p
	}
	if p := generation.LibcProblem(s.Closure, facts.Get[facts.Host](v, facts.HostKey)); p != nil {
		return p
	}
	return s.noInstaller(v, base)
}

// noInstaller is the Problem of a machine with neither uv nor pip.
func (s *Spec) noInstaller(v facts.View, base facts.Interpreter) *diag.Problem {
	if generation.SelectUV(v, s.Installer).Path != "" {
		return nil
	}
	_, _, pip := resources.PipCommand(base, "")
	switch {
	case s.Installer == "uv":
		return &diag.Problem{
			Code: "environment.installer", Summary: "uv is not available on this machine",
			Hint: "install uv and put it on PATH, or choose `installer: auto`",
		}
	case !pip:
		return &diag.Problem{
			Code: "environment.installer", Summary: fmt.Sprintf("there is no uv on this machine, and %s has no pip", base.Path),
			Hint: fmt.Sprintf("install uv, or on Debian and Ubuntu run `sudo apt install python%s-venv`", s.Python),
		}
	}
	return nil
}

// desired is the generation that is asked for, and how it is made. It is asked
// when nothing blocks, so every fact is there.
func (s *Spec) desired(v facts.View) (*generation.Desired, generation.Builder) {
	project := facts.Get[facts.Project](v, facts.ProjectKey)
	base, _ := facts.Get[facts.Pythons](v, facts.PythonKey(s.Python)).Usable()
	d := &generation.Desired{
		Environment: s.Name, Type: "venv", Path: s.Path, PreviousName: s.former, Project: project,
		Digest: s.Digest(facts.Get[facts.Host](v, facts.HostKey).Platform, base),
		Python: base.Version, Base: base.Path, Closure: s.Closure,
		SmokeTest: s.SmokeTest, Variables: s.Variables,
	}
	return d, maker{
		Installer: generation.Installer{Root: project.Root, UV: generation.SelectUV(v, s.Installer), Base: base},
		prompt:    s.Prompt,
	}
}

// A maker makes the empty environment with uv, or with the module venv.
type maker struct {
	generation.Installer
	prompt string
}

// Create makes the empty environment at its final place.
func (m maker) Create(dir string) []resources.Step {
	place := path.Join(m.Root, dir)
	if m.UV.Path == "" {
		args := []string{"-I", "-m", "venv", "--without-pip", "--prompt=" + m.prompt, "--", place}
		return []resources.Step{resources.Run{Program: m.Base.Path, Args: args, Writes: dir}}
	}
	args := append([]string{"venv"}, m.UVFlags()...)
	args = append(args, "--no-project", "--python", m.Base.Path, "--prompt="+m.prompt, "--", place)
	return []resources.Step{resources.Run{Program: m.UV.Path, SHA256: m.UV.SHA256, Args: args, Writes: dir}}
}
