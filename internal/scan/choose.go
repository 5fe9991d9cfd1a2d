package scan

import (
	"cmp"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/declared"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/internal/pep"
)

// An environment is one environment of the manifest.
type environment struct {
	name       string
	from       string // the files that it is made from, for a comment
	isConda    bool
	references []string      // files that stay the source, with extras and groups
	set        *declared.Set // of all references
	named      []sourced     // Python versions of the lock
	hasProject bool          // the lock has the project itself
	editable   sourced       // why the project itself is installed; zero if it is not
	isComputed bool          // requirements of the project are known to its build backend alone
	defaults   bool          // environment.yml has the channel defaults
	match      string        // the value of match, "" if only --env chooses it
	matchBy    string
	needsCUDA  bool
	python     pythonChoice
	lock       string
	isForeign  bool // lock is one of another tool
	build      []string
	systems    map[string]string // glibc and macos, with the reason in systemsBy
	systemsBy  string
	offer      *declared.Offer // of the project, nil for none
	files      []string        // further files that could be sources
	path       string
	occupied   string // the default path if something else exists there
}

const (
	anyGPU   = "{gpu: [none, nvidia]}"
	withGPU  = "{gpu: nvidia}"
	without  = "{gpu: none}"
	maxShort = 6 // environments
)

// chooseEnvironments makes the environments of the manifest.
//
// The files of the folder itself count; only if it has none, those of the folders below it do.
// A lock of another tool, the project itself (pyproject.toml, setup.py), the main requirements
// file and environment.yml are the sources of one environment. It becomes two if there are
// variants for CPU and GPU. Further files are offered in comments.
func (s *scanner) chooseEnvironments() {
	f := s.look(".")
	var others []folder
	if below := s.below(); f.isEmpty() && len(below) > 0 {
		f, others = below[0], below[1:]
		for _, other := range others {
			if strings.Count(other.dir, "/") == strings.Count(f.dir, "/") && s.weight(other) > s.weight(f) {
				f, other = other, f
			}
		}
		others = slices.DeleteFunc(below, func(b folder) bool { return b.dir == f.dir })
	} else {
		others = below
	}
	s.adopt(f)
	for _, other := range others {
		for _, file := range slices.Concat([]string{other.pyproject, other.setup, other.main}, other.conda) {
			if file != "" && len(s.envs) > 0 {
				s.offer(file)
			}
		}
	}
	s.assignPaths()
}

// weight returns the number of requirements of the main files of a folder.
func (s *scanner) weight(f folder) int {
	n := 0
	for _, file := range []string{f.main, f.pyproject} {
		if file != "" {
			set, _ := declared.Read(s.fsys, file)
			n += len(set.Requirements)
		}
	}
	return n
}

// adopt makes the environments of one folder.
func (s *scanner) adopt(f folder) {
	e := &environment{set: &declared.Set{}}
	s.addLock(e, &f)
	s.addProject(e, &f)
	s.addRequirements(e, &f)
	s.addConda(e, &f)
	if len(e.references) == 0 && e.editable.by == "" && !e.isForeign {
		if len(f.addOns) > 0 {
			s.separate(f.addOns)
			return
		}
		if !s.hasCode(".", 0) && len(s.in.Installed) == 0 {
			return
		}
		e.from = "no file: none declares packages"
		s.result.Undeclared = true
	}
	s.complete(e, &f)
}

// addLock takes the lock of another tool as the lock of the environment.
func (s *scanner) addLock(e *environment, f *folder) {
	for _, file := range f.locks {
		switch base := path.Base(file); {
		case e.isForeign:
			s.omit(place{file: file}, e.lock+" is used")
		case f.pyproject == "" && (base == "uv.lock" || base == "poetry.lock"):
			s.omit(place{file: file}, "there is no pyproject.toml beside it")
		default:
			s.read(file)
			e.lock, e.isForeign, e.from = file, true, file
			if base == "pixi.lock" {
				s.readPixi(e)
			}
		}
	}
}

// readPixi takes the Python version and the channels of a pixi.lock. Its conda packages make a
// conda environment.
func (s *scanner) readPixi(e *environment) {
	text, _, _ := s.readLong(e.lock)
	python := regexp.MustCompile(`/python-(3\.[0-9]+)\.[0-9]`)
	channel := regexp.MustCompile(`^ +-? *url: https://[a-z.]+/([a-z0-9_-]+)/?$`)
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimRight(line, "\r\n")
		at := place{e.lock, number}
		if m := channel.FindStringSubmatch(line); m != nil && !slices.Contains(e.set.Channels, m[1]) && len(e.set.Channels) < maxFiles {
			e.set.Channels = append(e.set.Channels, m[1])
		}
		if m := python.FindStringSubmatch(line); m != nil && len(e.named) == 0 {
			e.named = append(e.named, sourced{m[1], at.String(), at})
		}
		e.isConda = e.isConda || strings.HasPrefix(strings.TrimSpace(line), "- conda: ")
		e.hasProject = e.hasProject || strings.TrimSpace(line) == "- pypi: ./"
	}
}

