// Package venv manages Python environments of type venv: generations that are
// built aside, proved, sealed, and then made visible by one rename. It leaves
// alone whatever stands at the visible place and was not made by reconcile, and
// every generation that is there already.
//
//  1. The digest of all that decides the content names the generation.
//  2. If the visible generation has it and is sound, nothing is to be done.
//  3. If another sealed one has it, that one becomes visible.
//  4. Else one is built: what is unchanged comes from the visible generation, the
//     rest from the installer; then bytecode, proof, seal.
//  5. The visible place is made where it is not there or not whole, and one link
//     is switched.
package venv

import (
	"fmt"
	"path"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/pkg/diag"
	"github.com/reconcile-ml/reconcile/pkg/facts"
	"github.com/reconcile-ml/reconcile/pkg/lock"
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
	Imports   []string      `json:"imports"`           // proved before the environment becomes visible
	Problem   *diag.Problem `json:"problem,omitempty"` // why there is no closure: the lock is absent or stale

	// What is proved on a GPU as well, where the machine has one.
	ProveCUDA bool             `json:"prove_cuda,omitempty"`
	QLoRA     *resources.QLoRA `json:"qlora,omitempty"`
}

// Owns is the environment.
func (s *Spec) Owns() facts.Key { return facts.EnvironmentKey(s.Name) }

// Reads is the environment, its .gitignore, and what a build needs.
func (s *Spec) Reads() []facts.Key {
	keys := []facts.Key{s.Owns(), facts.PythonKey(s.Python), facts.HostKey, facts.ProjectKey, facts.PathKey(s.ignoreFile())}
	if s.Installer != "pip" {
		keys = append(keys, facts.ToolKey("uv"))
	}
	if s.provesGPU() {
		keys = append(keys, facts.NvidiaKey)
	}
	return keys
}

func (s *Spec) provesGPU() bool { return s.ProveCUDA || s.QLoRA != nil }

// ignoreFile keeps git out of the visible place.
func (s *Spec) ignoreFile() string { return path.Join(s.Path, ".gitignore") }

// Diff compares the visible generation with the one that is asked for.
func (s *Spec) Diff(v facts.View) resources.Change {
	env := facts.Get[facts.Environment](v, s.Owns())
	if p := s.blocked(v, env); p != nil {
		return resources.Block(p)
	}
	w := s.wanted(v)
	current, exists := env.CurrentGeneration()
	sound := exists && len(current.Damage) == 0
	switch latest, ok := newest(env, w.digest); {
	case sound && current.Digest == w.digest && env.Entry == "":
		return resources.Change{Summary: fmt.Sprintf("%d packages, Python %s", len(current.Packages), current.Python)}
	case sound && current.Digest == w.digest:
		return s.show(v, w, env, current)
	case ok && latest.Name != env.Current:
		return s.show(v, w, env, latest)
	}
	return s.build(v, w, env)
}

// blocked says why the environment cannot be made, nil if it can.
func (s *Spec) blocked(v facts.View, env facts.Environment) *diag.Problem {
	if env.Foreign != "" {
		old := resources.ShellQuote(s.Path + ".old")
		return &diag.Problem{
			Code:    "environment.foreign",
			Summary: fmt.Sprintf("%s is not an environment that reconcile made here, so it is left alone", s.Path),
			Found:   env.Foreign,
			Hint:    fmt.Sprintf("move it away with `mv %s %s` and apply again, or change `path`", resources.ShellQuote(s.Path), old),
		}
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
	if p := s.unquotable(facts.Get[facts.Project](v, facts.ProjectKey)); p != nil {
		return p
	}
	if p := s.foreignLibc(facts.Get[facts.Host](v, facts.HostKey)); p != nil {
		return p
	}
	return s.noInstaller(v, base)
}

// unquotable is the Problem of a prompt or a folder that the activate scripts of
// older Pythons would hand to the shell as they are (CVE-2024-9287).
func (s *Spec) unquotable(project facts.Project) *diag.Problem {
	const special = "\"'`$\\!;&|<>\n\r\t"
	switch {
	case strings.ContainsAny(s.Prompt, special):
		return &diag.Problem{
			Code: "environment.prompt", Summary: fmt.Sprintf("prompt %q has characters that mean something to a shell", s.Prompt),
			Hint: "use letters, digits, spaces and -._()",
		}
	case strings.ContainsAny(project.Root, special):
		return &diag.Problem{
			Code: "environment.root", Summary: fmt.Sprintf("the folder of the project, %q, has characters that activate scripts do not quote", project.Root),
			Hint: "rename the folder to letters, digits, spaces and -._()",
		}
	}
	return nil
}

// wanted is the generation that is asked for, and what it is made with.
type wanted struct {
	project facts.Project
	base    facts.Interpreter
	digest  string
}

// wanted is asked when nothing blocks, so every fact is there.
func (s *Spec) wanted(v facts.View) wanted {
	host := facts.Get[facts.Host](v, facts.HostKey)
	base, _ := facts.Get[facts.Pythons](v, facts.PythonKey(s.Python)).Usable()
	return wanted{
		project: facts.Get[facts.Project](v, facts.ProjectKey),
		base:    base,
		digest:  s.Digest(host.Platform, base),
	}
}

// show makes a generation that is sealed already the visible one.
func (s *Spec) show(v facts.View, w wanted, env facts.Environment, g facts.Generation) resources.Change {
	change := resources.Change{
		Action:  resources.Update,
		Summary: fmt.Sprintf("generation %s is built already", g.Name),
		Steps:   s.enter(v, w, env, g.Name),
	}
	if current, ok := env.CurrentGeneration(); ok {
		change.Fields, change.Packages = s.differences(w, current)
	}
	if env.Current == "" {
		change.Action = resources.Create
	}
	if g.Name != env.Current {
		change.Fields = append(change.Fields, resources.Field{Path: "generation", Actual: env.Current, Desired: g.Name})
	}
	if env.Entry != "" {
		change.Fields = append(change.Fields, resources.Field{Path: s.Path, Actual: env.Entry, Desired: "leads into generation " + g.Name})
	}
	env.Current, env.Entry = g.Name, ""
	change.Predicts = []facts.Fact{env}
	return change
}

// enter makes the visible place where it is not whole, and switches it.
func (s *Spec) enter(v facts.View, w wanted, env facts.Environment, name string) []resources.Step {
	var steps []resources.Step
	if env.Current == "" || env.Entry != "" {
		steps = append(steps, resources.MakeDir{Path: s.Path, Mode: 0o755})
		if facts.Get[facts.Path](v, facts.PathKey(s.ignoreFile())).Type == facts.Absent {
			steps = append(steps, resources.WriteFile{Path: s.ignoreFile(), Mode: 0o644, Content: "*\n"})
		}
		for _, link := range []struct{ name, target string }{
			{"bin", layout.Launchers(layout.GenerationLink)},
			{"lib", path.Join(layout.GenerationLink, "lib")},
			{"pyvenv.cfg", path.Join(layout.GenerationLink, "pyvenv.cfg")},
		} {
			steps = append(steps, resources.Link{Path: path.Join(s.Path, link.name), Target: link.target})
		}
	}
	return append(steps, resources.Switch{
		Environment: s.Name,
		Link:        path.Join(s.Path, layout.GenerationLink),
		Target:      layout.Generation(w.project.State, s.Name, name),
	})
}
