package session

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/plural"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Plan compares the resources of the manifest with the facts. It verifies the generations
// that the plan would activate, and plans again if one is damaged. An error in the patterns
// of selection is wrong usage.
func (m *Machine) Plan(ctx context.Context, selection planner.Selection) (*planner.Plan, error) {
	prior := m.Prior
	prior.Selection = selection
	p, err := prior.Make(m.Resources, m.Facts)
	for again := !m.IsRecorded(); again && err == nil; {
		if again, err = m.verifyActivated(ctx, p); again && err == nil {
			p, err = prior.Make(m.Resources, m.Facts)
		}
	}
	if err != nil {
		return nil, wrongSelection(err)
	}
	if m.Env != nil {
		p.Environment = m.Env.Name
	}
	if len(m.Envs) > 1 {
		for _, e := range m.Envs {
			p.Environments = append(p.Environments, e.Name)
		}
	}
	p.Named = m.Config.All || len(m.Config.Environments) > 0
	p.Notes = append(m.Manifest.Notes(m.Selection, m.Envs), m.auditNotes()...)
	m.addNotes(p)
	m.addAlternatives(p)
	return p, nil
}

// wrongSelection makes an error in the patterns of a selection wrong usage.
func wrongSelection(err error) error {
	if slices.ContainsFunc(diag.Problems(err), func(p *diag.Problem) bool { return !strings.HasPrefix(p.Code, "select.") }) {
		return err
	}
	return exit.With(exit.WrongUsage, err)
}

// addNotes adds notes and notices about the machine to a plan.
func (m *Machine) addNotes(p *planner.Plan) {
	changes := p.Totals().Changes() > 0
	notices := []string{m.stateNote()}
	notices = append(notices, m.leakNotes()...)
	notices = append(notices, m.ShellNote())
	notices = append(notices, m.foreignNotes(p)...)
	notices = append(notices, m.ReferenceNotes()...)
	notices = append(notices, m.testNotes(p)...)
	notices = append(notices, m.cudaNotes(p)...)
	notices = append(notices, m.absentNote())
	if !m.IsRecorded() {
		notices = append(notices, m.formerNote())
	}
	index := IndexText(m.Facts)
	switch {
	case !changes:
	case downloads(p):
		notices = append(notices, index)
	case index != "":
		p.Notes = append(p.Notes, index)
	}
	p.Notices = append(p.Notices, slices.DeleteFunc(notices, func(note string) bool { return note == "" })...)
}

// testNotes returns a note for each environment that a plan does not change, and whose active
// generation did not pass its smoke test on this machine. The others are tested.
func (m *Machine) testNotes(p *planner.Plan) (notes []string) {
	for _, t := range m.ActiveTests() {
		changed := slices.ContainsFunc(p.Items, func(i planner.Item) bool { return i.Resource.Addr == t.Addr && len(i.Change.Steps) > 0 })
		if !changed {
			notes = append(notes, t.Note())
		}
	}
	return notes
}

// cudaNotes name the environments that a plan builds with the CUDA libraries of a machine that has
// no NVIDIA GPU: on Linux they come with the default build of torch.
func (m *Machine) cudaNotes(p *planner.Plan) (notes []string) {
	gpu, has := m.Selection.GPU, "no NVIDIA GPU"
	switch {
	case gpu.Vendor == "nvidia" || gpu.Vendor == "":
		return nil
	case gpu.Models != "":
		has = gpu.Models + " and " + has
	}
	for _, e := range m.Envs {
		builds := slices.ContainsFunc(p.Items, func(i planner.Item) bool {
			return i.Resource.Addr == resources.Addr{Kind: e.Type, Name: e.Name} && len(i.Change.Packages) > 0
		})
		locked, _, err := m.Manifest.Locked(e)
		if !builds || err != nil || locked == nil {
			continue
		}
		dists, err := locked.For(m.Selection.Host.Platform)
		if err != nil {
			continue // the plan reports that
		}
		if text := CUDAText(e, dists); text != "" {
			notes = append(notes, fmt.Sprintf("%s, and this machine has %s; %s", text, has, CPUText(e, dists)))
		}
	}
	return notes
}

// stateNote returns why the state could not be read, "" if it was.
func (m *Machine) stateNote() string {
	if m.StateErr == nil {
		return ""
	}
	if p, ok := errors.AsType[*diag.Problem](m.StateErr); ok {
		return "nothing is pruned or moved: " + p.Summary
	}
	return "nothing is pruned or moved: " + m.StateErr.Error()
}

// leakNotes name the user's own packages that conda environments would import.
func (m *Machine) leakNotes() (notes []string) {
	for _, e := range m.environments() {
		if len(e.Leaks) > 0 {
			notes = append(notes, LeakText(e)+"; `reconcile run`, activation and the launchers set PYTHONNOUSERSITE=1")
		}
	}
	return notes
}

