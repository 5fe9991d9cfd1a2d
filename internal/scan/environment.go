package scan

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/manifest"
)

// An environment is one environment of the manifest.
type environment struct {
	name      string
	from      string // its source, for a comment
	isConda   bool
	python    sourced
	channels  []string
	pip       packages
	conda     packages
	remarks   []remark
	installed *Installed // the installed environment of this type, or nil
	path      string
	occupied  string // the default path if something else exists there
	lock      string
}

// A remark is a comment about a line that could not be copied.
type remark struct {
	at   place
	text string
}

func (e *environment) isEmpty() bool { return len(e.pip.list) == 0 && len(e.conda.list) == 0 }

const (
	maxRemarks      = 200 // of one environment
	maxEnvironments = 8
)

func (e *environment) remark(at place, text string) {
	if len(e.remarks) < maxRemarks {
		e.remarks = append(e.remarks, remark{at, text})
	}
}

// readEnvironments makes an environment of each environment.yml and requirements file.
// The first requirements file also gets the packages of pyproject.toml.
func (s *scanner) readEnvironments() {
	for _, file := range s.condaFiles() {
		if c := s.readConda(file); c != nil && s.hasRoom(file) {
			e := &environment{name: s.freeName(c.name, "conda"), from: printable(file), isConda: true, channels: c.channels, installed: s.installed(true)}
			e.python = s.pythonFor(c.python, e.installed)
			s.fill(e, c.addTo)
		}
	}
	files := slices.DeleteFunc(s.requirementFiles(), func(file string) bool {
		_, why, ok := s.readText(file)
		if !ok {
			s.unread(file, cmp.Or(why, "it does not exist"))
		}
		return !ok
	})
	if len(files) == 0 && len(s.pyproject.required) > 0 {
		files = []string{""}
	}
	for i, file := range files {
		if !s.hasRoom(file) {
			continue
		}
		e := &environment{from: pyprojectFile, installed: s.installed(false)}
		stem := "local"
		if file != "" {
			e.from, stem = printable(file), environmentName(file)
		}
		e.name = s.freeName(stem, "packages")
		e.python = s.pythonFor(sourced{}, e.installed)
		s.fill(e, func(r *requirements) {
			if file != "" {
				r.file(file, false)
			}
			if i == 0 {
				s.pyproject.addTo(e, r.markers)
			}
		})
	}
	for _, in := range s.in.Installed {
		s.read(in.Path)
	}
	s.assignPaths()
}

func (s *scanner) hasRoom(file string) bool {
	if len(s.envs) < maxEnvironments {
		return true
	}
	s.unread(file, fmt.Sprintf("a scan makes at most %d environments", maxEnvironments))
	return false
}

// fill adds the packages of an environment, and the environment to the scan.
func (s *scanner) fill(e *environment, read func(*requirements)) {
	r := &requirements{s: s, into: e, markers: markers(s.in.Platform, e.python.value), limits: map[string]pkg{}}
	read(r)
	var versions map[string]string
	var in string
	if e.installed != nil {
		versions, in = e.installed.Packages, printable(e.installed.Path)
	}
	e.conda.settle(nil, nil, nil, "")
	e.pip.settle(r.limits, e.conda.pins(), versions, in)
	s.envs = append(s.envs, e)
	s.result.Environments = append(s.result.Environments, e.name)
	for _, p := range slices.Concat(e.conda.list, e.pip.list) {
		switch {
		case p.why == "":
			s.result.Pinned++
		case p.version == "":
			s.result.Unknown++
			fallthrough
		default:
			s.result.Commented++
		}
	}
}

// installed returns the first installed environment of a type, or nil.
func (s *scanner) installed(conda bool) *Installed {
	for i := range s.in.Installed {
		if s.in.Installed[i].Conda == conda {
			return &s.in.Installed[i]
		}
	}
	return nil
}

// freeName returns a name that no other environment has.
func (s *scanner) freeName(text, otherwise string) string {
	name := manifest.Slug(text)
	if text == "" || name == "project" {
		name = otherwise
	}
	name = name[:min(len(name), 40)]
	for len(name) > 1 && name[len(name)-1] == '-' {
		name = name[:len(name)-1]
	}
	return s.take(name, "", func(string) bool { return true })
}

// take returns the first of STEM, STEM-2, STEM-3 … that is free and not taken, and takes it.
func (s *scanner) take(stem, suffix string, isFree func(string) bool) string {
	for try, n := stem+suffix, 2; ; n++ {
		if isFree(try) && !s.taken[try] {
			s.taken[try] = true
			return try
		}
		try = stem + "-" + strconv.Itoa(n) + suffix
	}
}

// assignPaths sets the path and the lock of each environment.
func (s *scanner) assignPaths() {
	venvs := 0
	for _, e := range s.envs {
		usual := ".venv"
		if e.isConda {
			usual = layout.DefaultConda(e.name)
		} else if venvs++; venvs > 1 {
			usual = ".venv-" + e.name
		}
		if e.path = s.take(usual, "", s.isFree); e.path != usual && !isAbsent(s.fsys, usual) {
			e.occupied = usual
		}
		e.lock = s.take("locks/pylock."+e.name, ".toml", s.isFree)
	}
}

// isFree reports whether a path does not exist or is an environment of reconcile.
func (s *scanner) isFree(path string) bool {
	return isAbsent(s.fsys, path) || slices.ContainsFunc(s.in.Installed, func(in Installed) bool { return in.Ours && in.Path == path })
}
