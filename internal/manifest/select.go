package manifest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
)

// A Selection is the input for choosing the environment of a machine.
type Selection struct {
	Host facts.Host
	GPU  facts.GPU
}

// Select returns the environment of a machine: that of the host's section, else the only one
// that matches. If several match, it is the default one of them; if none does, a default one
// without match. It returns nil for a manifest without environments. The *diag.Problem for none
// or several gives the reason of each.
func (m *Manifest) Select(s Selection) (*Environment, error) {
	if len(m.Environments) == 0 {
		return nil, nil
	}
	if h := m.Host(s.Host); h != nil && h.Env != "" {
		return m.environment(h.Env), nil
	}
	matching := m.candidates(s)
	if len(matching) == 1 {
		return matching[0], nil
	}
	var preferred []*Environment
	for _, e := range matching {
		if e.Default {
			preferred = append(preferred, e)
		}
	}
	if len(preferred) == 1 {
		return preferred[0], nil
	}
	return nil, m.notOne(s, matching, preferred)
}

// Named returns the environment with a name, or the *diag.Problem that there is none.
func (m *Manifest) Named(name string) (*Environment, error) {
	if e := m.environment(name); e != nil {
		return e, nil
	}
	return nil, &diag.Problem{
		Code: "environment.unknown", Pos: diag.Pos{File: m.File},
		Summary: "there is no environment " + quote(name), Hint: didYouMean(name, m.environmentNames()),
	}
}

// SelectAll returns the environments of a machine, in the order of the manifest: that of the
// host's section, and those that match; if there is none of these, a default one without
// match. It returns none for a manifest without environments.
func (m *Manifest) SelectAll(s Selection) ([]*Environment, error) {
	if len(m.Environments) == 0 {
		return nil, nil
	}
	ofHost := ""
	if h := m.Host(s.Host); h != nil {
		ofHost = h.Env
	}
	list := slices.DeleteFunc(slices.Clone(m.Environments), func(e *Environment) bool {
		return e.Name != ofHost && m.mismatch(e, s) != ""
	})
	if len(list) == 0 {
		list = m.candidates(s)
	}
	if len(list) == 0 {
		return nil, m.notOne(s, nil, nil)
	}
	return list, nil
}

// candidates returns the environments that match a machine; if none does, the default ones
// without match.
func (m *Manifest) candidates(s Selection) []*Environment {
	var matching, fallback []*Environment
	for _, e := range m.Environments {
		switch {
		case m.mismatch(e, s) == "":
			matching = append(matching, e)
		case e.Default && e.Match == nil:
			fallback = append(fallback, e)
		}
	}
	if len(matching) == 0 {
		return fallback
	}
	return matching
}

// mismatch returns why an environment does not match a machine, or "". If no environment of
// the manifest has a match, each is for every machine, or if there are several, for those of
// the platforms of its lock.
func (m *Manifest) mismatch(e *Environment, s Selection) string {
	switch {
	case e.Match != nil:
		return cmp.Or(e.Match.mismatch(s), m.named(e, s))
	case slices.ContainsFunc(m.Environments, func(e *Environment) bool { return e.Match != nil }):
		return "has no match, so only --env chooses it"
	case len(m.Environments) > 1 && !slices.Contains(e.Platforms, s.Host.Platform):
		return fmt.Sprintf("its platforms are %s, not %s", strings.Join(e.Platforms, ", "), printable(s.Host.Platform))
	}
	return ""
}

// named returns why an environment whose `gpu: none` holds on a machine with a GPU of another vendor
// than NVIDIA is not for it: one that matches names the vendor. Otherwise it returns "".
func (m *Manifest) named(e *Environment, s Selection) string {
	if !isOther(s.GPU) || len(e.Match.GPU) == 0 || slices.Contains(e.Match.GPU, s.GPU.Vendor) {
		return ""
	}
	for _, other := range m.Environments {
		if other.Match != nil && slices.Contains(other.Match.GPU, s.GPU.Vendor) && other.Match.mismatch(s) == "" {
			return fmt.Sprintf("environment %s is for machines with gpu: %s", other.Name, s.GPU.Vendor)
		}
	}
	return ""
}

