// Package tool provides a helper program, such as uv: that of the machine if it is new
// enough, or else a pinned, hashed wheel in the store. It never changes a program
// of the machine.
package tool

import (
	"cmp"
	"fmt"
	"path"
	"slices"

	"github.com/Masterminds/semver/v3"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/pep"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Kind is the kind "tool".
var Kind = resources.Kind{Name: "tool", New: func() resources.Spec { return &Spec{} }}

// Spec requires one helper program.
type Spec struct {
	Name    string `json:"name"`    // "uv"
	Version string `json:"version"` // of the pinned wheel
	// Distribution is the name of the wheel in the index, "" for Name.
	Distribution string `json:"distribution,omitempty"`
	Minimum      string `json:"minimum"` // the oldest accepted version of the machine
	Python       string `json:"python"`  // minor version of the interpreter whose pip installs the wheel
	// Or are other minor versions that are accepted.
	Or []string `json:"or,omitempty"`
	// Packed keeps the wheel as it is; each use unpacks it. Then its digest covers
	// everything, and nothing that is already unpacked is trusted. No program of the
	// machine is accepted.
	Packed bool `json:"packed,omitempty"`
	// Unless are programs that make this one unnecessary if no interpreter has pip.
	Unless []string `json:"unless,omitempty"`
	Wheels []Wheel  `json:"wheels"` // one per platform, on Linux one per libc
}

// Owns returns the key of the program.
func (s *Spec) Owns() facts.Key { return facts.ToolKey(s.Name) }

// Reads returns the program, the alternatives, the interpreters, and the facts that select a
// wheel.
func (s *Spec) Reads() []facts.Key {
	return slices.Concat([]facts.Key{s.Owns(), facts.HostKey, facts.ProjectKey}, resources.PythonKeys(s.minors()), resources.ToolKeys(s.Unless))
}

// minors returns the minor versions of the interpreters that can install the wheel.
func (s *Spec) minors() []string { return append([]string{s.Python}, s.Or...) }

// Diff accepts an existing program or alternative, or installs the pinned wheel.
func (s *Spec) Diff(v facts.View) resources.Change {
	actual, host := facts.Get[facts.Tool](v, s.Owns()), facts.Get[facts.Host](v, facts.HostKey)
	wheel, pinned := s.wheel(host)
	reason := s.refuse(actual, wheel)
	if reason == "" {
		return resources.Change{Summary: fmt.Sprintf("%s %s at %s", s.Name, actual.Version, actual.Path)}
	}
	if !pinned {
		hint := fmt.Sprintf("install %s %s or newer and put it on PATH, or set `installer: pip`", s.Name, s.Minimum)
		if s.Packed {
			hint = "install micromamba, mamba or conda and set it as `engine`"
		}
		return resources.Block(&diag.Problem{
			Code:    "tool.none",
			Summary: fmt.Sprintf("%s is not available on this machine, and no wheel of it is pinned for %s", s.Name, host.Platform),
			Found:   reason,
			Hint:    hint,
		})
	}
	base, ok := s.base(v)
	_, _, pip := resources.PipCommand(base, "")
	if other, found := resources.FirstTool(v, s.Unless); !pip && found {
		return resources.Change{Summary: fmt.Sprintf("not needed: %s is at %s", other.Name, other.Path)}
	}
	if !pip {
		return resources.Block(s.pipProblem(base, ok))
	}
	return s.install(wheel, base, reason, host, facts.Get[facts.Project](v, facts.ProjectKey))
}

// base returns the interpreter that installs: the first usable one with pip, else the first
// usable one.
func (s *Spec) base(v facts.View) (facts.Interpreter, bool) {
	for _, minor := range s.minors() {
		i, ok := resources.FirstPython(v, []string{minor})
		if _, _, pip := resources.PipCommand(i, ""); ok && pip {
			return i, true
		}
	}
	return resources.FirstPython(v, s.minors())
}

// wheel returns the pinned wheel for a machine.
func (s *Spec) wheel(host facts.Host) (Wheel, bool) {
	for _, w := range s.Wheels {
		if slices.Contains(w.Platforms, host.Platform) && (w.Libc == "" || host.Libc.Name == "" || w.Libc == host.Libc.Name) {
			return w, true
		}
	}
	return Wheel{}, false
}

// refuse returns why an existing program is not accepted, "" if it is.
func (s *Spec) refuse(actual facts.Tool, pinned Wheel) string {
	switch {
	case actual.Path == "" && actual.Refused == "":
		return "none found"
	case actual.Refused != "":
		return actual.Refused
	case actual.Source == "reconcile":
		if pinned.Program.IsZero() || actual.SHA256 != pinned.Program {
			return fmt.Sprintf("%s is not the pinned version", actual.Path)
		}
		return ""
	case s.Packed:
		return "none found"
	case actual.Version == "":
		return fmt.Sprintf("the version of %s is unknown", actual.Path)
	}
	have, errHave := semver.NewVersion(actual.Version)
	least, errLeast := semver.NewVersion(s.Minimum)
	if errHave != nil || errLeast != nil || have.LessThan(least) {
		return fmt.Sprintf("%s is version %s, older than %s", actual.Path, actual.Version, s.Minimum)
	}
	return ""
}

// pipProblem reports that no interpreter can install the wheel; found is false if there is
// no interpreter at all.
func (s *Spec) pipProblem(base facts.Interpreter, found bool) *diag.Problem {
	alternative := fmt.Sprintf("%s %s or newer", s.Name, s.Minimum)
	if s.Packed {
		alternative = "micromamba, mamba or conda"
	}
	if !found {
		return &diag.Problem{
			Code: "python.none", Summary: fmt.Sprintf("there is no usable Python %s to install %s with", s.Python, s.Name),
			Hint: fmt.Sprintf("install Python %s, or %s", s.Python, alternative),
		}
	}
	return &diag.Problem{
		Code:    "tool.pip",
		Summary: fmt.Sprintf("%s has no pip, so %s cannot be installed", base.Path, s.Name),
		Found:   fmt.Sprintf("Python %s (%s) without ensurepip and without pip", base.Version, base.Source),
		Hint:    fmt.Sprintf("on Debian and Ubuntu run `sudo apt install python%s-venv`; or install %s", pep.MajorMinor(base.Version), alternative),
	}
}

// install installs the wheel into its directory, and writes the file complete last.
func (s *Spec) install(w Wheel, base facts.Interpreter, reason string, host facts.Host, project facts.Project) resources.Change {
	dir := layout.Tool(project.Store, host.Platform, s.Name, s.Version)
	requirements := path.Join(dir, "requirements.txt")
	program, args, _ := resources.PipCommand(base, "")
	cache := layout.Cache(project.Store, "pip")
	installed := path.Join(dir, "bin", s.Name)
	if s.Packed {
		args = slices.Concat(args, resources.PipDownload(cache), []string{"--dest", dir})
		installed = path.Join(dir, w.File)
	} else {
		args = slices.Concat(args, resources.PipInstall(cache), []string{"--target", dir})
	}
	args = append(args, "-r", requirements)
	dist := lock.Dist{Name: cmp.Or(s.Distribution, s.Name), Version: s.Version, Wheels: []lock.Wheel{w.Wheel}}
	return resources.Change{
		Action:  resources.Create,
		Summary: reason,
		Fields:  []resources.Field{{Path: s.Name, Desired: s.Version + " in " + dir}},
		Steps: []resources.Step{
			resources.Remove{Path: dir},
			resources.WriteFile{Path: requirements, Mode: 0o644, Internal: true, Content: lock.HashedRequirements([]lock.Dist{dist})},
			resources.Run{Program: program, Args: args, Env: resources.PipEnv(), Index: true, Writes: dir},
			resources.WriteFile{Path: layout.ToolComplete(dir), Mode: 0o644, Internal: true, Content: w.Program.String() + "\n"},
		},
		Predicts: []facts.Fact{facts.Tool{
			Name: s.Name, Path: installed, Version: s.Version, Source: "reconcile", SHA256: w.Program,
		}},
		Need: resources.Need{Download: dist.Download(), Disk: dist.Disk()},
	}
}
