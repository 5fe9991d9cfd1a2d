package manifest

import (
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/pep"
)

// Conda holds the settings of an environment of type conda.
type Conda struct {
	Name       string   // in conda clients and prompts
	Channels   []string // in order of priority, without nodefaults
	NoDefaults bool     // writes nodefaults to the environment file, which excludes the channels of .condarc
	Register   bool     // so that conda activate NAME works
	Engine     string   // "auto", "rattler", "micromamba", "mamba", "conda"
	Packages   []lock.CondaPin

	pos diag.Pos
}

var condaPackageShape = shape{what: "a conda package", keys: []string{"name", "version", "build", "why"}, required: 2}

// condaSpecs returns the match specs to solve for the environment.
func (e *Environment) condaSpecs() []string {
	specs := lock.CondaSpecs(e.Python, e.Conda.Packages)
	for _, c := range e.sources.Conda {
		spec := c.Name
		switch {
		case c.Exact:
			spec += " ==" + c.Version
		case c.Version != "":
			spec += " " + c.Version
		case c.Build != "":
			spec += " *"
		}
		if c.Build != "" {
			spec += " " + c.Build
		}
		if c.Channel != "" {
			spec = c.Channel + "::" + spec
		}
		specs = append(specs, spec)
	}
	slices.Sort(specs)
	return slices.Compact(specs)
}

func (e *Environment) readConda(f fields) {
	c := &Conda{Name: e.Name, Engine: "auto", pos: e.Pos}
	e.Conda = c
	if name, ok := f.get("name").slug("a conda environment"); ok {
		c.Name = name
	}
	e.EnvironmentFile, e.environmentPos = f.get("environment_file").innerPath()
	channels := 0
	for item := range f.get("channels").items("a channel") {
		channels++
		c.readChannel(item)
	}
	if len(c.Channels) == 0 && (channels == 0 || c.NoDefaults) {
		f.problem("missing-key", "an environment of type conda has no channel", "", "add channels: [conda-forge, nodefaults]")
	}
	c.Register = f.get("register").boolean()
	if v := f.get("engine"); v.given() {
		c.Engine = v.choice("auto", "rattler", "micromamba", "mamba", "conda")
	}
	e.readCondaPackages(f.get("conda_packages"))
}

// readChannel reads the name or the URL of a channel.
func (c *Conda) readChannel(v value) {
	name, ok := v.scalar()
	switch {
	case !ok:
	case name == "nodefaults":
		c.NoDefaults = true
	case slices.Contains(c.Channels, name):
		v.problem("duplicate-item", quote(name)+" is listed twice", "", "remove one of them")
	case strings.Contains(name, "://"):
		u, err := url.Parse(name)
		clean := err == nil && u.User == nil && u.RawQuery == "" && u.Fragment == "" && !strings.HasSuffix(name, "/") && path.Clean("/"+u.Path) == "/"+strings.TrimPrefix(u.Path, "/")
		if !clean || u.Scheme != "https" && u.Scheme != "file" || u.Scheme == "file" && (u.Host != "" || u.Path == "") {
			v.problem("value", "the URL of a channel must be https://HOST/PATH or file:///PATH", quote(name), "write it without user, password, query and trailing slash")
			return
		}
		c.Channels = append(c.Channels, name)
	case path.IsAbs(name):
		v.problem("value", quote(name)+" is a folder, not the URL of a channel", "", "write file://"+name)
	default:
		if _, ok := v.slug("a channel"); ok {
			c.Channels = append(c.Channels, name)
		}
	}
}

// readCondaPackages reads conda packages. A package must not be in both lists, because wheels would
// replace what conda installed.
func (e *Environment) readCondaPackages(v value) {
	for item := range v.items("a conda package") {
		f, ok := item.object(&condaPackageShape)
		if !ok || !f.get("name").given() || !f.get("version").given() {
			continue
		}
		name, version := f.get("name"), f.get("version")
		p := lock.CondaPin{
			Name:    name.condaWord("name", lock.ValidCondaName, "use lower-case letters, digits and the marks - _ . between them"),
			Version: version.condaWord("version", lock.ValidCondaWord, "write one exact version, such as 24.2"),
			Build:   f.get("build").condaWord("build", lock.ValidCondaWord, "write the build as the channel lists it, such as h0_0_cpython"),
			Why:     f.get("why").text(),
			Pos:     name.pos(),
		}
		switch i := slices.IndexFunc(e.Packages, func(q lock.Requirement) bool { return pep.Normalize(q.Name) == pep.Normalize(p.Name) }); {
		case p.Name == "" || p.Version == "" || p.Build == "" && f.get("build").given():
		case slices.ContainsFunc(e.Conda.Packages, func(q lock.CondaPin) bool { return q.Name == p.Name }):
			name.problem("duplicate-item", quote(p.Name)+" is pinned twice", "", "remove one of them")
		case i >= 0:
			name.problem("two-owners", quote(p.Name)+" is in conda_packages and in packages", "the other one at "+e.Packages[i].Pos.String(), "keep it in one of them: pip would replace what conda installed")
		case p.Name == "python" && p.Version != e.Python && !strings.HasPrefix(p.Version, e.Python+"."):
			version.problem("version", "the python of conda has another minor version than the environment", quote(p.Version), "write a release of "+e.Python)
		default:
			e.Conda.Packages = append(e.Conda.Packages, p)
		}
	}
}

// condaWord reads a word for command lines and file names.
func (v value) condaWord(code string, valid func(string) bool, hint string) string {
	s, ok := v.scalar()
	if ok && !valid(s) {
		v.problem(code, quote(s)+" is not a valid "+v.what+" of a conda package", "", hint)
		return ""
	}
	return s
}
