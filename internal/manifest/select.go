package manifest

import (
	"fmt"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
)

// A Selection is what decides which environment a machine gets, and where its
// directories lie.
type Selection struct {
	Environment string // of --env, or ""
	Host        facts.Host
	GPU         facts.GPU
}

// Select returns the environment of a machine: that of --env, else that of the
// host's section, else the only one whose match holds. A manifest without
// environments has none (nil). None or several are a *diag.Problem that says of
// each why it matches or does not.
func (m *Manifest) Select(s Selection) (*Environment, error) {
	if s.Environment != "" {
		if e := m.environment(s.Environment); e != nil {
			return e, nil
		}
		names := make([]string, len(m.Environments))
		for i, e := range m.Environments {
			names[i] = e.Name
		}
		return nil, &diag.Problem{
			Code: "environment.unknown", Pos: diag.Pos{File: m.File},
			Summary: "there is no environment " + quote(s.Environment), Hint: didYouMean(s.Environment, names),
		}
	}
	if len(m.Environments) == 0 {
		return nil, nil
	}
	if h := m.Host(s.Host); h != nil && h.Env != "" {
		return m.environment(h.Env), nil
	}
	return m.selectByMatch(s)
}

func (m *Manifest) selectByMatch(s Selection) (*Environment, error) {
	var matching []*Environment
	var reasons []string
	for _, e := range m.Environments {
		reason := "has no match, so --env alone chooses it"
		if e.Match != nil {
			if reason = e.Match.misses(s); reason == "" {
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
		Code: "environment.none", Pos: m.Environments[0].Pos, Summary: "no environment is for this machine",
		Found: strings.Join(reasons, "\n"),
		Hint:  fmt.Sprintf("choose one by --env NAME, or for good by hosts: {%s: {env: NAME}}", printable(s.Host.Hostname)),
	}
	if len(matching) > 1 {
		p.Code, p.Pos, p.Summary = "environment.ambiguous", matching[1].Pos, "several environments are for this machine"
	}
	return nil, p
}

// Visible returns the visible place of each environment, by name: what probes must
// look at.
func (m *Manifest) Visible() map[string]layout.ActiveEnv {
	places := make(map[string]layout.ActiveEnv, len(m.Environments))
	for _, e := range m.Environments {
		places[e.Name] = layout.ActiveEnv{Path: e.Path, Type: e.Type, Python: e.Python}
	}
	return places
}
