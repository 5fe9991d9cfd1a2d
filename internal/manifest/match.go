package manifest

import (
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/reconcile-ml/reconcile/internal/facts"
)

// A Match selects the machines of an environment. All conditions must hold; an empty
// list always holds.
type Match struct {
	GPU  []string // "none" for no NVIDIA GPU, "nvidia", "amd", "intel", "apple"
	OS   []string // "linux", "macos"
	Arch []string // "x86_64", "arm64" (equal to aarch64)
	Host []string // host names without domain
}

// vendors lists the values of gpu.
func vendors() []string { return []string{"none", "nvidia", "amd", "intel", "apple"} }

var matchShape = shape{what: "match", keys: []string{"gpu", "os", "arch", "host"}}

func readMatch(v value) *Match {
	f, ok := v.object(&matchShape)
	if !ok {
		return nil
	}
	if len(v.node.Content) == 0 {
		v.problem("value", "match is empty", "", "name the machines, such as {gpu: none}, or remove it")
	}
	choice := func(words ...string) func(value) string { return func(v value) string { return v.choice(words...) } }
	return &Match{
		GPU:  oneOrMore(f.get("gpu"), choice(vendors()...)),
		OS:   oneOrMore(f.get("os"), choice("linux", "macos")),
		Arch: oneOrMore(f.get("arch"), choice("x86_64", "arm64", "aarch64")),
		Host: oneOrMore(f.get("host"), value.hostName),
	}
}

// oneOrMore reads a value or a list of values.
func oneOrMore(v value, read func(value) string) (values []string) {
	if !v.given() {
		return nil
	}
	if v.node.Kind != yaml.SequenceNode {
		return []string{read(v)}
	}
	if v.isEmptyList() {
		v.problem("value", "an empty list matches no machine", "", "remove the key")
	}
	for item := range v.items(v.what) {
		values = append(values, read(item))
	}
	return values
}

// hostName reads the name of a machine, without domain.
func (v value) hostName() string {
	s, ok := v.named("a host").scalar()
	if ok && !isHostName(s) {
		v.problem("name", quote(s)+" is not a valid host name", "", "write the output of `hostname`, without the domain")
		return ""
	}
	return s
}

func isHostName(s string) bool {
	return s != "" && len(s) <= 63 && s[0] != '-' && s[len(s)-1] != '-' && strings.Trim(s, alphanumeric+"-_") == ""
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

// mismatch returns why the match does not hold for a machine, or "".
func (m *Match) mismatch(s Selection) string {
	vendor, system := s.GPU.Vendor, s.Host.OS
	if vendor == "" {
		vendor = "not known"
	}
	if system == "darwin" {
		system = "macos"
	}
	sameArch := func(v string) bool {
		return strings.Replace(v, "aarch64", "arm64", 1) == strings.Replace(s.Host.Arch, "aarch64", "arm64", 1)
	}
	for _, c := range []struct {
		name, actual string
		want         []string
		is           func(string) bool
	}{
		{"gpu", vendor, m.GPU, func(v string) bool { return v == vendor || v == "none" && isOther(s.GPU) }},
		{"os", system, m.OS, func(v string) bool { return v == system }},
		{"arch", s.Host.Arch, m.Arch, sameArch},
		{"host", printable(s.Host.Hostname), m.Host, func(v string) bool { return sameHost(v, s.Host) }},
	} {
		if len(c.want) > 0 && !slices.ContainsFunc(c.want, c.is) {
			return fmt.Sprintf("%s is %s, not %s", c.name, c.actual, strings.Join(c.want, " or "))
		}
	}
	return ""
}

// isOther reports whether a machine has a GPU of another vendor than NVIDIA, and no NVIDIA GPU.
func isOther(g facts.GPU) bool { return slices.Contains(vendors()[2:], g.Vendor) }

// sameHost compares host names without regard to case.
func sameHost(name string, h facts.Host) bool { return strings.EqualFold(name, h.Hostname) }
