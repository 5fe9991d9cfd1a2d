// Package scan writes a manifest for an existing folder. The files that declare its packages
// stay the source: requirements files, pyproject.toml, setup.py, environment.yml, and the locks
// of other tools. The manifest names them, and adds what they do not have: the Python version,
// the machines, the indexes.
//
// It reads files only: it starts no program and uses no network. The folder is untrusted, so
// every file, list and walk has a limit, and a file that is malformed, too large or a link
// out of the folder is reported and skipped.
//
//  1. Environments reads installed environments from this machine's files. Everything else
//     is read through an fs.FS that the caller roots in the folder (os.Root).
//  2. Package declared reads the files. What it could not read, and what the manifest cannot
//     have, is listed with file and line.
//  3. The files become environments, and those a manifest, which is then validated.
//
// Only names, versions, paths and the addresses of indexes without credentials are copied.
package scan

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/reconcile-ml/reconcile/internal/declared"
	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/internal/pep"
)

// Input has the facts that are not in the files of the folder.
type Input struct {
	Name      string    // of the folder; the project is named after it
	Platform  string    // of this machine: "linux-x86_64"
	Pythons   []string  // the minor versions that this machine has: "3.12"
	Fetched   []string  // the minor versions that can be fetched for it
	Glibc     string    // of this machine: "2.35", "" for none
	Now       time.Time // some versions of Python are past their end of life
	Installed []Installed
}

// A Result is a manifest and its sources.
type Result struct {
	Project      string
	Environments []string
	Read         []string   // files and installed environments, in the order of reading
	Omitted      []Omission // what was not taken over
	Offers       []string   // files that could be added
	// Undeclared is set if the folder has Python code, and no file declares packages.
	Undeclared bool
	// Empty is set if the folder has neither.
	Empty bool

	scanner *scanner
}

// An Omission is a file or a line of one that was found and not taken over.
type Omission struct {
	Place string `json:"place"` // "requirements.txt:12"
	Why   string `json:"why"`
}

// Folder reads a folder. If ctx ends, the search for models stops and the manifest contains a
// comment about it.
func Folder(ctx context.Context, fsys fs.FS, in Input) (*Result, error) {
	s := &scanner{fsys: fsys, in: in, result: &Result{Project: manifest.Slug(in.Name)}, taken: map[string]bool{}}
	s.result.scanner = s
	s.python = s.readPythonVersion()
	s.chooseEnvironments()
	for _, u := range unsupported() {
		if info, err := fs.Stat(s.fsys, u.Place); err == nil && info.Mode().IsRegular() {
			s.result.Omitted = append(s.result.Omitted, u)
		}
	}
	for _, in := range s.in.Installed {
		s.read(in.Path)
	}
	s.findModels(ctx, ".", 0)
	s.result.Empty = len(s.envs) == 0 && len(s.models) == 0 && len(s.result.Omitted) == 0
	if err := manifest.Check(s.result.Manifest()); err != nil {
		return nil, fmt.Errorf("bug: the manifest of the scan is not valid: %w", err)
	}
	return s.result, nil
}

// A scanner is the state of one scan.
type scanner struct {
	fsys   fs.FS
	in     Input
	result *Result

	python  []sourced // from .python-version
	envs    []*environment
	indexes []index
	taken   map[string]bool // names and paths of environments
	models  []model
	listed  int    // entries seen by findModels
	stopped string // why findModels stopped early, "" if it did not
}

func (s *scanner) read(file string) { s.result.Read = append(s.result.Read, printable(file)) }

// omit lists something that is not taken over, once.
func (s *scanner) omit(at place, why string) {
	o := Omission{at.String(), printable(why)}
	if len(s.result.Omitted) < maxOmitted && !slices.Contains(s.result.Omitted, o) {
		s.result.Omitted = append(s.result.Omitted, o)
	}
}

func (s *scanner) unread(file, why string) { s.omit(place{file: file}, why) }

// offer lists a file that is no source of an environment, and could be one.
func (s *scanner) offer(file string) {
	if len(s.result.Offers) < maxFiles {
		s.result.Offers = append(s.result.Offers, printable(file))
	}
}

// unsupported are files of other tools that are not read, and how to convert them.
func unsupported() []Omission {
	return []Omission{
		{"pdm.lock", "convert it: `pdm export -o requirements.txt`"},
		{"Pipfile.lock", "convert it: `pipenv requirements > requirements.txt`"},
		{"Pipfile", "convert its lock: `pipenv requirements > requirements.txt`"},
		{"conda-lock.yml", "convert it: `conda-lock render --kind env`"},
	}
}

// hasCode reports whether a folder has Python programs or notebooks.
func (s *scanner) hasCode(dir string, depth int) bool {
	for _, e := range s.readDir(dir) {
		name := e.Name()
		if ext := path.Ext(name); !e.IsDir() && (ext == ".py" || ext == ".ipynb") {
			return true
		}
		if at := path.Join(dir, name); e.IsDir() && depth < 2 && !strings.HasPrefix(name, ".") && !s.isInstalled(at) && s.hasCode(at, depth+1) {
			return true
		}
	}
	return false
}

// An OpenPython is an environment whose files leave the Python version open.
type OpenPython struct {
	Environment  string
	Candidates   []string               // minor versions, best first
	Requirements []declared.Requirement // that apply on Platform
	Platform     string
}

