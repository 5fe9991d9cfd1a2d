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
	Prompt string `json:"prompt"` // of activate
	generation.Content
}

// Reads returns the environment, its .gitignore, and the facts that a build needs.
func (s *Spec) Reads() []facts.Key {
	return append(s.Content.Reads(&s.Env), facts.PythonKey(s.Python))
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

// blocked returns why the environment cannot be built, nil if it can.
func (s *Spec) blocked(v facts.View) *diag.Problem {
	_, ok := facts.Get[facts.Pythons](v, facts.PythonKey(s.Python)).Usable()
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
		generation.SystemProblem(s.Closure, facts.Get[facts.Host](v, facts.HostKey)),
	)
}

// desired returns the desired generation. Nothing may block it.
func (s *Spec) desired(v facts.View) *generation.Desired {
	base, _ := facts.Get[facts.Pythons](v, facts.PythonKey(s.Python)).Usable()
	platform := facts.Get[facts.Host](v, facts.HostKey).Platform
	builds := s.BuildKeys(v, s.Python, platform)
	return &generation.Desired{
		Environment: s.Name, Type: "venv", Path: s.Path, PreviousName: s.PreviousName, Project: facts.Get[facts.Project](v, facts.ProjectKey),
		Digest: s.Digest(platform, base, builds), Builds: builds,
		Python: base.Version, Base: base.Path, Closure: s.Closure,
		Requests: s.Requests, SmokeTest: s.SmokeTest, Variables: s.Variables, CompileAll: s.CompileAll,
		Create: func(dir string) []resources.Step {
			args := []string{"-I", "-m", "venv", "--without-pip", "--prompt=" + s.Prompt, "--", dir}
			return []resources.Step{resources.Run{Program: base.Path, Args: args, Writes: dir}}
		},
	}
}

// digestFormat changes if generations are built in another way, so that earlier ones are
// built again.
const digestFormat = 1

// Digest returns the SHA-256, in hexadecimal, of everything that determines the content of
// a generation: platform, interpreter, closure with its hashes, prompt, variables and smoke
// test. The index is not part of it, so another mirror gives the same generation.
func (s *Spec) Digest(platform string, base facts.Interpreter, builds generation.BuildKeys) string {
	return s.Content.Digest(fmt.Sprintf("reconcile environment %d\nplatform %q\npython %q %q %q\nprompt %q\n",
		digestFormat, platform, base.Version, base.Arch, base.Prefix, s.Prompt), builds)
}
