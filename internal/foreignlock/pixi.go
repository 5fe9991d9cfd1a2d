package foreignlock

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"gopkg.in/yaml.v3"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/pep"
	"github.com/reconcile-ml/reconcile/internal/rattler"
)

// pixiLock is the format of pixi, versions 4 to 7.
type pixiLock struct {
	Version      int                        `yaml:"version"`
	Platforms    []pixiPlatform             `yaml:"platforms"` // of version 7
	Environments map[string]pixiEnvironment `yaml:"environments"`
	Packages     []pixiPackage              `yaml:"packages"`
}

type pixiPlatform struct {
	Name   string `yaml:"name"`
	Subdir string `yaml:"subdir"` // "" if it is the name
}

type pixiEnvironment struct {
	Channels []struct {
		URL string `yaml:"url"`
	} `yaml:"channels"`
	Packages map[string][]pixiItem `yaml:"packages"` // by platform
}

// A pixiItem names a package by its location.
type pixiItem struct {
	Conda string `yaml:"conda"`
	Pypi  string `yaml:"pypi"`
}

type pixiPackage struct {
	pixiItem `yaml:",inline"`
	URL      string   `yaml:"url"`  // of versions 4 and 5
	Path     string   `yaml:"path"` // of versions 4 and 5
	Name     string   `yaml:"name"`
	Version  string   `yaml:"version"`
	SHA256   string   `yaml:"sha256"`
	Size     int64    `yaml:"size"`
	Index    string   `yaml:"index"` // of version 7
	Requires []string `yaml:"requires_dist"`

	Build        string   `yaml:"build"`
	BuildNumber  *int64   `yaml:"build_number"`
	Noarch       string   `yaml:"noarch"`
	MD5          string   `yaml:"md5"`
	Depends      []string `yaml:"depends"`
	Constrains   []string `yaml:"constrains"`
	License      string   `yaml:"license"`
	SitePackages string   `yaml:"python_site_packages_path"`

	line int
}

// UnmarshalYAML implements yaml.Unmarshaler. It keeps the line.
func (p *pixiPackage) UnmarshalYAML(n *yaml.Node) error {
	type plain pixiPackage
	err := n.Decode((*plain)(p))
	p.line = n.Line
	return err
}

// location returns the identifier of the package.
func (p *pixiPackage) location() string {
	for _, s := range []string{p.Conda, p.Pypi, p.URL, p.Path} {
		if s != "" {
			return s
		}
	}
	return ""
}

func readPixi(r *reader) {
	var doc pixiLock
	d := yaml.NewDecoder(bytes.NewReader(r.data))
	if err := d.Decode(&doc); err != nil && !errors.Is(err, io.EOF) {
		r.problem("lock.syntax", diag.Pos{File: r.path}, "", r.restore(), "%s", strings.TrimPrefix(err.Error(), "yaml: "))
		return
	}
	if !r.version("version", uvVersion(doc.Version), "4", "5", "6", "7") {
		return
	}
	p := &pixiReader{reader: r, doc: &doc, byLocation: map[string]*pixiPackage{}}
	for i := range doc.Packages {
		q := &doc.Packages[i]
		if p.byLocation[q.location()] == nil {
			p.byLocation[q.location()] = q
		}
	}
	p.read()
}

// A pixiReader selects packages of a pixi.lock.
type pixiReader struct {
	*reader
	doc        *pixiLock
	byLocation map[string]*pixiPackage
}

func (p *pixiReader) read() {
	name := "default"
	if len(p.Groups) > 0 {
		name = p.Groups[0]
	}
	environment, ok := p.doc.Environments[name]
	if !ok || len(p.Groups) > 1 || len(p.Extras) > 0 {
		known := strings.Join(slices.Sorted(maps.Keys(p.doc.Environments)), ", ")
		p.problem("lock.selection", diag.Pos{File: p.path}, "environments: "+known, "select one environment of the lock, as a group: `requirements: [\"pyproject.toml#NAME\"]`",
			"the selection %s is not one environment of the lock", strings.Join(append(slices.Clone(p.Extras), name), ", "))
		return
	}
	if p.Conda {
		p.lock.Conda = &lock.Conda{}
		for _, c := range environment.Channels {
			p.lock.Conda.Channels = append(p.lock.Conda.Channels, channelName(c.URL))
		}
	}
	all := map[*pixiPackage]*chosen{}
	for _, platform := range p.lock.Platforms {
		items, ok := p.platform(environment, platform)
		if !ok {
			p.problem("lock.platform", diag.Pos{File: p.path}, "platforms: "+strings.Join(slices.Sorted(maps.Keys(environment.Packages)), ", "), "add the platform to pixi.toml, then "+p.relock(), "environment %s of the lock is not for %s", name, platform)
			continue
		}
		var python []string // Python packages that conda installs
		for _, item := range items {
			q := p.byLocation[item.Conda+item.Pypi]
			switch {
			case q == nil:
				p.problem("lock.package", diag.Pos{File: p.path}, fileName(item.Conda+item.Pypi), p.relock(), "the lock does not describe a package of environment %s", name)
			case item.Conda != "":
				if p.conda(q, platform) {
					python = append(python, q.Name)
				}
			default:
				if all[q] == nil {
					all[q] = &chosen{dist: p.dist(q), dependencies: map[string]bool{}}
				}
				all[q].platforms = append(all[q].platforms, platform)
			}
		}
		if len(python) > 0 && !p.Conda {
			p.problem("lock.conda", diag.Pos{File: p.path}, strings.Join(python, ", "), "set `type: conda` for the environment in the manifest", "the lock installs Python packages with conda on %s", platform)
		}
	}
	if p.problems.Len() == 0 {
		p.pypi(all)
	}
}

