package manifest

import (
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/reconcile-ml/reconcile/internal/facts"
)

// A Match says which machines an environment is for. An empty list is any; all
// that are given must hold.
type Match struct {
	GPU  []string // "none", "nvidia"
	OS   []string // "linux", "macos"
	Arch []string // "x86_64", "arm64" (also that of Linux, which calls it aarch64)
	Host []string // host names without domain
}

var matchShape = shape{"match", []string{"gpu", "os", "arch", "host"}, 0}

func (l *loader) match(n *yaml.Node) *Match {
	var v [4]*yaml.Node
	if n == nil || !l.object(n, &matchShape, v[:]) {
		return nil
	}
	if n.Kind == yaml.MappingNode && len(n.Content) == 0 {
		l.problem(n, "value", "match is empty", "", "say which machines, such as {gpu: none}; without match an environment is chosen by --env alone")
	}
	m := &Match{
		GPU:  l.oneOrMore(v[0], func(item *yaml.Node) string { return l.choice(item, "gpu", "none", "nvidia") }),
		OS:   l.oneOrMore(v[1], func(item *yaml.Node) string { return l.choice(item, "os", "linux", "macos") }),
		Arch: l.oneOrMore(v[2], func(item *yaml.Node) string { return l.choice(item, "arch", "x86_64", "arm64", "aarch64") }),
		Host: l.oneOrMore(v[3], func(item *yaml.Node) string { return l.hostName(item) }),
	}
	return m
}

// oneOrMore reads a value or a list of them.
func (l *loader) oneOrMore(n *yaml.Node, read func(*yaml.Node) string) (values []string) {
	if n == nil {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		return []string{read(n)}
	}
	if len(n.Content) == 0 {
		l.problem(n, "value", "an empty list matches no machine", "", "remove the key")
	}
	for _, item := range n.Content {
		values = append(values, read(item))
	}
	return values
}

// hostName reads the name of a machine, without domain.
func (l *loader) hostName(n *yaml.Node) string {
	v, ok := l.scalar(n, "a host")
	if ok && !isHostName(v) {
		l.problem(n, "name", quote(v)+" is no name of a host", "", "write what hostname prints, without the domain")
		return ""
	}
	return v
}

func isHostName(v string) bool {
	if v == "" || len(v) > 63 || v[0] == '-' || v[len(v)-1] == '-' {
		return false
	}
	for i := range len(v) {
		c := v[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// String returns the match as a manifest writes it.
func (m *Match) String() string {
	var parts []string
	for _, f := range []struct {
		name   string
		values []string
	}{{"gpu", m.GPU}, {"os", m.OS}, {"arch", m.Arch}, {"host", m.Host}} {
		switch len(f.values) {
		case 0:
		case 1:
			parts = append(parts, f.name+": "+f.values[0])
		default:
			parts = append(parts, f.name+": ["+strings.Join(f.values, ", ")+"]")
		}
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// misses returns why a machine is not one of the match, or "".
func (m *Match) misses(s Selection) string {
	vendor := s.GPU.Vendor
	if vendor == "" {
		vendor = "not known"
	}
	system := s.Host.OS
	if system == "darwin" {
		system = "macos"
	}
	arch := func(v string) string {
		if v == "aarch64" {
			return "arm64"
		}
		return v
	}
	switch {
	case len(m.GPU) > 0 && !slices.Contains(m.GPU, vendor):
		return fmt.Sprintf("gpu is %s, not %s", vendor, strings.Join(m.GPU, " or "))
	case len(m.OS) > 0 && !slices.Contains(m.OS, system):
		return fmt.Sprintf("os is %s, not %s", system, strings.Join(m.OS, " or "))
	case len(m.Arch) > 0 && !slices.ContainsFunc(m.Arch, func(v string) bool { return arch(v) == arch(s.Host.Arch) }):
		return fmt.Sprintf("arch is %s, not %s", s.Host.Arch, strings.Join(m.Arch, " or "))
	case len(m.Host) > 0 && !slices.ContainsFunc(m.Host, func(v string) bool { return sameHost(v, s.Host) }):
		return fmt.Sprintf("host is %s, not %s", printable(s.Host.Hostname), strings.Join(m.Host, " or "))
	}
	return ""
}

// sameHost compares host names as the network does, without regard to case.
func sameHost(name string, h facts.Host) bool { return strings.EqualFold(name, h.Hostname) }
