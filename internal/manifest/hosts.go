package manifest

import (
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/nearest"
)

// A Host is what is different on one machine, and where to reach it.
type Host struct {
	Name       string // without domain; case does not count
	Env        string // environment of this machine, "" to go by match
	AllowPaths []string
	Places     []Place // directories that lie elsewhere
	SSH        *SSH
	// Severity is that of what environments ask of GPUs, on this machine; nil for what
	// they say. With Warn a login node without a GPU builds the environment on purpose.
	Severity *diag.Severity
	Pos      diag.Pos
	envPos   diag.Pos
}

// SSH is where a machine can be reached. Every field is checked to be no option
// and no word of a shell.
type SSH struct {
	Host string // "gpu1.example.org", "ubuntu@192.0.2.7"
	Port int64
	Path string // of the project over there
	Pos  diag.Pos
}

var (
	hostShape = shape{"a host", []string{"env", "allow_paths", "directories", "ssh", "severity"}, 0}
	sshShape  = shape{"ssh", []string{"host", "path", "port"}, 1}
)

func (l *loader) hosts(n *yaml.Node) {
	seen := map[string]diag.Pos{}
	l.entries(n, "hosts", func(key, value *yaml.Node) {
		h := &Host{Name: l.hostName(key), Pos: l.at(key)}
		if first, ok := seen[strings.ToLower(h.Name)]; ok && h.Name != "" {
			l.problem(key, "duplicate-key", quote(h.Name)+" is given twice: case does not count", "the first one at "+first.String(), "remove one of them")
		}
		seen[strings.ToLower(h.Name)] = h.Pos
		var v [5]*yaml.Node
		if !l.object(value, &hostShape, v[:]) {
			return
		}
		if v[0] != nil {
			h.Env, _ = l.text(v[0], "env")
			h.envPos = l.at(v[0])
		}
		for _, item := range l.items(v[1], "allow_paths") {
			if p := l.path(item, "an allowed path"); strings.HasPrefix(p, "/") {
				h.AllowPaths = append(h.AllowPaths, p)
			} else if p != "" {
				l.problem(item, "path", "an allowed path must be absolute", quote(p), "what lies inside the project needs no entry")
			}
		}
		h.Places = l.places(v[2])
		h.SSH = l.ssh(v[3])
		if v[4] != nil {
			severity := l.severity(v[4])
			h.Severity = &severity
		}
		l.m.Hosts = append(l.m.Hosts, h)
	})
}

func (l *loader) ssh(n *yaml.Node) *SSH {
	var v [3]*yaml.Node
	if n == nil || !l.object(n, &sshShape, v[:]) {
		return nil
	}
	s := &SSH{Pos: l.at(n), Port: 22}
	if host, ok := l.scalar(v[0], "host"); ok {
		if !isSSHHost(host) {
			l.problem(v[0], "value", "host must be a name or an address, with USER@ before it or not", quote(host), "use letters, digits and . - _ :")
		}
		s.Host = host
	}
	if p, ok := l.scalar(v[1], "path"); ok {
		if !isSafe(p, "/._-") {
			l.problem(v[1], "value", "path of a far machine may hold letters, digits and / . - _ alone", quote(p), "another shell will read it: rename the folder")
		}
		s.Path = p
	}
	if v[2] != nil {
		s.Port = l.integer(v[2], "port", 1, 65535)
	}
	return s
}

// isSSHHost reports whether v is [USER@]HOST and no option of ssh.
func isSSHHost(v string) bool {
	return isSafe(v, "@._-:") && strings.Count(v, "@") <= 1 && v[0] != '@' && v[len(v)-1] != '@'
}

// isSafe reports whether a text is made of ASCII letters, digits and marks, and
// does not look like an option.
func isSafe(v, marks string) bool {
	if v == "" || len(v) > maxText || v[0] == '-' || strings.Contains(v, "@-") {
		return false
	}
	for i := range len(v) {
		c := v[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && strings.IndexByte(marks, c) < 0 {
			return false
		}
	}
	return true
}

// allows reports whether an absolute path lies in one of the allowed folders.
func (h *Host) allows(p string) bool {
	for _, allowed := range h.AllowPaths {
		if p == allowed || strings.HasPrefix(p, allowed+"/") {
			return true
		}
	}
	return false
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

// checkReferences reports names that another section should have.
func (l *loader) checkReferences() {
	names := make([]string, len(l.m.Environments))
	for i, e := range l.m.Environments {
		names[i] = e.Name
	}
	for _, h := range l.m.Hosts {
		if h.Env != "" {
			l.checkEnvironment(h.Env, h.envPos, names)
		}
		l.checkNames(h.Places)
	}
	for _, e := range l.m.Environments {
		l.checkNames(e.Places)
	}
	for i := range l.m.Models {
		for k, name := range l.m.Models[i].Environments {
			l.checkEnvironment(name, l.m.Models[i].environmentPos[k], names)
		}
	}
}

// checkEnvironment reports a name that no environment has.
func (l *loader) checkEnvironment(name string, at diag.Pos, names []string) {
	if l.m.environment(name) == nil {
		l.report(at.Line, at.Col, diag.Problem{
			Code: "manifest.reference", Summary: "there is no environment " + quote(name), Hint: didYouMean(name, names),
		})
	}
}

// checkNames reports places of directories that there are not.
func (l *loader) checkNames(places []Place) {
	for _, p := range places {
		if l.m.directory(p.Directory) != nil {
			continue
		}
		var names []string
		for i := range l.m.Directories {
			names = append(names, l.m.Directories[i].Name)
		}
		l.report(p.Pos.Line, p.Pos.Col, diag.Problem{
			Code: "manifest.reference", Summary: "there is no directory " + quote(p.Directory), Hint: didYouMean(p.Directory, names),
		})
	}
}

// didYouMean returns a hint that names the nearest word, or all.
func didYouMean(v string, words []string) string {
	if near := nearest.Word(v, words); near != "" {
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

// environment returns the environment of a name, or nil.
func (m *Manifest) environment(name string) *Environment {
	for _, e := range m.Environments {
		if e.Name == name {
			return e
		}
	}
	return nil
}
