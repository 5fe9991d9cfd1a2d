// Package tool makes sure that there is a helper program, such as uv: it takes
// what the machine has when it is new enough, and otherwise installs a pinned,
// hashed wheel below .reconcile/tools. A program of the machine is left alone.
package tool

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/pep"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Kind is the kind "tool".
var Kind = resources.Kind{Name: "tool", Doc: doc, New: func() resources.Spec { return &Spec{} }, Codes: codes}

const doc = `A helper program, such as uv, that installs packages for the environments of this machine.

| field | meaning |
|---|---|
| ` + "`name`" + ` | the program |
| ` + "`version`" + ` | the version of the pinned wheel |
| ` + "`minimum`" + ` | the oldest version that is taken from the machine |
| ` + "`python`" + ` | the line of Python whose pip installs the wheel |
| ` + "`or`" + ` | other lines that serve as well |
| ` + "`unless`" + ` | programs that serve as well where there is no interpreter to install this one with |
| ` + "`packed`" + ` | the wheel stays as it is; who uses it unpacks it |
| ` + "`wheels`" + ` | the pinned wheels, with the SHA-256 of each and of the program in it |

A program on PATH is used when its version is known and new enough, and is never
changed. Otherwise the pinned wheel goes into
` + "`.reconcile/tools/<platform>/<name>-<version>`" + `; the file ` + "`complete`" + ` there is written
last and names the digest of the program. A folder without it, or with a digest
that this program does not carry, is not used; the program itself is compared with
that digest just before it is run. So a helper that came with a clone of the
project is worth nothing.
`

// Spec asks for one helper program.
type Spec struct {
	Name    string `json:"name"`    // "uv"
	Version string `json:"version"` // of the pinned wheel
	// Distribution is the name that the index knows the wheel by, "" for Name.
	Distribution string `json:"distribution,omitempty"`
	Minimum      string `json:"minimum"` // the oldest that is taken from the machine
	Python       string `json:"python"`  // line of the interpreter whose pip installs the wheel
	// Or are other lines that serve as well.
	Or []string `json:"or,omitempty"`
	// Packed leaves the wheel as it is, for those who unpack it each time that they
	// use it: then its digest says all, and what lies about of it is never believed.
	// Nothing of the machine is taken in its place.
	Packed bool `json:"packed,omitempty"`
	// Unless are programs that serve as well where there is no interpreter with pip to
	// install this one with.
	Unless []string `json:"unless,omitempty"`
	Wheels []Wheel  `json:"wheels"` // one a platform, on Linux one a libc
}

// Owns is the program.
func (s *Spec) Owns() facts.Key { return facts.ToolKey(s.Name) }

// Reads is what Owns names, what decides which wheel fits, and the interpreter
// that installs it.
func (s *Spec) Reads() []facts.Key {
	keys := append([]facts.Key{s.Owns(), facts.HostKey, facts.ProjectKey}, resources.PythonKeys(s.lines())...)
	return append(keys, resources.ToolKeys(s.Unless)...)
}

// lines are those of the interpreters that can install the wheel.
func (s *Spec) lines() []string { return append([]string{s.Python}, s.Or...) }

// Diff takes the program that is there, or installs the pinned wheel.
func (s *Spec) Diff(v facts.View) resources.Change {
	actual, host := facts.Get[facts.Tool](v, s.Owns()), facts.Get[facts.Host](v, facts.HostKey)
	wheel, pinned := s.wheel(host)
	reason := s.unusable(actual, wheel)
	if reason == "" {
		return resources.Change{Summary: fmt.Sprintf("%s %s at %s", s.Name, actual.Version, actual.Path)}
	}
	if !pinned {
		return resources.Block(&diag.Problem{
			Code:    "tool.none",
			Summary: fmt.Sprintf("%s is not available on this machine, and no wheel of it is pinned for %s", s.Name, host.Platform),
			Found:   reason,
			Hint:    s.other(),
		})
	}
	base, ok := s.base(v)
	_, _, pip := resources.PipCommand(base, "")
	if other, found := resources.FirstTool(v, s.Unless); !pip && found {
		return resources.Change{Summary: fmt.Sprintf("done without: %s is at %s", other.Name, other.Path)}
	}
	if !ok {
		return resources.Block(&diag.Problem{
			Code: "python.none", Summary: fmt.Sprintf("there is no usable Python %s to install %s with", s.Python, s.Name),
			Hint: fmt.Sprintf("install Python %s, or %s", s.Python, s.instead()),
		})
	}
	if !pip {
		return resources.Block(s.noPip(base))
	}
	project := facts.Get[facts.Project](v, facts.ProjectKey)
	change := s.install(wheel, base, reason, host, project)
	if other, ok := folderOf(actual, project, host); ok && other != layout.Tool(host.Platform, s.Name, s.Version) {
		change.Fields = append(change.Fields, resources.Field{Path: other, Actual: "not pinned"})
		change.Steps = append([]resources.Step{resources.Remove{Path: other}}, change.Steps...)
	}
	return change
}

