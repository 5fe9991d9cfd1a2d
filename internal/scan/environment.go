package scan

import (
	"cmp"
	"fmt"
	"io/fs"
	"slices"
	"strconv"

	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/internal/pep"
)

// An environment is one that the manifest will have.
type environment struct {
	name      string
	from      string // what it is made of, for people
	condaName string // as conda calls it; "" for type venv
	isConda   bool
	python    said
	platforms []string
	channels  []string
	pip       packages
	conda     packages
	remarks   []remark
	installed *Installed // that stands here for it, nil for none
	cuda      said       // that it asks for by name
	gpu       string     // why it is for machines with a GPU, "" if it is not
	match     string     // "" if --env alone chooses it
	path      string
	aside     string // the usual path, where something stands that is not of our making
	lock      string
}

// A remark is what could not be taken over, and where it stands.
type remark struct {
	at   place
	text string
}

// isEmpty reports whether nothing was found that it could hold.
func (e *environment) isEmpty() bool { return len(e.pip.list) == 0 && len(e.conda.list) == 0 }

// maxRemarks is how many one environment shows.
const maxRemarks = 200

func (e *environment) remark(at place, text string) {
	if len(e.remarks) < maxRemarks {
		e.remarks = append(e.remarks, remark{at, text})
	}
}

// maxEnvironments is how many a scan makes; a manifest with more is written by hand.
const maxEnvironments = 8

// environments makes environments of all sources.
func (s *scanner) environments() {
	s.taken = map[string]bool{}
	for _, file := range s.condaFiles() {
		if c := s.readConda(file); c != nil && s.room(file) {
			s.envs = append(s.envs, s.ofConda(c))
		}
	}
	files := slices.DeleteFunc(s.requirementFiles(), func(file string) bool {
		_, why, ok := s.text(file)
		if !ok {
			s.unread(file, cmp.Or(why, "it is not there"))
		}
		return !ok
	})
	if len(files) == 0 && len(s.pyproject.needs) > 0 {
		files = []string{""}
	}
	for i, file := range files {
		if s.room(file) {
			s.envs = append(s.envs, s.ofFile(file, i == 0))
		}
	}
	for i := range s.in.Installed {
		in := &s.in.Installed[i]
		s.read(in.Path)
		if len(s.envs) == 0 {
			s.envs = append(s.envs, s.ofInstalled(in))
		}
	}
	s.matches()
	for _, e := range s.envs {
		s.result.Environments = append(s.result.Environments, e.name)
	}
}

func (s *scanner) room(file string) bool {
	if len(s.envs) < maxEnvironments {
		return true
	}
	s.unread(file, fmt.Sprintf("%d environments are enough for one scan", maxEnvironments))
	return false
}

// ofConda makes an environment of an environment.yml.
func (s *scanner) ofConda(c *condaFile) *environment {
	e := &environment{
		name: s.free(c.name, "conda"), from: printable(c.file), isConda: true,
		channels: c.channels, cuda: c.cuda, installed: s.standing(true),
	}
	e.condaName = e.name
	e.python = s.line(c.python, e.installed)
	s.twice(e, func(r *requirements) { c.into(r) })
	return e
}

// ofFile makes an environment of a requirements file; the first one also gets what
// pyproject.toml asks for.
func (s *scanner) ofFile(file string, first bool) *environment {
	e := &environment{from: pyprojectFile, installed: s.standing(false)}
	stem := "local"
	if file != "" {
		e.from, stem = printable(file), environmentName(file)
	}
	e.name = s.free(stem, "packages")
	e.python = s.line(said{}, e.installed)
	s.twice(e, func(r *requirements) {
		if file != "" {
			r.file(file, false)
		}
		if first {
			s.pyproject.into(e, r.markers)
		}
	})
	return e
}

// twice reads the sources for this machine's platform, and again for that of the
// machines that the environment turns out to be for. Conditions depend on it.
func (s *scanner) twice(e *environment, read func(*requirements)) {
	platform := s.in.Platform
	for {
		e.pip, e.conda, e.remarks, e.platforms = packages{}, packages{}, nil, []string{platform}
		unread := len(s.result.Unread)
		r := &requirements{s: s, into: e, markers: markers(platform, e.python.value)}
		read(r)
		r.constrain()
		e.apart()
		e.gpu = e.wantsGPU(s.in)
		if e.gpu == "" || platform != "macos-arm64" && platform != "macos-x86_64" {
			break
		}
		platform, s.result.Unread = "linux-x86_64", s.result.Unread[:unread]
	}
	s.settle(e)
}

// apart keeps what conda brings out of what pip does: each package stands in one place.
func (e *environment) apart() {
	for i := range e.pip.list {
		a := &e.pip.list[i]
		name := pep.Normalize(a.name)
		for j := range e.conda.list {
			c := &e.conda.list[j]
			if a.doubt == "" && c.doubt == "" && pep.Normalize(c.name) == name {
				a.doubt = "is in conda_packages already, as " + c.version
				delete(e.pip.index, name)
			}
		}
	}
}

