package manifest

import (
	"fmt"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
)

// A Selection is the input for choosing the environment of a machine.
type Selection struct {
	Environment string // of --env, or ""
	Host        facts.Host
	GPU         facts.GPU
}

// Select returns the environment of a machine: that of --env, else that of the host's
// section, else the only one whose match holds. It returns nil for a manifest without
// environments. The *diag.Problem for none or several gives the reason of each.
func (m *Manifest) Select(s Selection) (*Environment, error) {
	if s.Environment != "" {
		if e := m.environment(s.Environment); e != nil {
			return e, nil
		}
		return nil, &diag.Problem{
			Code: "environment.unknown", Pos: diag.Pos{File: m.File},
			Summary: "there is no environment " + quote(s.Environment), Hint: didYouMean(s.Environment, m.environmentNames()),
		}
	}
	if len(m.Environments) == 0 {
		return nil, nil
	}
	if h := m.Host(s.Host); h != nil && h.Env != "" {
		return m.environment(h.Env), nil
	}
	var matching []*Environment
	var reasons []string
	for _, e := range m.Environments {
		reason := "has no match, so only --env chooses it"
		if e.Match != nil {
			if reason = e.Match.mismatch(s); reason == "" {
				matching = append(matching, e)
				reason = "matches " + e.Match.String()
			}
		}
		reasons = append(reasons, fmt.Sprintf("%s (%s): %s", e.Name, e.Pos, reason))
	}
	if len(matching) == 1 {
		return matching[0], nil
	}
	p := &diag.Problem{
		Code: "environment.none", Pos: m.Environments[0].Pos, Summary: "no environment matches this machine",
		Found: strings.Join(reasons, "\n"),
		Hint:  fmt.Sprintf("choose one with --env NAME, or permanently with hosts: {%s: {env: NAME}}", printable(s.Host.Hostname)),
	}
	if len(matching) > 1 {
		p.Code, p.Pos, p.Summary = "environment.ambiguous", matching[1].Pos, "several environments match this machine"
	}
	return nil, p
}

// Notes describes the environments of other machines, and returns the note of env.
func (m *Manifest) Notes(env *Environment) []string {
	var notes []string
	for _, e := range m.Environments {
		if e.installerPos.IsValid() {
			notes = append(notes, fmt.Sprintf("%s: `installer` has no effect, since reconcile installs wheels itself; remove the line", e.installerPos))
		}
		if e == env {
			if e.Note != "" {
				notes = append(notes, fmt.Sprintf("environment %s: %s", e.Name, e.Note))
			}
			continue
		}
		note := fmt.Sprintf("environment %s (%s) ", e.Name, e.Type)
		if e.Match == nil {
			note += "is chosen only by --env"
		} else {
			note += "is for machines with " + e.Match.String()
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
