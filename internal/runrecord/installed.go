package runrecord

import (
	"strings"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Installed is the environments, GPU and disks of a machine, for status and summary.
type Installed struct {
	Environments []Environment  `json:"environments"`
	GPU          *facts.GPU     `json:"gpu,omitempty"`
	Nvidia       *facts.Nvidia  `json:"nvidia,omitempty"` // if the manifest reads it
	Disks        []Disk         `json:"disks"`
	Unknown      []UnknownThing `json:"unknown,omitempty"`
}

// An Environment is the active generation of one environment.
type Environment struct {
	Name       string               `json:"name"`
	Path       string               `json:"path"`
	Foreign    string               `json:"foreign,omitempty"` // why reconcile does not own it
	Generation string               `json:"generation,omitempty"`
	Python     string               `json:"python,omitempty"`
	Base       string               `json:"base,omitempty"` // interpreter that created it
	Packages   []facts.Package      `json:"packages"`
	Conda      []facts.CondaPackage `json:"conda,omitempty"` // conda packages
	Damage     []facts.Damage       `json:"damage,omitempty"`
	Enter      map[string]string    `json:"enter,omitempty"` // commands by shell, and "run" for a single command
}

// A Disk is the fact of a disk with its path.
type Disk struct {
	Path string `json:"path"`
	facts.Disk
}

// An UnknownThing is a fact that could not be probed, with the reason.
type UnknownThing struct {
	Key    facts.Key `json:"key"`
	Reason string    `json:"reason"`
}

// InstalledOn returns the installed things of a machine from its facts. plan is the plan for
// it. Both may be nil.
func InstalledOn(known *facts.Facts, plan *planner.Plan) Installed {
	out := Installed{Environments: []Environment{}, Disks: []Disk{}}
	if known == nil {
		return out
	}
	for _, k := range known.Keys() {
		fact, reason, ok := known.Lookup(k)
		if !ok {
			out.Unknown = append(out.Unknown, UnknownThing{k, reason})
			continue
		}
		switch fact := fact.(type) {
		case facts.Environment:
			out.Environments = append(out.Environments, newEnvironment(fact))
		case facts.GPU:
			out.GPU = &fact
		case facts.Nvidia:
			out.Nvidia = &fact
		case facts.Disk:
			out.Disks = append(out.Disks, Disk{fact.Path, fact})
		}
	}
	if len(out.Environments) > 1 || plan != nil && plan.Named {
		for _, e := range out.Environments {
			if e.Enter != nil {
				e.Enter["run"] = runCommand + " --env " + e.Name + runArguments
			}
		}
	}
	return out
}

// Flags returns the flags of commands on a built environment: " --env NAME", or "" for the one
// of commands without flags.
func (e *Environment) Flags() string {
	return strings.TrimSuffix(strings.TrimPrefix(e.Enter["run"], runCommand), runArguments)
}

// The parts of the command that starts a program in an environment, around its flags.
const (
	runCommand   = "reconcile run"
	runArguments = " -- COMMAND"
)

func newEnvironment(e facts.Environment) Environment {
	out := Environment{Name: e.Name, Path: e.Path, Foreign: e.Foreign, Packages: []facts.Package{}}
	g, ok := e.CurrentGeneration()
	if !ok || e.Foreign != "" {
		return out
	}
	out.Generation, out.Python, out.Base, out.Damage, out.Conda = g.Name, g.Python, g.Base, g.Damage, g.Conda
	if g.Packages != nil {
		out.Packages = g.Packages
	}
	activate := e.Path + "/bin/activate"
	out.Enter = map[string]string{"sh": "source " + resources.ShellQuote(activate), "run": runCommand + runArguments}
	if len(g.Conda) > 0 {
		out.Enter["conda"] = "conda activate " + resources.ShellQuote("./"+e.Path)
		return out
	}
	out.Enter["fish"] = "source " + resources.ShellQuote(activate+".fish")
	out.Enter["csh"] = "source " + resources.ShellQuote(activate+".csh")
	return out
}
