// Package python provides an interpreter of one Python minor version: one of the machine,
// or else a pinned build in the store. It never changes an existing interpreter.
package python

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Kind is the kind "python".
var Kind = resources.Kind{Name: "python", New: func() resources.Spec { return &Spec{} }}

// Spec requires a usable interpreter.
type Spec struct {
	Minor string `json:"line"` // "3.10"
	// Or are other minor versions that are accepted, for an interpreter that only runs a
	// helper.
	Or []string `json:"or,omitempty"`
	// Unless are programs that make the interpreter of a helper unnecessary.
	Unless []string `json:"unless,omitempty"`
	Builds []Build  `json:"builds"` // may be fetched; in order of preference, of all platforms
}

// A Build is a relocatable interpreter that can be fetched: an archive (tar.gz) with one top
// directory that contains bin/python3.10.
type Build struct {
	Version  string       `json:"version"`  // "3.10.21"
	Platform string       `json:"platform"` // "linux-x86_64"; on Linux it needs glibc
	URLs     []string     `json:"urls"`
	SHA256   facts.SHA256 `json:"sha256"`
	Size     int64        `json:"size,omitempty"`     // bytes of the archive; 0 if unknown
	Unpacked int64        `json:"unpacked,omitempty"` // bytes on disk; 0 if unknown
}

//go:embed builds.json
var buildsJSON []byte

// DefaultBuilds returns the pinned builds, in order of preference. builds.json names their
// source.
func DefaultBuilds() []Build {
	var doc struct {
		Format int     `json:"format"`
		Source string  `json:"source"`
		Builds []Build `json:"builds"`
	}
	if err := json.Unmarshal(buildsJSON, &doc); err != nil || doc.Format != 1 {
		panic(fmt.Sprintf("builds.json, embedded in this program: format %d: %v", doc.Format, err))
	}
	return doc.Builds
}

// IsArchive reports whether the SHA-256 is that of a pinned build.
func IsArchive(sum facts.SHA256) bool {
	return slices.ContainsFunc(DefaultBuilds(), func(b Build) bool { return b.SHA256 == sum })
}

// Owns returns the key of the minor version.
func (s *Spec) Owns() facts.Key { return facts.PythonKey(s.Minor) }

// Reads returns the interpreters, the alternatives, and the facts that select a build.
func (s *Spec) Reads() []facts.Key {
	return slices.Concat([]facts.Key{s.Owns(), facts.HostKey, facts.ProjectKey}, resources.PythonKeys(s.Or), resources.ToolKeys(s.Unless))
}

// Diff accepts an existing interpreter or alternative, or fetches a build.
func (s *Spec) Diff(v facts.View) resources.Change {
	pythons := facts.Get[facts.Pythons](v, s.Owns())
	if i, ok := resources.FirstPython(v, append([]string{s.Minor}, s.Or...)); ok {
		return resources.Change{Summary: fmt.Sprintf("Python %s (%s) at %s", i.Version, i.Source, i.Path)}
	}
	if other, ok := resources.FirstTool(v, s.Unless); ok {
		return resources.Change{Summary: fmt.Sprintf("not needed: %s is at %s", other.Name, other.Path)}
	}
	host, project := facts.Get[facts.Host](v, facts.HostKey), facts.Get[facts.Project](v, facts.ProjectKey)
	i := slices.IndexFunc(s.Builds, func(b Build) bool {
		return b.Platform == host.Platform && strings.HasPrefix(b.Version, s.Minor+".")
	})
	if i < 0 || host.Libc.Name == "musl" {
		return resources.Block(s.problem(pythons, host))
	}
	return s.fetch(s.Builds[i], pythons, host, project)
}

// fetch fetches a build, and first removes a refused one from its directory.
func (s *Spec) fetch(b Build, pythons facts.Pythons, host facts.Host, project facts.Project) resources.Change {
	prefix := layout.Interpreter(project.Store, host.Platform, b.Version, b.SHA256.String())
	change := resources.Change{
		Action:  resources.Create,
		Summary: fmt.Sprintf("no usable Python %s on this machine; fetching a pinned build", s.Minor),
		Fields:  []resources.Field{{Path: "python", Desired: b.Version + " in " + prefix}},
		Need:    resources.Need{Download: b.Size, Disk: b.Unpacked},
	}
	after := facts.Pythons{Minor: s.Minor, Searched: pythons.Searched, Found: []facts.Interpreter{{
		Path: path.Join(prefix, "bin", "python"+s.Minor), Prefix: prefix, Version: b.Version,
		Arch: host.Arch, Source: "reconcile",
	}}}
	for _, i := range pythons.Found {
		change.Fields = append(change.Fields, resources.Field{Path: i.Path, Actual: "refused: " + i.Refused, Desired: "not used"})
		if i.Prefix == prefix {
			change.Steps = append(change.Steps, resources.Remove{Path: prefix})
		} else {
			after.Found = append(after.Found, i)
		}
	}
	change.Steps = append(change.Steps, resources.Fetch{
		URLs: b.URLs, SHA256: b.SHA256, Size: b.Size, Path: prefix, Unpack: "tar.gz", Strip: 1, Hint: s.hint(host),
	})
	change.Predicts = []facts.Fact{after}
	return change
}

// problem reports that there is neither an interpreter nor a build.
func (s *Spec) problem(pythons facts.Pythons, host facts.Host) *diag.Problem {
	var found []string
	for _, i := range pythons.Found {
		found = append(found, fmt.Sprintf("%s (%s %s): refused: %s", i.Path, i.Version, i.Source, i.Refused))
	}
	if len(pythons.Searched) > 0 {
		found = append(found, "searched "+strings.Join(pythons.Searched, ", "))
	}
	if len(found) == 0 {
		found = append(found, "nothing")
	}
	platform := host.Platform
	if host.Libc.Name == "musl" {
		platform += " with musl"
	}
	return &diag.Problem{
		Code:    "python.none",
		Summary: fmt.Sprintf("Python %s is not available on this machine, and no build of it is pinned for %s", s.Minor, platform),
		Found:   strings.Join(found, "\n"),
		Hint:    s.hint(host),
	}
}

// hint returns the command that installs the interpreter on this system.
func (s *Spec) hint(host facts.Host) string {
	anywhere := fmt.Sprintf("`uv python install %s` or `pyenv install %s`", s.Minor, s.Minor)
	system := strings.ToLower(host.OSVersion)
	is := func(names ...string) bool {
		return slices.ContainsFunc(names, func(name string) bool { return strings.Contains(system, name) })
	}
	switch {
	case host.OS == "darwin":
		return fmt.Sprintf("run `brew install python@%s`, %s", s.Minor, anywhere)
	case host.Libc.Name == "musl":
		return fmt.Sprintf("run %s, or use a system with glibc: the locked wheels need it", anywhere)
	case is("fedora", "rhel", "red hat", "rocky", "alma", "centos"):
		return fmt.Sprintf("run `sudo dnf install python%s` if the release has it, or %s", s.Minor, anywhere)
	case is("ubuntu", "debian", "mint"):
		return fmt.Sprintf("run `sudo apt install python%s python%s-venv` if the release has it, or %s", s.Minor, s.Minor, anywhere)
	case is("arch"):
		return fmt.Sprintf("run %s", anywhere)
	}
	return fmt.Sprintf("install Python %s with the system's packages, or run %s", s.Minor, anywhere)
}
