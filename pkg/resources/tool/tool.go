// Package tool provides a helper program, such as uv: that of the machine if it is new
// enough, or else a pinned wheel in the store. It never changes a program of the machine.
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
	// Packed keeps the wheel as it is; each use unpacks it. Then its digest covers
	// everything, and nothing that is already unpacked is trusted. No program of the
	// machine is accepted.
	Packed bool    `json:"packed,omitempty"`
	Wheels []Wheel `json:"wheels"` // one per platform, on Linux one per libc
}

// Owns returns the key of the program.
func (s *Spec) Owns() facts.Key { return facts.ToolKey(s.Name) }

// Reads returns the program, and the facts that select a wheel.
func (s *Spec) Reads() []facts.Key {
	return []facts.Key{s.Owns(), facts.HostKey, facts.ProjectKey}
}

// Diff accepts an existing program, or fetches the pinned wheel.
func (s *Spec) Diff(v facts.View) resources.Change {
	actual, host := facts.Get[facts.Tool](v, s.Owns()), facts.Get[facts.Host](v, facts.HostKey)
	wheel, pinned := s.wheel(host)
	reason := s.refuse(actual, wheel)
	switch {
	case reason == "":
		return resources.Change{Summary: fmt.Sprintf("%s %s at %s", s.Name, actual.Version, actual.Path)}
	case pinned:
		return s.fetch(wheel, reason, actual, facts.Get[facts.Project](v, facts.ProjectKey), host)
	}
	hint := fmt.Sprintf("install %s %s or newer and put it on PATH", s.Name, s.Minimum)
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

// installed returns the fact of the program of a wheel in the store.
func (s *Spec) installed(w Wheel, store, platform string) facts.Tool {
	t := facts.Tool{Name: s.Name, Version: s.Version, Source: "reconcile", SHA256: w.Program}
	if s.Packed {
		t.Path = path.Join(layout.Tools(store, platform), w.File)
	} else {
		t.Path = path.Join(layout.DistFiles(layout.Dist(store, w.SHA256.String())), s.Name+"-"+s.Version+".data/scripts", s.Name)
	}
	return t
}

// fetch puts the wheel into the store. A program of an unpacked wheel may be damaged although
// the metadata of its file is unchanged, so that the wheel must be removed first.
func (s *Spec) fetch(w Wheel, reason string, actual facts.Tool, project facts.Project, host facts.Host) resources.Change {
	after := s.installed(w, project.Store, host.Platform)
	wheel := resources.Wheel{Name: cmp.Or(s.Distribution, s.Name), Version: s.Version, File: w.File, Size: w.Size, SHA256: w.SHA256}
	change := resources.Change{
		Action:   resources.Create,
		Summary:  reason,
		Fields:   []resources.Field{{Path: s.Name, Desired: s.Version + " in the store"}},
		Predicts: []facts.Fact{after},
		Need:     resources.Need{Download: w.Size, Disk: w.Unpacked},
	}
	if s.Packed {
		change.Steps = []resources.Step{resources.FetchWheel{Wheel: wheel, Path: after.Path}}
		return change
	}
	if actual.Path == after.Path {
		change.Steps = append(change.Steps, resources.Remove{Path: layout.Dist(project.Store, w.SHA256.String())})
	}
	change.Steps = append(change.Steps, resources.Unpack{Wheels: []resources.Wheel{wheel}})
	return change
}
