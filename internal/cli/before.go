package cli

import (
	"errors"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/state"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
	"github.com/reconcile-ml/reconcile/pkg/resources/all"
)

// recollect reads what earlier applies of this machine remember. A state that cannot
// be read is nothing to go by: then nothing is pruned, and the plan says so. What
// changes this machine opens the journal itself, and complains of it.
func (m *machine) recollect() {
	here, ok := facts.Find[facts.Project](m.base, facts.ProjectKey)
	if !ok || m.recorded {
		return
	}
	m.before = planner.Prior{StateDir: here.State, NewSpec: emptyBody}
	if closed := m.closed(); closed != nil {
		m.blind = closed
		return
	}
	m.before.State, m.blind = state.Read(m.file(layout.Journal(here.State)))
}

// relate adds what the manifest says of earlier addresses, and lets the prober look
// at environments that have only their memory left.
func (m *machine) relate() {
	if m.before.State == nil || m.before.State.Len() == 0 {
		return
	}
	claims := m.manifest.Claims()
	m.before.Declared, m.before.DeclaredPaths = claims.Addrs, claims.Paths
	for _, moved := range m.manifest.Moved {
		m.before.Moves = append(m.before.Moves, planner.Move{From: moved.From, To: moved.To, Pos: moved.Pos})
		if e, ok := m.before.State.Entry(moved.From); ok && e.Key.Kind == facts.KindEnvironment {
			m.formerly(e, moved.To)
		}
	}
}

// formerly lets the prober know an environment by the name that it had.
func (m *machine) formerly(e state.Entry, to resources.Addr) {
	places := m.manifest.EnvironmentPaths()
	if _, taken := places[e.Addr.Name]; taken {
		return
	}
	places[e.Addr.Name] = layout.ActiveEnv{Path: e.Left.Path, Type: e.Addr.Kind}
	if now, ok := places[to.Name]; ok {
		now.PreviousName = e.Addr.Name
		places[to.Name] = now
	}
	m.prober.Environments = places
}

// emptyBody returns an empty body of a kind, nil for one that is not known.
func emptyBody(kind string) resources.Spec {
	if k, ok := all.Find(kind); ok {
		return k.New()
	}
	return nil
}

// blindNote says why nothing of earlier applies is known, "" if it is.
func (m *machine) blindNote() string {
	if m.blind == nil {
		return ""
	}
	text := m.blind.Error()
	var p *diag.Problem
	if errors.As(m.blind, &p) {
		text = p.Summary
	}
	return "nothing is pruned or moved: " + text
}