// platform returns the packages of a platform. Version 7 may name one by its requirements.
func (p *pixiReader) platform(e pixiEnvironment, platform string) ([]pixiItem, bool) {
	subdir := rattler.Subdir(platform)
	if items, ok := e.Packages[subdir]; ok {
		return items, true
	}
	for _, x := range p.doc.Platforms {
		if items, ok := e.Packages[x.Name]; ok && x.Subdir == subdir {
			return items, true
		}
	}
	return nil, false
}

// pypi adds the Python packages that are not from conda.
func (p *pixiReader) pypi(all map[*pixiPackage]*chosen) {
	installed, needed := map[string]bool{}, map[string]bool{}
	list := make([]*chosen, 0, len(all))
	for i := range p.doc.Packages {
		if c := all[&p.doc.Packages[i]]; c != nil && !slices.Contains(list, c) {
			list = append(list, c)
			installed[c.name] = true
		}
	}
	for q, c := range all {
		for _, text := range q.Requires {
			if r, err := pep.ParseRequirement(text); err == nil && installed[pep.Normalize(r.Name)] && pep.Normalize(r.Name) != c.name {
				c.dependencies[pep.Normalize(r.Name)] = true
				needed[pep.Normalize(r.Name)] = true
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(installed)) {
		if !needed[name] {
			p.lock.Requests = append(p.lock.Requests, name)
		}
	}
	p.assemble(list)
}

// dist returns a Python package in the common form.
func (p *pixiReader) dist(q *pixiPackage) *dist {
	location := strings.TrimPrefix(q.location(), "direct+")
	d := &dist{name: pep.Normalize(q.Name), version: q.Version, line: q.line, registry: q.Index}
	repository, isGit := strings.CutPrefix(location, "git+")
	f := file{name: fileName(location), sha256: q.SHA256, size: q.Size}
	isPublic := strings.HasPrefix(location, publicFiles) || q.Index != "" // all others are fetched from their URL
	if !isPublic {
		f.url = p.located(location)
	}
	switch {
	case isGit:
		d.direct, d.source = true, gitSource(repository)
	case strings.HasSuffix(f.name, ".whl"):
		d.direct, d.wheels = !isPublic, []file{f}
	case lock.ValidArchive(f.name):
		d.direct, d.sdist = !isPublic, &f
	default:
		d.direct, d.source.Directory = true, p.inProject(location)
	}
	return d
}

// conda adds a conda package of a platform. It reports whether it is a Python package.
func (p *pixiReader) conda(q *pixiPackage, platform string) bool {
	c := lock.CondaPackage{Platform: platform, Package: rattler.Package{
		Name: q.Name, Version: q.Version, Build: q.Build, Noarch: q.Noarch, Size: q.Size, SHA256: q.SHA256, MD5: q.MD5,
		Depends: q.Depends, Constrains: q.Constrains, License: q.License, SitePackages: q.SitePackages,
	}}
	channel, file := cutLast(q.location())
	c.File = file
	channel, c.Subdir = cutLast(channel)
	c.Channel = channelName(channel)
	stem := strings.TrimSuffix(strings.TrimSuffix(file, ".conda"), ".tar.bz2")
	if parts := strings.Split(stem, "-"); len(parts) > 2 { // versions 6 and 7 omit the parts of the file name
		n := len(parts)
		c.Name, c.Version, c.Build = strings.Join(parts[:n-2], "-"), parts[n-2], parts[n-1]
		q.Name = c.Name
	}
	if c.Subdir == "noarch" && c.Noarch == "" {
		c.Noarch = "generic"
		if strings.HasPrefix(c.Build, "py") {
			c.Noarch = "python"
		}
	}
	if q.BuildNumber != nil {
		c.BuildNumber = *q.BuildNumber
	} else if m := buildNumber().FindString(c.Build); m != "" {
		c.BuildNumber, _ = strconv.ParseInt(m, 10, 32)
	}
	at := diag.Pos{File: p.path, Line: q.line}
	if c.Name == "python" && pep.MajorMinor(c.Version) != pep.MajorMinor(p.Python) {
		p.problem("lock.python", at, "python "+c.Version, "set `python` of the environment to the version of the lock", "the lock is not for Python %s", p.Python)
	}
	if !p.Conda {
		return isPythonPackage(&c.Package)
	}
	problem := lock.CheckConda(&c)
	if problem == "" && !slices.Contains(p.lock.Conda.Channels, c.Channel) {
		problem = "package " + c.Name + " is not from a channel of the environment"
	}
	if problem != "" {
		p.problem("lock.conda", at, "", p.relock(), "conda: %s", problem)
		return false
	}
	p.lock.Conda.Packages = append(p.lock.Conda.Packages, c)
	return false
}

// buildNumber matches the number at the end of a build, which is its build number by
// convention.
var buildNumber = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\d+$`) })

// isPythonPackage reports whether a conda package has a Python package that a venv would lack.
func isPythonPackage(c *rattler.Package) bool {
	if slices.Contains([]string{"pip", "setuptools", "wheel"}, c.Name) {
		return false
	}
	return slices.ContainsFunc(c.Depends, func(d string) bool {
		name, _, _ := strings.Cut(d, " ")
		return strings.TrimRight(name, "<>=!~0123456789.") == "python"
	})
}

// cutLast splits a location at its last slash.
func cutLast(location string) (before, last string) {
	i := strings.LastIndexByte(location, '/')
	if i < 0 {
		return "", location
	}
	return location[:i], location[i+1:]
}

// publicChannels is the location of channels that manifests name without a URL.
const publicChannels = "https://conda.anaconda.org/"

// channelName returns the name of a channel in manifests: that of a public one, or the URL of
// another one.
func channelName(location string) string {
	return strings.TrimSuffix(strings.TrimPrefix(location, publicChannels), "/")
}
