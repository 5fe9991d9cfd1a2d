package manifest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/nearest"
)

// A Host holds the settings of one machine.
type Host struct {
	Name       string // without domain; case is ignored
	Env        string // environment of this machine, "" to select by match
	AllowPaths []string
	Places     []Place
	SSH        *SSH
	// Severity replaces that of CUDA and GPU requirements on this machine; nil for none.
	// With Warn a login node without a GPU can build the environment.
	Severity *diag.Severity
	Pos      diag.Pos
	envPos   diag.Pos
}

// SSH is the address of a machine. Its fields are checked so that none is an option or
// has a meaning to a shell.
type SSH struct {
	Host string // "gpu1.example.org", "ubuntu@192.0.2.7"
	Port int64
	Path string // of the project on that machine
	Pos  diag.Pos
}

var (
	hostShape = shape{what: "a host", keys: []string{"env", "allow_paths", "directories", "ssh", "severity"}}
	sshShape  = shape{what: "ssh", keys: []string{"host", "path", "port"}, required: 1}
)

func (l *loader) hosts(v value) {
	seen := map[string]diag.Pos{}
	for key, val := range v.entries() {
		h := &Host{Name: key.hostName(), Pos: key.pos()}
		folded := strings.ToLower(h.Name)
		if first, ok := seen[folded]; ok && folded != "" {
			key.duplicate("duplicate-key", quote(h.Name)+" is given twice, ignoring case", first)
		}
		seen[folded] = h.Pos
		f, ok := val.object(&hostShape)
		if !ok {
			continue
		}
		h.Env, h.envPos = f.get("env").text(), f.get("env").pos()
		for item := range f.get("allow_paths").items("an allowed path") {
			if p, _ := item.path(); strings.HasPrefix(p, "/") {
				h.AllowPaths = append(h.AllowPaths, p)
			} else if p != "" {
				item.problem("path", "an allowed path must be absolute", quote(p), "remove it: paths inside the project are always allowed")
			}
		}
		h.Places = readPlaces(f.get("directories"))
		h.SSH = readSSH(f.get("ssh"))
		if v := f.get("severity"); v.given() {
			h.Severity = new(v.severity())
		}
		l.m.Hosts = append(l.m.Hosts, h)
	}
}

func readSSH(v value) *SSH {
	f, ok := v.object(&sshShape)
	if !ok {
		return nil
	}
	s := &SSH{Pos: v.pos(), Port: 22}
	if s.Host, ok = f.get("host").scalar(); ok && !isSSHHost(s.Host) {
		f.get("host").problem("value", "host must be a name or an address, optionally after USER@", quote(s.Host), "use letters, digits and . - _ :")
	}
	if s.Path, ok = f.get("path").scalar(); ok && !isSafe(s.Path, "/._-") {
		f.get("path").problem("value", "the path on a remote machine may contain only letters, digits and / . - _", quote(s.Path), "rename the folder: the remote shell reads the path")
	}
	if port := f.get("port"); port.given() {
		s.Port = port.integer(1, 65535)
	}
	return s
}

// isSSHHost reports whether s is [USER@]HOST and not an option of ssh.
func isSSHHost(s string) bool {
	return isSafe(s, "@._-:") && strings.Count(s, "@") <= 1 && s[0] != '@' && s[len(s)-1] != '@'
}

// isSafe reports whether a text has only ASCII letters, digits and the given marks, and
// cannot be an option.
func isSafe(s, marks string) bool {
	return s != "" && len(s) <= maxText && s[0] != '-' && !strings.Contains(s, "@-") && strings.Trim(s, alphanumeric+marks) == ""
}

// allows reports whether an absolute path is in one of the allowed folders.
func (h *Host) allows(p string) bool {
	return slices.ContainsFunc(h.AllowPaths, func(allowed string) bool { return p == allowed || strings.HasPrefix(p, allowed+"/") })
}

// Allows reports whether an absolute path is in an allowed folder of any host.
func (m *Manifest) Allows(p string) bool {
	return slices.ContainsFunc(m.Hosts, func(h *Host) bool { return h.allows(p) })
}

// Host returns the section of a machine, or nil.
func (m *Manifest) Host(h facts.Host) *Host {
	for _, host := range m.Hosts {
		if sameHost(host.Name, h) {
			return host
		}
	}
	return nil
}

// checkReferences reports names of environments and directories that do not exist.
func (l *loader) checkReferences() {
	for _, h := range l.m.Hosts {
		if h.Env != "" {
			l.checkEnvironment(h.Env, h.envPos)
		}
		l.checkPlaceNames(h.Places)
	}
	for _, e := range l.m.Environments {
		l.checkPlaceNames(e.Places)
		l.checkSources(e)
	}
	for i := range l.m.Models {
		for k, name := range l.m.Models[i].Environments {
			l.checkEnvironment(name, l.m.Models[i].environmentPos[k])
		}
	}
}

// checkSources checks that the indexes of packages exist, and that builds are with packages of
// the environment.
func (l *loader) checkSources(e *Environment) {
	names := make([]string, len(l.m.Indexes))
	for i, x := range l.m.Indexes {
		names[i] = x.Name
	}
	for _, p := range e.Packages {
		if p.Index != "" && p.Index != public && l.m.index(p.Index) == nil {
			hint := "add it: indexes: [{name: " + p.Index + ", url: https://HOST/PATH}]"
			if len(names) > 0 {
				hint = cmp.Or(didYouMean(p.Index, names), hint)
			}
			l.problemAt(p.Pos, "reference", "there is no index "+quote(p.Index), "", hint)
		}
	}
}

func (l *loader) checkEnvironment(name string, at diag.Pos) {
	if l.m.environment(name) == nil {
		l.problemAt(at, "reference", "there is no environment "+quote(name), "", didYouMean(name, l.m.environmentNames()))
	}
}

func (l *loader) checkPlaceNames(places []Place) {
	for _, p := range places {
		if l.m.directory(p.Directory) != nil {
			continue
		}
		var names []string
		for i := range l.m.Directories {
			names = append(names, l.m.Directories[i].Name)
		}
		l.problemAt(p.Pos, "reference", "there is no directory "+quote(p.Directory), "", didYouMean(p.Directory, names))
	}
}

// didYouMean returns a hint with the nearest word, or with all words.
func didYouMean(s string, words []string) string {
	if near := nearest.Word(s, words); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	if len(words) == 0 {
		return "the manifest declares none"
	}
	if len(words) > 10 {
		words = append(words[:10:10], "…")
	}
	return "there are: " + strings.Join(words, ", ")
}

// environment returns the environment with a name, or nil.
func (m *Manifest) environment(name string) *Environment {
	for _, e := range m.Environments {
		if e.Name == name {
			return e
		}
	}
	return nil
}

func (m *Manifest) environmentNames() []string {
	names := make([]string, len(m.Environments))
	for i, e := range m.Environments {
		names[i] = e.Name
	}
	return names
}