// addProject takes the requirements of pyproject.toml or setup.py.
func (s *scanner) addProject(e *environment, f *folder) {
	for _, file := range []string{f.pyproject, f.setup} {
		if file == "" {
			continue
		}
		offer, err := declared.Offered(s.fsys, file)
		if err != nil {
			s.problems(err)
			continue
		}
		set, _ := declared.Read(s.fsys, file)
		if p := set.Project; p != nil && p.Installable {
			if f.dir == "." && !e.hasProject {
				e.editable = sourced{cmp.Or(p.Name, "the project"), file, placeOf(p.Pos)}
			} else if f.dir != "." {
				s.omit(placeOf(p.Pos), "the project in this folder is not installed: only one in the folder of the manifest is")
			}
		}
		names := s.defaults(offer, e.isForeign)
		if path.Base(e.lock) == "pixi.lock" {
			names = nil // that of a lock of pixi is an environment
		}
		s.refer(e, file, names)
		e.offer = offer
		return
	}
}

// defaults returns the groups that the tool of the project installs by default.
func (s *scanner) defaults(offer *declared.Offer, locked bool) []string {
	if slices.Contains(offer.Default, "all") {
		return offer.Groups
	}
	if !locked {
		return slices.DeleteFunc(slices.Clone(offer.Default), func(name string) bool { return slices.Contains(helperWords(), name) })
	}
	return offer.Default
}

// addRequirements takes the main requirements file.
func (s *scanner) addRequirements(e *environment, f *folder) {
	if f.main == "" {
		return
	}
	if e.isForeign {
		s.omit(place{file: f.main}, e.lock+" is used")
		return
	}
	s.refer(e, f.main, nil)
}

// addConda takes environment.yml. One that has only Python and pip packages makes no conda
// environment if there is another source.
func (s *scanner) addConda(e *environment, f *folder) {
	for i, file := range f.conda {
		if i > 0 {
			e.files = append(e.files, file)
			continue
		}
		set, err := declared.Read(s.fsys, file)
		if err != nil || len(set.Conda) == 0 && len(set.Requirements) == 0 {
			s.problems(err)
			continue
		}
		if e.isForeign {
			s.omit(place{file: file}, e.lock+" is used")
			continue
		}
		if len(e.references) > 0 && !needsConda(set) {
			e.set.Python = append(e.set.Python, set.Python...)
			s.omit(place{file: file}, "it adds no conda package but Python and pip")
			continue
		}
		for _, reference := range e.references {
			if slices.Contains(set.Files, reference) { // -r requirements.txt
				continue
			}
			s.omit(place{file: reference}, file+" is used; a second environment can name it")
		}
		installs := e.editable
		*e = environment{set: &declared.Set{}, isConda: true, files: e.files}
		if slices.ContainsFunc(set.Requirements, func(r declared.Requirement) bool { return r.URL == declared.RootURL }) {
			e.editable = installs
		}
		s.refer(e, file, nil)
	}
}

// needsConda reports whether an environment.yml has packages that pip does not install.
func needsConda(set *declared.Set) bool {
	return slices.ContainsFunc(set.Conda, func(c declared.CondaSpec) bool {
		return !slices.Contains([]string{"pip", "setuptools", "wheel", "python"}, c.Name)
	})
}

// refer adds a file with extras and groups to the sources of an environment.
func (s *scanner) refer(e *environment, file string, names []string) {
	reference := file
	if len(names) > 0 {
		reference += "#" + strings.Join(names, ",")
	}
	if strings.Trim(reference, plainText) != "" {
		s.omit(place{file: file}, "its name, or that of a group, has characters that a manifest does not accept")
		return
	}
	set, err := declared.Read(s.fsys, reference)
	s.problems(err)
	for _, file := range set.Files {
		if name := printable(file); !slices.Contains(s.result.Read, name) {
			s.read(file)
		}
	}
	for _, n := range set.NotRead {
		if n.Pos.File == e.editable.by && n.Reason == declared.ComputedReason {
			e.isComputed = true // the build backend has the requirements
			continue
		}
		e.defaults = e.defaults || strings.HasPrefix(n.Reason, "the channel defaults")
		s.omit(placeOf(n.Pos), n.Reason)
	}
	e.references = append(e.references, reference)
	e.from = strings.TrimPrefix(e.from+", "+printable(file), ", ")
	into := e.set
	into.Requirements = append(into.Requirements, set.Requirements...)
	into.Constraints = append(into.Constraints, set.Constraints...)
	into.Indexes = append(into.Indexes, set.Indexes...)
	into.Conda = append(into.Conda, set.Conda...)
	into.Channels = append(into.Channels, set.Channels...)
	into.Python = append(into.Python, set.Python...)
	into.Project = cmp.Or(into.Project, set.Project)
	if into.CompiledFor.Clauses == nil {
		into.CompiledFor = set.CompiledFor
	}
}