// OpenPythons returns the environments for which several Python versions are possible.
func (r *Result) OpenPythons() []OpenPython {
	var list []OpenPython
	for _, e := range r.scanner.envs {
		if len(e.python.others) == 0 || e.isConda || e.isForeign {
			continue
		}
		o := OpenPython{Environment: e.name, Candidates: append([]string{e.python.value}, e.python.others...), Platform: r.scanner.platforms(e)[0]}
		for _, q := range e.set.Requirements {
			if holds, ok := markers(o.Platform, e.python.value).Holds(q.Marker); q.Marker == "" || holds || !ok {
				o.Requirements = append(o.Requirements, q)
			}
		}
		list = append(list, o)
	}
	return list
}

// SetPython gives an environment the Python version for which its requirements have wheels.
func (r *Result) SetPython(environment, minor string) {
	if e := r.environment(environment); e != nil {
		e.python.sourced = sourced{value: minor, by: "the newest for which the requirements have wheels"}
	}
}

// NextPython gives an environment the next Python version that its files allow and this machine
// has, and returns both versions. After the last one it takes the first one again, and returns ""
// for the new version. packages are those that have no wheels for the version before.
func (r *Result) NextPython(environment string, packages []string) (before, after string) {
	e := r.environment(environment)
	if e == nil {
		return "", ""
	}
	if before = e.python.value; e.python.first.value == "" {
		e.python.first, e.python.lacking = e.python.sourced, packages
	}
	for len(e.python.others) > 0 {
		after = e.python.others[0]
		e.python.others = e.python.others[1:]
		if after != e.python.first.value && slices.Contains(r.scanner.in.Pythons, after) {
			r.SetPython(environment, after)
			return before, after
		}
	}
	r.FirstPython(environment)
	return before, ""
}

// FirstPython gives an environment the Python version from before NextPython, and returns the
// packages that have no wheels for it; none if NextPython was not called.
func (r *Result) FirstPython(environment string) []string {
	e := r.environment(environment)
	if e == nil || e.python.first.value == "" {
		return nil
	}
	e.python.sourced, e.python.others = e.python.first, nil
	return e.python.lacking
}

// environment returns an environment by its name, or nil.
func (r *Result) environment(name string) *environment {
	for _, e := range r.scanner.envs {
		if e.name == name {
			return e
		}
	}
	return nil
}

// SetSystem sets the oldest glibc or macOS ("glibc", "macos") of the machines of an environment,
// unless this machine, which the environment is for, has an older glibc. It reports whether it
// did.
func (r *Result) SetSystem(environment, key, version, why string) bool {
	e := r.environment(environment)
	if e == nil || e.systems[key] == version {
		return false
	}
	own := r.scanner.in.Glibc
	if key == "glibc" && own != "" && !e.needsCUDA && pep.CompareVersions(own, version) < 0 {
		return false
	}
	if e.systems == nil {
		e.systems = map[string]string{}
	}
	e.systems[key], e.systemsBy = version, why
	return true
}

// CanBuild reports whether there are packages that an environment may not build yet.
func (r *Result) CanBuild(environment string, names []string) bool {
	e := r.environment(environment)
	return e != nil && slices.ContainsFunc(names, func(name string) bool { return !slices.Contains(e.build, name) })
}

// Build permits an environment to build packages from source.
func (r *Result) Build(environment string, names []string) {
	if e := r.environment(environment); e != nil {
		e.build = append(e.build, names...)
		slices.Sort(e.build)
		e.build = slices.Compact(e.build)
	}
}

// Programs returns the sources whose build backends locking runs: the project itself unless its
// metadata is static, and requirements from git repositories and directories.
func (r *Result) Programs() []string {
	var list []string
	add := func(text string) {
		if text = printable(text); !slices.Contains(list, text) {
			list = append(list, text)
		}
	}
	for _, e := range r.scanner.envs {
		if p := e.set.Project; e.editable.by != "" && (e.isComputed || p == nil || len(p.Dynamic) > 0 || path.Base(e.editable.by) != "pyproject.toml") {
			add(fmt.Sprintf("%s (%s)", e.editable.value, e.editable.by))
		}
		for _, q := range e.set.Requirements {
			if q.URL != "" && !strings.HasSuffix(strings.Split(q.URL, "#")[0], ".whl") {
				add(fmt.Sprintf("%s (%s)", cmp.Or(q.Name, declared.Shown(q.URL)), placeOf(q.Pos)))
			}
		}
	}
	return list
}

// OnlyGPU returns the first environment if all of them are for machines with an NVIDIA GPU, "" if
// one is not.
func (r *Result) OnlyGPU() string {
	for _, e := range r.scanner.envs {
		if e.match != withGPU && e.match != "" {
			return ""
		}
	}
	if len(r.scanner.envs) == 0 {
		return ""
	}
	return r.scanner.envs[0].name
}

// Describe returns a line for each environment.
func (r *Result) Describe() []string {
	var lines []string
	for _, e := range r.scanner.envs {
		machines := "for any machine"
		switch e.match {
		case withGPU:
			machines = "for machines with an NVIDIA GPU: " + e.matchBy
		case without:
			machines = "for machines without a GPU"
		case "":
			machines = "chosen with --env " + e.name
		}
		lines = append(lines, fmt.Sprintf("environment %s: Python %s, %s", e.name, e.python.value, machines))
		for _, text := range e.offers() {
			lines = append(lines, "  "+printable(text))
		}
	}
	return lines
}

// markers returns the values of environment markers on a platform.
func markers(platform, python string) pep.MarkerEnvironment {
	system, machine, _ := strings.Cut(platform, "-")
	env := pep.MarkerEnvironment{
		"os_name": "posix", "sys_platform": system, "platform_system": "Linux", "platform_machine": machine,
		"python_version": python, "python_full_version": python + ".0", "implementation_name": "cpython", "platform_python_implementation": "CPython", "extra": "",
	}
	if system == "macos" {
		env["sys_platform"], env["platform_system"] = "darwin", "Darwin"
	}
	return env
}
