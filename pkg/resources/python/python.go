// Package python makes sure that there is an interpreter of a line of Python: it
// takes what the machine has, and otherwise puts a pinned build below
// .reconcile/tools. Interpreters that are there are left alone, whoever
// installed them.
package python

import (
	"fmt"
	"path"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Kind is the kind "python".
var Kind = resources.Kind{Name: "python", Doc: doc, New: func() resources.Spec { return &Spec{} }, Codes: codes}

const doc = `An interpreter of one line of Python, such as 3.10, for the environments of this machine.

| field | meaning |
|---|---|
| ` + "`line`" + ` | the line: ` + "`3.10`" + ` |
| ` + "`or`" + ` | other lines that serve as well, for what only runs a helper |
| ` + "`unless`" + ` | programs that serve as well as an interpreter that only runs a helper |
| ` + "`builds`" + ` | the pinned builds that may be fetched, of all platforms, most wanted first |

An interpreter that the machine has is used as it is: pyenv, uv, Homebrew,
python.org, the system, mise, asdf, conda. One of another architecture (an x86_64
Python under Rosetta), without its standard library or with a dangling link is
refused, and the plan says so.

If there is none, the plan fetches a pinned build for this platform into
` + "`.reconcile/tools/<platform>/cpython-<version>`" + `: the archive must have the SHA-256
that this program carries. Its size is shown where it is known. On a platform
without a build the resource is blocked, and the hint says what to install.

Nothing is ever removed or upgraded; environments that were made from an
interpreter keep using it.
`

// Spec asks for a usable interpreter of one line.
type Spec struct {
	Line string `json:"line"` // "3.10"
	// Or are other lines that serve as well: that of a helper matters to nobody.
	Or []string `json:"or,omitempty"`
	// Unless are programs that serve as well as an interpreter that only runs a helper.
	Unless []string `json:"unless,omitempty"`
	Builds []Build  `json:"builds"` // what may be fetched, most wanted first, of all platforms
}

// Owns is the interpreters of the line.
func (s *Spec) Owns() facts.Key { return facts.PythonKey(s.Line) }

// Reads is what Owns names, and what decides which build fits.
func (s *Spec) Reads() []facts.Key {
	keys := append([]facts.Key{s.Owns(), facts.HostKey, facts.ProjectKey}, resources.PythonKeys(s.Or)...)
	return append(keys, resources.ToolKeys(s.Unless)...)
}

// Diff takes the interpreter that is there, or fetches a build.
func (s *Spec) Diff(v facts.View) resources.Change {
	pythons := facts.Get[facts.Pythons](v, s.Owns())
	if i, ok := resources.FirstPython(v, append([]string{s.Line}, s.Or...)); ok {
		return resources.Change{Summary: fmt.Sprintf("Python %s (%s) at %s", i.Version, i.Source, i.Path)}
	}
	if other, ok := resources.FirstTool(v, s.Unless); ok {
		return resources.Change{Summary: fmt.Sprintf("done without: %s is at %s", other.Name, other.Path)}
	}
	host, project := facts.Get[facts.Host](v, facts.HostKey), facts.Get[facts.Project](v, facts.ProjectKey)
	build, ok := s.build(host)
	if !ok {
		return resources.Block(s.absent(pythons, host))
	}
	return s.fetch(build, pythons, host, project)
}

// build returns the first build that this machine can run.
func (s *Spec) build(host facts.Host) (Build, bool) {
	if host.Libc.Name == "musl" {
		return Build{}, false
	}
	for _, b := range s.Builds {
		if b.Platform == host.Platform && strings.HasPrefix(b.Version, s.Line+".") {
			return b, true
		}
	}
	return Build{}, false
}

// fetch puts a build in its place, in that of a refused one where need be.
func (s *Spec) fetch(b Build, pythons facts.Pythons, host facts.Host, project facts.Project) resources.Change {
	dir := layout.Tool(host.Platform, "cpython", b.Version)
	prefix := path.Join(project.Root, dir)
	change := resources.Change{
		Action:  resources.Create,
		Summary: fmt.Sprintf("no usable Python %s on this machine; a pinned build is fetched", s.Line),
		Fields:  []resources.Field{{Path: "python", Desired: b.Version + " in " + dir}},
		Need:    resources.Need{Download: b.Size, Disk: b.Unpacked},
	}
	for _, i := range pythons.Found {
		change.Fields = append(change.Fields, resources.Field{Path: i.Path, Actual: "refused: " + i.Refused, Desired: "not used"})
		if i.Prefix == prefix {
			change.Steps = append(change.Steps, resources.Remove{Path: dir})
		}
	}
	change.Steps = append(change.Steps, resources.Fetch{
		URLs: b.URLs, SHA256: b.SHA256, Size: b.Size, Path: dir, Unpack: "tar.gz", Strip: 1, Hint: s.remedy(host),
	})
	made := facts.Interpreter{
		Path: path.Join(prefix, "bin", "python"+s.Line), Prefix: prefix, Version: b.Version,
		Arch: host.Arch, Source: "reconcile", Pip: "module",
	}
	after := facts.Pythons{Minor: s.Line, Found: []facts.Interpreter{made}, Searched: pythons.Searched}
	for _, i := range pythons.Found {
		if i.Prefix != prefix {
			after.Found = append(after.Found, i)
		}
	}
	change.Predicts = []facts.Fact{after}
	return change
}

// absent is the Problem of a machine that has no interpreter and no build.
func (s *Spec) absent(pythons facts.Pythons, host facts.Host) *diag.Problem {
	var found []string
	for _, i := range pythons.Found {
		found = append(found, fmt.Sprintf("%s (%s %s): refused: %s", i.Path, i.Version, i.Source, i.Refused))
	}
	if len(pythons.Searched) > 0 {
		found = append(found, "looked in "+strings.Join(pythons.Searched, ", "))
	}
	if len(found) == 0 {
		found = append(found, "nothing")
	}
	return &diag.Problem{
		Code:    "python.none",
		Summary: fmt.Sprintf("Python %s is not available on this machine, and no build of it is pinned for %s", s.Line, describe(host)),
		Found:   strings.Join(found, "\n"),
		Hint:    s.remedy(host),
	}
}

func describe(host facts.Host) string {
	if host.Libc.Name == "musl" {
		return host.Platform + " with musl"
	}
	return host.Platform
}