const plainText = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/#, +"

// separate makes an environment of each of several requirements files without a main one. The
// one with the most requirements is for this machine; files of developers make none.
func (s *scanner) separate(files []string) {
	isHelper := func(file string) bool {
		return slices.ContainsFunc(purpose(file), func(w string) bool { return slices.Contains(helperWords(), w) })
	}
	sizes := map[string]int{}
	for _, file := range files {
		set, _ := declared.Read(s.fsys, file)
		sizes[file] = len(set.Requirements)
		if isHelper(file) {
			sizes[file] -= 10_000
		}
	}
	slices.SortStableFunc(files, func(a, b string) int { return sizes[b] - sizes[a] })
	for i, file := range files {
		if i > 0 && (isHelper(file) || len(s.envs) >= maxShort) {
			s.offer(file)
			continue
		}
		e := &environment{set: &declared.Set{}, name: strings.Join(purpose(file), "-")}
		s.refer(e, file, nil)
		s.complete(e, &folder{dir: "."})
	}
	gpu := slices.IndexFunc(s.envs, func(e *environment) bool { return e.match == withGPU })
	any := slices.IndexFunc(s.envs, func(e *environment) bool { return e.match == anyGPU })
	for i, e := range s.envs {
		switch {
		case i != gpu && i != any:
			e.match, e.matchBy = "", "another one is for the same machines"
		case i == any && gpu >= 0:
			e.match, e.matchBy = without, "environment "+s.envs[gpu].name+" is for the others"
		}
	}
}

// complete sets the rest of an environment, makes its variants, and adds them.
func (s *scanner) complete(e *environment, f *folder) {
	e.python = s.pythonFor(e)
	cuda := needsCUDA(e.set)
	e.match, e.matchBy = anyGPU, "any machine"
	if e.needsCUDA = cuda.by != ""; e.needsCUDA {
		e.match, e.matchBy = withGPU, cuda.by+" ("+cuda.at.String()+")"
	}
	variants := s.variants(e, f)
	for _, file := range f.addOns {
		if !slices.ContainsFunc(variants, func(v *environment) bool { return slices.Contains(v.references, file) }) {
			e.files = append(e.files, file)
		}
	}
	for _, v := range variants {
		v.name = s.freeName(cmp.Or(v.name, s.usualName(v)))
		v.offer, v.files = e.offer, e.files
		s.envs = append(s.envs, v)
		s.takeIndexes(v)
		s.result.Environments = append(s.result.Environments, v.name)
	}
}

// usualName returns the name of an environment without a name of its own.
func (s *scanner) usualName(e *environment) string {
	switch e.match {
	case withGPU:
		return "gpu"
	case without:
		return "cpu"
	}
	return "local"
}

// offers returns comments about what could be added to an environment.
func (e *environment) offers() []string {
	var lines []string
	if e.offer != nil {
		file, fragment, _ := strings.Cut(e.references[0], "#")
		taken := strings.Split(fragment, ",")
		rest := slices.DeleteFunc(e.offer.Names(), func(name string) bool { return slices.Contains(taken, name) })
		if len(rest) > 0 {
			lines = append(lines, fmt.Sprintf("not installed: the extras and groups %s; %q adds one", shorten(rest), printable(file+"#"+rest[0])))
		}
	}
	if len(e.files) > 0 {
		lines = append(lines, "not installed: "+shorten(e.files))
	}
	return lines
}

// shorten returns a list in words, with at most six items.
func shorten(list []string) string {
	const most = 6
	text := strings.Join(list[:min(len(list), most)], ", ")
	if len(list) > most {
		text += fmt.Sprintf(" and %d more", len(list)-most)
	}
	return text
}

// variants returns the environments for machines with and without a GPU, if the extras of the
// project or its requirements files have one for each, otherwise the environment itself.
func (s *scanner) variants(e *environment, f *folder) []*environment {
	if e.isConda {
		return []*environment{e}
	}
	cpu, gpu := s.extraVariants(e)
	if cpu == nil {
		cpu, gpu = s.fileVariants(e, f)
	}
	if cpu == nil {
		return []*environment{e}
	}
	cpu.match, gpu.match, gpu.needsCUDA = without, withGPU, true
	return []*environment{cpu, gpu}
}