// notOne returns the problem that a machine has no environment or several, of which more than
// one may be the default.
func (m *Manifest) notOne(s Selection, matching, preferred []*Environment) error {
	var reasons []string
	for _, e := range m.Environments {
		reason := m.mismatch(e, s)
		switch {
		case reason != "":
		case e.Match == nil:
			reason = "has no match, so it is for every machine"
		default:
			reason = "matches " + e.Match.String()
		}
		if e.Default {
			reason += "; default: true"
		}
		reasons = append(reasons, fmt.Sprintf("%s (%s): %s", e.Name, e.Pos, reason))
	}
	p := &diag.Problem{
		Code: "environment.none", Pos: m.Environments[0].Pos, Summary: "no environment matches this machine",
		Found: strings.Join(reasons, "\n"),
		Hint:  fmt.Sprintf("choose one with --env NAME, or permanently with hosts: {%s: {env: NAME}}", printable(s.Host.Hostname)),
	}
	switch {
	case len(preferred) > 1:
		p.Code, p.Pos, p.Summary = "environment.ambiguous", preferred[1].Pos, "several environments with default: true match this machine"
		p.Hint = "keep default: true in one of them, or choose one with --env NAME"
	case len(matching) > 1:
		p.Code, p.Pos, p.Summary = "environment.ambiguous", matching[1].Pos, "several environments match this machine"
		p.Hint += ", or set default: true in one; plan, apply, status and verify take --all for all of them"
	}
	return p
}

// Notes describes the environments that a plan is not for, and returns the notes of those
// that it is for.
func (m *Manifest) Notes(s Selection, envs []*Environment) []string {
	var notes []string
	for _, e := range m.Environments {
		if e.installerPos.IsValid() {
			notes = append(notes, fmt.Sprintf("%s: `installer` has no effect, since reconcile installs wheels itself; remove the line", e.installerPos))
		}
		if slices.Contains(envs, e) {
			if e.Note != "" {
				notes = append(notes, fmt.Sprintf("environment %s: %s", e.Name, e.Note))
			}
			continue
		}
		note := fmt.Sprintf("environment %s (%s) ", e.Name, e.Type)
		switch {
		case m.mismatch(e, s) == "":
			note += "matches this machine too; --all plans it"
		case e.Match == nil && e.Default:
			note += "is for machines that match no other"
		case e.Match == nil:
			note += "is chosen only by --env"
		default:
			note += "is for machines with " + e.Match.String()
			if isOther(s.GPU) && len(e.Match.GPU) > 0 && !slices.Contains(e.Match.GPU, "none") && !slices.Contains(e.Match.GPU, s.GPU.Vendor) {
				note += fmt.Sprintf(" (this one has %s)", printable(cmp.Or(s.GPU.Models, "a GPU of "+s.GPU.Vendor)))
			}
		}
		if e.Note != "" {
			note += "; " + e.Note
		}
		notes = append(notes, note)
	}
	return notes
}

// EnvironmentPaths returns the path and type of each environment by name, for probes.
func (m *Manifest) EnvironmentPaths() map[string]layout.ActiveEnv {
	paths := make(map[string]layout.ActiveEnv, len(m.Environments))
	for _, e := range m.Environments {
		paths[e.Name] = layout.ActiveEnv{Path: e.Path, Type: e.Type, Python: e.Python, Wheels: func(platform string) []string { return m.wheels(e, platform) }}
	}
	return paths
}

// wheels returns the names in the store of the locked packages of an environment for a platform, in
// hexadecimal; none if the lock is missing or damaged.
func (m *Manifest) wheels(e *Environment, platform string) []string {
	locked, _, err := m.Locked(e)
	if err != nil || locked == nil {
		return nil
	}
	closure, _ := locked.For(platform) // without the platform there is none
	var sums []string
	for _, d := range closure {
		sums = append(sums, d.Hashes()...)
		if d.Build != nil && !d.IsEditable() { // those are built for one project
			sums = append(sums, d.Key(e.Python, platform, closure).String())
		}
	}
	return sums
}
