// Package generation is what environments of every type have in common: how the
// next generation is named, compared with the visible one, built from its parts,
// shown and entered. A kind says what it wants and how an empty environment is
// made; everything else is here. It is pure, as kinds are.
//
//  1. The digest of all that decides the content names the generation.
//  2. If the visible generation has it and is sound, nothing is to be done.
//  3. If another sealed one has it, that one becomes visible.
//  4. Else one is built: what is unchanged comes from the visible generation, the
//     rest from the installer; then bytecode, proof, seal.
//  5. The visible place is made where it is not there or not whole, and one link
//     is switched.
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

// Desired is the generation that is asked for.
type Desired struct {
	Environment string // name of the environment: "local"
	Type        string // "venv", "conda": layout.EntryLinks
	Path        string // the visible place: ".venv"
	// Former is the environment that this one was before it got its name, "" for
	// none. What has not changed comes from its visible generation.
	PreviousName string
	Project      facts.Project
	Digest       string               // of all that decides the content
	Python       string               // "3.10.13"
	Base         string               // interpreter it is made from; "" where it brings its own
	Closure      []lock.Dist          // Python distributions, by name
	Conda        []facts.CondaPackage // packages of conda, by name
	// CondaNeed is what getting packages of conda takes; the others are in the cache,
	// to link to.
	CondaNeed func(missing []facts.CondaPackage) resources.Need
	SmokeTest SmokeTest
	Variables []resources.Variable
}

// A Maker is how one type of environment is filled.
type Builder interface {
	// Create are the steps that make the environment without its distributions at
	// its final place, relative to the project.
	Create(generation string) []resources.Step
	// Install are the steps that put distributions into it. spoilt are those whose
	// files were changed in place, so that no cache is to be believed.
	Install(generation string, dists []lock.Dist, spoilt []string) []resources.Step
}

// ignoreFile keeps git out of a visible place.
func ignoreFile(visible string) string { return path.Join(visible, ".gitignore") }

// Reads are the facts that every kind of environment looks at.
func Reads(environment, visible string) []facts.Key {
	return []facts.Key{facts.EnvironmentKey(environment), facts.HostKey, facts.ProjectKey, facts.PathKey(ignoreFile(visible))}
}

// Change compares the visible generation with the one that is asked for.
func (d *Desired) Diff(v facts.View, m Builder) resources.Change {
	env := facts.Get[facts.Environment](v, facts.EnvironmentKey(d.Environment))
	current, exists := env.CurrentGeneration()
	sound := exists && len(current.Damage) == 0
	switch latest, ok := newest(env, d.Digest); {
	case sound && current.Digest == d.Digest && env.Entry == "":
		return resources.Change{Summary: fmt.Sprintf("%d packages, Python %s", len(current.Packages)+len(current.Conda), current.Python)}
	case sound && current.Digest == d.Digest:
		return d.activate(v, env, current)
	case ok && latest.Name != env.Current:
		return d.activate(v, env, latest)
	}
	return d.build(v, env, m)
}

// Rebuild builds another generation though the visible one may be what is asked for.
// Nothing must block, and an environment must be visible.
func (d *Desired) Rebuild(v facts.View, m Builder) resources.Change {
	c := d.build(v, facts.Get[facts.Environment](v, facts.EnvironmentKey(d.Environment)), m)
	c.Action = resources.Replace
	c.Summary = "built anew, as --replace asks; " + c.Summary
	return c
}

// Foreign is the Problem of a visible place that holds something else, nil if it
// does not.
func ForeignProblem(env facts.Environment) *diag.Problem {
	if env.Foreign == "" {
		return nil
	}
	return &diag.Problem{
		Code:    "environment.foreign",
		Summary: fmt.Sprintf("%s is not an environment that reconcile made here, so it is left alone", env.Path),
		Found:   env.Foreign,
		Hint: fmt.Sprintf("move it away with `mv %s %s` and apply again, or change `path`",
			resources.ShellQuote(env.Path), resources.ShellQuote(env.Path+".old")),
	}
}

// shellSpecial are the characters that activate scripts of some clients hand to
// the shell as they are.
const shellSpecial = "\"'`$\\!;&|<>\n\r\t"

// Unquotable is the Problem of a folder that activate scripts would hand to the
// shell as it is (CVE-2024-9287), or that PATH cannot name, nil for others.
func RootProblem(project facts.Project) *diag.Problem {
	what := ""
	switch {
	case strings.ContainsAny(project.Root, shellSpecial):
		what = "characters that activate scripts do not quote"
	case strings.Contains(project.Root, ":"):
		what = "a colon, at which PATH would be cut"
	default:
		return nil
	}
	return &diag.Problem{
		Code: "environment.root", Summary: fmt.Sprintf("the folder of the project, %q, has %s", project.Root, what),
		Hint: "rename the folder to letters, digits, spaces and -._()",
	}
}

// UnquotablePrompt is the same for the prompt that activate shows.
func PromptProblem(prompt string) *diag.Problem {
	if !strings.ContainsAny(prompt, shellSpecial) {
		return nil
	}
	return &diag.Problem{
		Code: "environment.prompt", Summary: fmt.Sprintf("prompt %q has characters that mean something to a shell", prompt),
		Hint: "use letters, digits, spaces and -._()",
	}
}

// show makes a generation that is sealed already the visible one.
func (d *Desired) activate(v facts.View, env facts.Environment, g facts.Generation) resources.Change {
	change := resources.Change{
		Action:  resources.Update,
		Summary: fmt.Sprintf("generation %s is built already", g.Name),
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
		change.Fields = append(change.Fields, resources.Field{Path: d.Path, Actual: env.Entry, Desired: "leads into generation " + g.Name})
	}
	env.Current, env.Entry = g.Name, ""
	change.Predicts = []facts.Fact{env}
	return change
}

// enter makes the visible place where it is not whole, and switches it.
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