// base returns the interpreter that installs: the first usable one that has pip, else
// the first usable one.
func (s *Spec) base(v facts.View) (facts.Interpreter, bool) {
	for _, line := range s.lines() {
		i, ok := resources.FirstPython(v, []string{line})
		if _, _, pip := resources.PipCommand(i, ""); ok && pip {
			return i, true
		}
	}
	return resources.FirstPython(v, s.lines())
}

// other is what to do where the pinned wheel does not fit.
func (s *Spec) other() string {
	if s.Packed {
		return "install micromamba, mamba or conda and choose it as `engine`"
	}
	return fmt.Sprintf("install %s %s or newer and put it on PATH, or choose `installer: pip`", s.Name, s.Minimum)
}

// instead is what serves in place of an interpreter that could install it.
func (s *Spec) instead() string {
	if s.Packed {
		return "micromamba, mamba or conda"
	}
	return fmt.Sprintf("%s %s or newer", s.Name, s.Minimum)
}

// folderOf returns the folder of a helper below .reconcile/tools. One that is not
// pinned makes way, since the newest there is what a probe finds.
func folderOf(actual facts.Tool, project facts.Project, host facts.Host) (string, bool) {
	folder, inside := strings.CutPrefix(path.Dir(path.Dir(actual.Path)), project.Root+"/")
	return folder, inside && actual.Source == "reconcile" && path.Dir(folder) == layout.Tools(host.Platform)
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

// unusable says why the program that was found is not taken, "" if it is.
func (s *Spec) unusable(actual facts.Tool, pinned Wheel) string {
	switch {
	case actual.Path == "" && actual.Refused == "":
		return "none found"
	case actual.Refused != "":
		return actual.Refused
	case actual.Source == "reconcile":
		if pinned.Program.IsZero() || actual.SHA256 != pinned.Program {
			return fmt.Sprintf("%s is not the one that is pinned", actual.Path)
		}
		return ""
	case s.Packed:
		return "none found"
	case actual.Version == "":
		return fmt.Sprintf("the version of %s is not known", actual.Path)
	}
	have, errHave := semver.NewVersion(actual.Version)
	least, errLeast := semver.NewVersion(s.Minimum)
	if errHave != nil || errLeast != nil || have.LessThan(least) {
		return fmt.Sprintf("%s is version %s, older than %s", actual.Path, actual.Version, s.Minimum)
	}
	return ""
}

func (s *Spec) noPip(base facts.Interpreter) *diag.Problem {
	return &diag.Problem{
		Code:    "tool.pip",
		Summary: fmt.Sprintf("%s has no pip, so %s cannot be installed", base.Path, s.Name),
		Found:   fmt.Sprintf("Python %s (%s) without ensurepip and without pip", base.Version, base.Source),
		Hint:    fmt.Sprintf("on Debian and Ubuntu run `sudo apt install python%s-venv`; or install %s", pep.MajorMinor(base.Version), s.instead()),
	}
}

// dist is the distribution that brings the helper.
func (s *Spec) dist() string {
	if s.Distribution != "" {
		return s.Distribution
	}
	return s.Name
}

// install puts the wheel into its folder and, last, says that it is complete.
func (s *Spec) install(w Wheel, base facts.Interpreter, reason string, host facts.Host, project facts.Project) resources.Change {
	dir := layout.Tool(host.Platform, s.Name, s.Version)
	absolute := path.Join(project.Root, dir)
	requirements := path.Join(dir, "requirements.txt")
	program, words, _ := resources.PipCommand(base, "")
	cache := path.Join(project.Root, layout.Cache("pip"))
	place := path.Join(absolute, "bin", s.Name)
	if s.Packed {
		words = append(append(words, resources.PipDownload(cache)...), "--dest", absolute)
		place = path.Join(absolute, w.File)
	} else {
		words = append(append(words, resources.PipInstall(cache)...), "--target", absolute)
	}
	words = append(words, "-r", path.Join(project.Root, requirements))
	dist := lock.Dist{Name: s.dist(), Version: s.Version, Wheels: []lock.Wheel{w.Wheel}}
	return resources.Change{
		Action:  resources.Create,
		Summary: reason,
		Fields:  []resources.Field{{Path: s.Name, Desired: s.Version + " in " + dir}},
		Steps: []resources.Step{
			resources.Remove{Path: dir},
			resources.WriteFile{Path: requirements, Mode: 0o644, Content: lock.HashedRequirements([]lock.Dist{dist})},
			resources.Run{Program: program, Args: words, Env: resources.PipEnv(), Index: true, Writes: dir},
			resources.WriteFile{Path: layout.ToolComplete(dir), Mode: 0o644, Content: w.Program.String() + "\n"},
		},
		Predicts: []facts.Fact{facts.Tool{
			Name: s.Name, Path: place, Version: s.Version, Source: "reconcile", SHA256: w.Program,
		}},
		Need: resources.Need{Download: dist.Download(), Disk: dist.Disk()},
	}
}