// settle gives open packages the version that is installed.
func (s *scanner) settle(e *environment) {
	e.pip.settle(func(name string) (version, in string) {
		if e.installed == nil {
			return "", ""
		}
		return e.installed.Packages[name], printable(e.installed.Path)
	})
	e.conda.settle(func(name string) (version, in string) {
		if e.installed == nil {
			return "", ""
		}
		return e.installed.Brought[name], printable(e.installed.Path)
	})
}

// ofInstalled makes an environment of one that stands here.
func (s *scanner) ofInstalled(in *Installed) *environment {
	name := "local"
	if in.Conda {
		name = "conda"
	}
	e := &environment{name: s.free(name, name), from: printable(in.Path), isConda: in.Conda, installed: in, platforms: []string{s.in.Platform}}
	if in.Conda {
		e.condaName = e.name
	}
	e.python = s.line(said{}, in)
	in.into(e)
	e.gpu = e.wantsGPU(s.in)
	s.settle(e)
	return e
}

// standing is the installed environment of a sort that people use first.
func (s *scanner) standing(conda bool) *Installed {
	i := slices.IndexFunc(s.in.Installed, func(in Installed) bool { return in.Conda == conda })
	if i < 0 {
		return nil
	}
	return &s.in.Installed[i]
}

// free returns a name that no environment has yet.
func (s *scanner) free(text, otherwise string) string {
	name := manifest.Slug(text)
	if text == "" || name == "project" {
		name = otherwise
	}
	name = name[:min(len(name), 40)]
	for len(name) > 1 && name[len(name)-1] == '-' {
		name = name[:len(name)-1]
	}
	for try, n := name, 2; ; n++ {
		if !s.taken[try] {
			s.taken[try] = true
			return try
		}
		try = name + "-" + strconv.Itoa(n)
	}
}

// matches says which machines each environment is for: one for those with a GPU and
// one for the others at most, so that each machine has one that is its own. One that no
// package was found for comes last. It gives each its places too.
func (s *scanner) matches() {
	isGPU := func(e *environment) bool { return e.gpu != "" }
	isOther := func(e *environment) bool { return e.gpu == "" }
	first := func(is func(*environment) bool) int {
		some := slices.IndexFunc(s.envs, func(e *environment) bool { return is(e) && !e.isEmpty() })
		if some >= 0 {
			return some
		}
		return slices.IndexFunc(s.envs, is)
	}
	gpu, other := first(isGPU), first(isOther)
	if gpu >= 0 {
		s.envs[gpu].match = "{gpu: nvidia}"
	}
	if other >= 0 && gpu >= 0 {
		s.envs[other].match = "{gpu: none}"
	} else if other >= 0 {
		s.envs[other].match = "{gpu: [none, nvidia]}"
	}
	venvs := 0
	for _, e := range s.envs {
		usual := ".venv"
		if e.isConda {
			usual = layout.DefaultConda(e.name)
		} else if venvs++; venvs > 1 {
			usual = ".venv-" + e.name
		}
		if e.path = s.unused(usual, ""); e.path != usual && !isAbsent(s.fsys, usual) {
			e.aside = usual
		}
		e.lock = s.unused("locks/pylock."+e.name, ".toml")
	}
}

// ours reports whether an environment of our own making stands at a path.
func (s *scanner) ours(path string) bool {
	return slices.ContainsFunc(s.in.Installed, func(in Installed) bool { return in.Ours && in.Path == path })
}

// unused returns a path at which nothing of others stands, and that no other
// environment has.
func (s *scanner) unused(stem, suffix string) string {
	for try, n := stem+suffix, 2; ; n++ {
		if (isAbsent(s.fsys, try) || s.ours(try)) && !s.taken[try] {
			s.taken[try] = true
			return try
		}
		try = stem + "-" + strconv.Itoa(n) + suffix
	}
}

// names lists a folder, sorted and as far as it is looked at.
func (s *scanner) names(dir string) []string {
	f, err := s.fsys.Open(dir)
	if err != nil {
		return nil
	}
	defer f.Close()
	d, ok := f.(fs.ReadDirFile)
	if !ok {
		return nil
	}
	entries, _ := d.ReadDir(maxEntries) // what can be read counts
	list := make([]string, 0, len(entries))
	for _, e := range entries {
		list = append(list, e.Name())
	}
	slices.Sort(list)
	return list
}

// count adds up the packages of an environment for the result.
func (s *scanner) count(p *packages) {
	for i := range p.list {
		if p.list[i].doubt == "" {
			s.result.Pinned++
			continue
		}
		s.result.Doubtful++
		if p.list[i].version == "" {
			s.result.Unknown++
		}
	}
}
