// Package generation plans the generations of environments of every type: it names the
// next generation, compares it with the active one, and returns the steps that build,
// activate and remove generations. A kind provides the desired generation and creates an
// empty environment. Like kinds, the package is pure.
//
//  1. The digest of everything that determines the content names the generation.
//  2. If the active generation has it and is intact, there is no change.
//  3. If another sealed generation has it, that one is activated.
//  4. Otherwise one is built: wheels that the store lacks are unpacked into it, and the
//     generation is assembled from it; then smoke test and seal.
//  5. The environment path is created or completed, and one link is switched.
package generation

import (
	"fmt"
	"path"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Desired is the desired generation.
type Desired struct {
	Environment  string // name of the environment: "local"
	Type         string // "venv", "conda": layout.EntryLinks
	Path         string // of the environment: ".venv"
	PreviousName string // of the environment before it was moved, "" for none
	Project      facts.Project
	Digest       string               // of everything that determines the content
	Python       string               // "3.10.13"
	Base         string               // interpreter that creates it; "" if Python is a package
	Closure      []lock.Dist          // Python distributions, by name
	Builds       BuildKeys            // of those that are built
	Conda        []facts.CondaPackage // conda packages, by name
	// CondaNeed returns the needs of conda packages that are not in the cache, and those parts
	// of them that other environments may share.
	CondaNeed func(missing []facts.CondaPackage) (resources.Need, []resources.SharedNeed)
	Requests  map[string]string // as in Content
	SmokeTest SmokeTest
	Variables []resources.Variable
	// CompileAll compiles the whole generation before it is sealed, and not only what the
	// smoke test imports.
	CompileAll bool
	// Create returns the steps that create the environment without distributions, at its
	// final path.
	Create func(generation string) []resources.Step
}

// ignoreFile returns the path of the .gitignore of an environment.
func ignoreFile(env string) string { return path.Join(env, ".gitignore") }

// Diff compares the active generation with the desired one.
func (d *Desired) Diff(v facts.View) resources.Change {
	env := facts.Get[facts.Environment](v, facts.EnvironmentKey(d.Environment))
	current, exists := env.CurrentGeneration()
	intact := exists && len(current.Damage) == 0
	switch latest, ok := newest(env, d.Digest); {
	case intact && current.Digest == d.Digest && env.Entry == "":
		return resources.Change{Summary: fmt.Sprintf("%d packages, Python %s", len(current.Packages)+len(current.Conda), current.Python)}
	case intact && current.Digest == d.Digest:
		return d.activate(v, env, current)
	case ok && latest.Name != env.Current:
		return d.activate(v, env, latest)
	}
	return d.build(v, env)
}

// Rebuild builds another generation even if the active one is as desired. An environment
// must be active, and nothing must block.
func (d *Desired) Rebuild(v facts.View) resources.Change {
	c := d.build(v, facts.Get[facts.Environment](v, facts.EnvironmentKey(d.Environment)))
	c.Action = resources.Replace
	c.Summary = "built again because of --replace; " + c.Summary
	return c
}

// ForeignProblem returns the problem of an environment path that reconcile did not
// create, or in which other files are in the place of its links; nil for none.
func ForeignProblem(env facts.Environment) *diag.Problem {
	found := env.Foreign
	if found == "" && strings.Contains(env.Entry, " is not a link") {
		found = "a directory in which " + env.Entry
	}
	if found == "" {
		return nil
	}
	return &diag.Problem{
		Code:    "environment.foreign",
		Summary: fmt.Sprintf("%s exists and is not an environment of reconcile, so it was not changed", env.Path),
		Found:   found,
		Hint: fmt.Sprintf("move it away with `mv %s %s` and apply again, or change `path`",
			resources.ShellQuote(env.Path), resources.ShellQuote(env.Path+".old")),
	}
}

// shellSpecial are the characters that activate scripts of some clients do not quote
// (CVE-2024-9287).
const shellSpecial = "\"'`$\\!;&|<>\n\r\t"

// PromptProblem returns the problem of a prompt that activate scripts do not quote, nil for
// none.
func PromptProblem(prompt string) *diag.Problem {
	if !strings.ContainsAny(prompt, shellSpecial) {
		return nil
	}
	return &diag.Problem{
		Code: "environment.prompt", Summary: fmt.Sprintf("prompt %q has characters that a shell interprets", prompt),
		Hint: "use letters, digits, spaces and -._()",
	}
}

// activate activates a sealed generation.
func (d *Desired) activate(v facts.View, env facts.Environment, g facts.Generation) resources.Change {
	change := resources.Change{
		Action:  resources.Update,
		Summary: fmt.Sprintf("generation %s is already built", g.Name),
		Steps:   d.activateSteps(v, env, g.Name),
	}
	if current, ok := env.CurrentGeneration(); ok {
		change.Fields, change.Packages = d.differences(current)
	}
	if env.Current == "" {
		change.Action = resources.Create
	}
	if g.Name != env.Current {
		change.Fields = append(change.Fields, resources.Field{Path: "generation", Actual: env.Current, Desired: g.Name})
	}
	if env.Entry != "" {
		change.Fields = append(change.Fields, resources.Field{Path: d.Path, Actual: env.Entry, Desired: "links to generation " + g.Name})
	}
	env.Current, env.Entry = g.Name, ""
	change.Predicts = []facts.Fact{env}
	return change
}

// activateSteps returns the steps that create or complete the environment path, and the
// switch.
func (d *Desired) activateSteps(v facts.View, env facts.Environment, name string) []resources.Step {
	var steps []resources.Step
	if env.Current == "" || env.Entry != "" {
		steps = append(steps, resources.MakeDir{Path: d.Path, Mode: 0o755})
		if ignore := ignoreFile(d.Path); facts.Get[facts.Path](v, facts.PathKey(ignore)).Type == facts.Absent {
			steps = append(steps, resources.WriteFile{Path: ignore, Mode: 0o644, Content: layout.IgnoreAll})
		}
		for _, link := range layout.EntryLinks(d.Type) {
			steps = append(steps, resources.Link{Path: path.Join(d.Path, link.Name), Target: link.Target})
		}
	}
	return append(steps, resources.Switch{
		Environment: d.Environment,
		Link:        path.Join(d.Path, layout.GenerationLink),
		Target:      layout.Generation(d.Project.State, d.Environment, name),
	})
}