// foreignNotes name the packages that another tool installed into the active generations, and
// that the plan does not install.
func (m *Machine) foreignNotes(p *planner.Plan) (notes []string) {
	for _, e := range m.environments() {
		var planned []string
		for i := range p.Items {
			if p.Items[i].Resource.Addr.Name != e.Name {
				continue
			}
			for _, c := range p.Items[i].Change.Packages {
				planned = append(planned, c.Name)
			}
		}
		notes = append(notes, ForeignText(e, planned...))
	}
	return notes
}

// ForeignText names the packages that another tool, such as uv, installed into the active
// generation, except the planned ones, with the command that keeps them; "" if there are none.
func ForeignText(e facts.Environment, planned ...string) string {
	g, _ := e.CurrentGeneration()
	var names []string
	for _, d := range g.Damage {
		switch {
		case slices.Contains(planned, d.Dist):
		case d.What == "foreign" && d.Dist != "":
			names = append(names, d.Dist)
		case d.What == "package" && d.Version != "" && d.Version != d.Sealed:
			names = append(names, d.Dist+"=="+d.Version)
		}
	}
	if len(names) == 0 {
		return ""
	}
	add := "NAME"
	if len(names) == 1 {
		add = names[0]
	}
	return fmt.Sprintf("another tool installed %s into environment %s, which the next generation will not have; to keep it: `reconcile add %s`", listed(names), e.Name, add)
}

// ReferenceNotes returns a note for each kernel, hook and venv that starts a generation of an
// environment which is not the active one.
func (m *Machine) ReferenceNotes() (notes []string) {
	for _, e := range m.environments() {
		for _, r := range e.References {
			if e.Current == "" || r.Generation == e.Current {
				continue
			}
			state := ", and " + e.Current + " is active"
			if !slices.ContainsFunc(e.Generations, func(g facts.Generation) bool { return g.Name == r.Generation }) {
				state = ", which was removed"
			}
			notes = append(notes, fmt.Sprintf("%s starts generation %s%s: %s", r.Subject(), r.Generation, state, r.Remedy()))
		}
	}
	return notes
}

// listed joins names, at most ten of them.
func listed(names []string) string {
	const most = 10
	text := strings.Join(names[:min(len(names), most)], ", ")
	if more := len(names) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// LeakText names the user's own packages that a conda environment would import.
func LeakText(e facts.Environment) string {
	return fmt.Sprintf("%s in %s go before those of environment %s: %s", plural.Count(len(e.Leaks), "package"), e.LeakDir, e.Name, listed(e.Leaks))
}

// ShellNote returns a note if the calling shell has activated a generation of this project
// that is no longer the active one, else "". Programs that the shell starts run in the old
// one.
func (m *Machine) ShellNote() string {
	local, err := m.Local()
	if m.IsRecorded() || err != nil {
		return ""
	}
	dir, mine := filepath.Split(m.Config.ShellPrefix())
	for _, e := range m.environments() {
		if filepath.Clean(dir) == m.Path(layout.Environment(local.State, e.Name)) && e.Current != "" && e.Current != mine {
			return fmt.Sprintf("this shell is on generation %s of environment %s, and %s is active: activate again", mine, e.Name, e.Current)
		}
	}
	return ""
}

// environments returns the facts of the selected environments, as far as they are known.
func (m *Machine) environments() (list []facts.Environment) {
	for _, env := range m.Envs {
		if e, ok := facts.Find[facts.Environment](m.Facts, facts.EnvironmentKey(env.Name)); ok {
			list = append(list, e)
		}
	}
	return list
}

// downloads reports whether a plan fetches anything.
func downloads(p *planner.Plan) bool {
	return slices.ContainsFunc(p.Items, func(i planner.Item) bool { return i.Change.Need.Download > 0 })
}

// IndexText returns where packages come from, "" for the public index alone.
func IndexText(f *facts.Facts) string {
	index, ok := facts.Find[facts.Index](f, facts.IndexKey)
	if !ok || len(index.Sources) == 0 && len(index.Ignored) == 0 {
		return ""
	}
	note := "packages come from the " + index.URL + " index"
	if index.URL != "public" {
		note = "packages come from " + index.URL
	}
	for _, more := range []struct{ label, value string }{{"CA", index.Cert}, {"proxy", index.Proxy}} {
		if more.value != "" {
			note += fmt.Sprintf(", %s %s", more.label, more.value)
		}
	}
	for _, dir := range index.FindLinks {
		note += ", wheels in " + dir
	}
	if len(index.Sources) > 0 {
		note += fmt.Sprintf(" (set by %s)", strings.Join(index.Sources, ", "))
	}
	if len(index.Ignored) > 0 {
		note += fmt.Sprintf("; %s without effect: name further indexes under `indexes` of the manifest", strings.Join(index.Ignored, ", "))
	}
	return note
}
