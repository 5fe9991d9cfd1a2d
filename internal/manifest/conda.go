package manifest

import (
	"net/url"
	"path"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/pep"
)

// Conda is what an environment of type conda has beside the rest.
type Conda struct {
	Name     string   // as clients of conda and prompts show it
	Channels []string // in order of priority, without nodefaults
	// NoDefaults keeps the channels of a user's .condarc out of what other clients
	// make of the environment file.
	NoDefaults bool
	Register   bool   // conda activate NAME finds it
	Engine     string // "auto", "rattler", "micromamba", "mamba", "conda"
	Packages   []lock.CondaPin

	pos diag.Pos
}

var condaPackageShape = shape{"a package of conda", []string{"name", "version", "build", "why"}, 2}

// condaSpecs is what is solved for the environment.
func (e *Environment) condaSpecs() []string { return lock.CondaSpecs(e.Python, e.Conda.Packages) }

// conda reads what only type conda has.
func (l *loader) conda(e *Environment, value *yaml.Node, v *[21]*yaml.Node) {
	own := v[firstConda:]
	c := &Conda{Name: e.Name, Engine: "auto", pos: e.Pos}
	e.Conda = c
	if own[0] != nil {
		if name, ok := l.scalar(own[0], "name"); ok && l.name(own[0], "a conda environment", isSlug, slugRule) {
			c.Name = name
		}
	}
	e.EnvironmentFile, e.environmentPos = l.placed(own[1], "environment_file")
	channels := l.items(own[2], "channels")
	for _, item := range channels {
		l.channel(c, item)
	}
	if len(c.Channels) == 0 && (len(channels) == 0 || c.NoDefaults) {
		l.problem(value, "missing-key", "an environment of type conda has no channel", "", "add channels: [conda-forge, nodefaults]")
	}
	c.Register = own[3] != nil && l.boolean(own[3], "register")
	if own[4] != nil {
		c.Engine = l.choice(own[4], "engine", "auto", "rattler", "micromamba", "mamba", "conda")
	}
	l.condaPackages(e, own[5])
}

// channel reads a channel: a name, or an address of its own. A folder of this
// machine is one too.
func (l *loader) channel(c *Conda, n *yaml.Node) {
	name, ok := l.scalar(n, "a channel")
	switch {
	case !ok:
	case name == "nodefaults":
		c.NoDefaults = true
	case slices.Contains(c.Channels, name):
		l.problem(n, "duplicate-item", quote(name)+" is listed twice", "", "remove one of them")
	case strings.Contains(name, "://"):
		u, err := url.Parse(name)
		clean := err == nil && u.User == nil && u.RawQuery == "" && u.Fragment == "" && !strings.HasSuffix(name, "/") && path.Clean("/"+u.Path) == "/"+strings.TrimPrefix(u.Path, "/")
		if !clean || u.Scheme != "https" && u.Scheme != "file" || u.Scheme == "file" && (u.Host != "" || u.Path == "") {
			l.problem(n, "value", "an address of a channel is https://HOST/PATH or file:///PATH", quote(name), "write it without user, password, query and last slash")
			return
		}
		c.Channels = append(c.Channels, name)
	case path.IsAbs(name):
		l.problem(n, "value", quote(name)+" is a folder, not the address of a channel", "", "write file://"+name)
	case l.name(n, "a channel", isSlug, slugRule):
		c.Channels = append(c.Channels, name)
	}
}

// condaPackages reads what conda brings beside the interpreter. A package stands in
// one place only: pip knows nothing of conda's pins and would replace it.
func (l *loader) condaPackages(e *Environment, n *yaml.Node) {
	for _, item := range l.items(n, "conda_packages") {
		var v [4]*yaml.Node
		if !l.object(item, &condaPackageShape, v[:]) || v[0] == nil || v[1] == nil {
			continue
		}
		p := lock.CondaPin{Why: l.optionalText(v[3], "why")}
		ok := l.condaWord(v[0], "name", &p.Name, lock.ValidCondaName, "use small letters, digits and the marks - _ . between them")
		ok = l.condaWord(v[1], "version", &p.Version, lock.ValidCondaWord, "write one exact version, such as 24.2") && ok
		if v[2] != nil {
			ok = l.condaWord(v[2], "build", &p.Build, lock.ValidCondaWord, "write the build as the channel names it, such as h0_0_cpython") && ok
		}
		switch i := slices.IndexFunc(e.Packages, func(q lock.Pin) bool { return pep.Normalize(q.Name) == pep.Normalize(p.Name) }); {
		case !ok:
		case slices.ContainsFunc(e.Conda.Packages, func(q lock.CondaPin) bool { return q.Name == p.Name }):
			l.problem(v[0], "duplicate-item", quote(p.Name)+" is pinned twice", "", "remove one of them")
		case i >= 0:
			l.problem(v[0], "two-owners", quote(p.Name)+" is in conda_packages and in packages", "the other one at "+e.Packages[i].Pos.String(), "keep it in one of them: pip would replace what conda installed")
		case p.Name == "python" && p.Version != e.Python && !strings.HasPrefix(p.Version, e.Python+"."):
			l.problem(v[1], "version", "python of conda is of another line than the environment", quote(p.Version), "write a release of "+e.Python)
		default:
			e.Conda.Packages = append(e.Conda.Packages, p)
		}
	}
}

// condaWord reads a word that reaches command lines and file names. Its code is what
// it is called, too.
func (l *loader) condaWord(n *yaml.Node, code string, to *string, valid func(string) bool, hint string) bool {
	v, ok := l.scalar(n, code)
	if !ok {
		return false
	}
	if !valid(v) {
		l.problem(n, code, quote(v)+" is no "+code+" of a package of conda", "", hint)
		return false
	}
	*to = v
	return true
}