// extraVariants makes variants of two extras or groups with names such as cpu and gpu.
func (s *scanner) extraVariants(e *environment) (cpu, gpu *environment) {
	file := ""
	if len(e.references) > 0 {
		file, _, _ = strings.Cut(e.references[0], "#")
	}
	if path.Base(file) != "pyproject.toml" {
		return nil, nil
	}
	offer, err := declared.Offered(s.fsys, file)
	if err != nil {
		return nil, nil
	}
	find := func(is func(string) bool) string {
		var found []string
		for _, name := range offer.Names() {
			if is(strings.ToLower(name)) {
				found = append(found, name)
			}
		}
		if len(found) != 1 {
			return "" // none, or a choice that only a person can make
		}
		return found[0]
	}
	c, g := find(isCPUName), find(isCUDAName)
	if c == "" || g == "" {
		return nil, nil
	}
	with := func(name string) *environment {
		v := &environment{set: &declared.Set{}, lock: e.lock, isForeign: e.isForeign, editable: e.editable, python: e.python, from: strings.TrimSuffix(e.lock, file)}
		v.matchBy = "the extra or group " + name + " of " + file
		set := s.defaults(offer, e.isForeign)
		s.refer(v, file, append(slices.Clone(set), name))
		for _, rest := range e.references[1:] {
			s.refer(v, rest, nil)
		}
		return v
	}
	return with(c), with(g)
}

// fileVariants makes variants of requirements files with names such as requirements-gpu.txt.
func (s *scanner) fileVariants(e *environment, f *folder) (cpu, gpu *environment) {
	find := func(is func(string) bool) string {
		i := slices.IndexFunc(f.addOns, func(file string) bool { return slices.ContainsFunc(purpose(file), is) })
		if i < 0 {
			return ""
		}
		return f.addOns[i]
	}
	c, g := find(isCPUName), find(isCUDAName)
	if g == "" || e.isForeign || c == "" && len(e.references) == 0 {
		return nil, nil
	}
	with := func(file string) *environment {
		v := &environment{set: &declared.Set{}, editable: e.editable, python: e.python}
		v.matchBy = cmp.Or(file, e.references[0])
		included := false
		if file != "" {
			set, _ := declared.Read(s.fsys, file)
			included = slices.ContainsFunc(set.Files, func(name string) bool { return name == f.main })
		}
		for _, reference := range e.references {
			if !included || reference != f.main {
				s.refer(v, reference, nil)
			}
		}
		if file != "" {
			s.refer(v, file, nil)
		}
		return v
	}
	return with(c), with(g)
}

// pythonFor returns the Python of an environment.
func (s *scanner) pythonFor(e *environment) pythonChoice {
	var named []sourced
	var limits []pythonLimit
	for _, p := range e.set.Python {
		at := placeOf(p.Pos)
		if e.isConda && isMinorPin(p.Clauses) {
			named = append(named, sourced{strings.TrimSuffix(p.Clauses[0].Version, ".*"), at.String(), at})
		}
		limits = append(limits, pythonLimit{p.Clauses, at.String()})
	}
	named = append(named, e.named...)
	named = append(named, s.python...)
	if c := e.set.CompiledFor; len(c.Clauses) > 0 {
		at := placeOf(c.Pos)
		named = append(named, sourced{c.Text, at.String() + ", which is made for it", at})
	}
	for _, in := range s.in.Installed {
		if in.Conda == e.isConda {
			named = append(named, sourced{value: in.Python, by: printable(in.Path) + " has Python " + printable(in.Python), at: place{file: in.Path}})
			break
		}
	}
	return s.choosePython(named, limits)
}

// isMinorPin reports whether clauses allow one minor version only.
func isMinorPin(clauses []pep.Clause) bool { return len(clauses) == 1 && clauses[0].Op == "==" }

// problems adds the problems of reading a file to what was not taken over.
func (s *scanner) problems(err error) {
	for _, p := range diag.Problems(err) {
		why := p.Summary
		if p.Code == "requirements.syntax" {
			why = "it is malformed" // the text may contain a password
		}
		if p.Found != "" {
			why += ": " + p.Found
		}
		s.omit(placeOf(p.Pos), why)
	}
}

// freeName returns a name that no other environment has.
func (s *scanner) freeName(text string) string {
	name := manifest.Slug(text)
	if name == "project" {
		name = "local"
	}
	name = strings.TrimRight(name[:min(len(name), 40)], "-")
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
		if !e.isForeign {
			e.lock = s.take("locks/pylock."+e.name, ".toml", s.isFree)
		}
	}
}

// isFree reports whether a path does not exist or is an environment of reconcile.
func (s *scanner) isFree(path string) bool {
	return isAbsent(s.fsys, path) || slices.ContainsFunc(s.in.Installed, func(in Installed) bool { return in.Ours && in.Path == path })
}
