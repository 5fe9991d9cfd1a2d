package environments

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/pyenv"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/session"
	"github.com/reconcile-ml/reconcile/internal/state"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// List describes the generations, the newest first. Disk is -1 if unknown.
func (e *Environment) List(ctx context.Context) ([]report.Generation, error) {
	var list []report.Generation
	for _, g := range e.SortedGenerations() {
		dir := e.directory(g.Name)
		damage, err := e.verify(ctx, g.Name)
		if err != nil {
			return nil, err
		}
		alone, err := pyenv.ExclusiveSize(dir)
		if err != nil {
			alone = -1
		}
		list = append(list, report.Generation{
			Name: g.Name, Current: g.Name == e.Current, Created: g.Created, Python: g.Python,
			Packages: len(g.Packages) + len(g.Conda), Disk: alone, Damage: len(damage), Path: dir,
		})
	}
	return list, nil
}

// Earlier returns the name of the generation to go back to. named has at most one element:
// its name, or the beginning of it. Without one it is the generation that was active before
// or, if the state does not record it or it is gone, the newest that is not active.
func (e *Environment) Earlier(named []string) (string, error) {
	if e.Foreign != "" {
		_, err := e.active()
		return "", err
	}
	if len(named) == 1 {
		return e.named(named[0])
	}
	recorded, err := state.Read(e.Target.Path(layout.Journal(e.state)))
	if err != nil {
		return "", err
	}
	newest := slices.DeleteFunc(e.SortedGenerations(), func(g facts.Generation) bool { return g.Name == e.Current })
	for _, s := range slices.Backward(recorded.Switches(e.Env.Name)) {
		if s.To == e.Current && slices.ContainsFunc(newest, func(g facts.Generation) bool { return g.Name == s.From }) {
			return s.From, nil
		}
	}
	if len(newest) == 0 {
		p := &diag.Problem{Code: "rollback.none", Summary: fmt.Sprintf("environment %s has no earlier generation", e.Env.Name)}
		if e.HasFormerDir() {
			p.Hint = formerHint
		}
		return "", p
	}
	return newest[0].Name, nil
}

// named returns the generation whose name is word, or the only one whose name begins with
// it.
func (e *Environment) named(word string) (string, error) {
	var like []string
	for _, g := range e.SortedGenerations() {
		if g.Name == word {
			return word, nil
		}
		if word != "" && strings.HasPrefix(g.Name, word) {
			like = append(like, g.Name)
		}
	}
	switch len(like) {
	case 1:
		return like[0], nil
	case 0:
		return "", &diag.Problem{
			Code: "rollback.unknown", Summary: fmt.Sprintf("%q is not a generation of %s that can be activated", word, e.Env.Name),
			Hint: "`reconcile generations" + e.Flags(e.Env) + "` lists them",
		}
	}
	return "", &diag.Problem{
		Code: "rollback.ambiguous", Summary: fmt.Sprintf("several generations of %s begin with %q", e.Env.Name, word),
		Found: strings.Join(like, ", "), Hint: "write more of the name",
	}
}

// Rollback activates a generation unless it is active, and reports whether it was not.
func (e *Environment) Rollback(ctx context.Context, generation string, o session.LockOptions) (changed bool, err error) {
	if generation == e.Current && e.Entry == "" {
		return false, nil
	}
	if err := e.checkIntact(ctx, generation); err != nil {
		return false, err
	}
	run, err := e.Lock(ctx, o)
	if err != nil {
		return false, err
	}
	defer run.Close()
	err = run.RunStep(e.addr(), resources.Update, resources.Switch{
		Environment: e.Env.Name, Link: path.Join(e.Environment.Path, layout.GenerationLink),
		Target: layout.Generation(e.state, e.Env.Name, generation),
	})
	return generation != e.Current, err
}

// checkIntact returns a problem if a generation is damaged, or if the environment has no
// place in which it could be activated.
func (e *Environment) checkIntact(ctx context.Context, generation string) error {
	if e.Entry != "" {
		return &diag.Problem{
			Code: "rollback.entry", Summary: fmt.Sprintf("%s is incomplete: %s", e.Environment.Path, e.Entry),
			Hint: "`reconcile apply" + e.Flags(e.Env) + "` repairs it; then roll back",
		}
	}
	damage, err := e.verify(ctx, generation)
	if err != nil || len(damage) == 0 {
		return err
	}
	return &diag.Problem{
		Code: "rollback.damaged", Summary: fmt.Sprintf("generation %s is damaged, so it is not activated", generation),
		Found: damage[0].Subject() + ": " + damage[0].Description(),
		Hint:  fmt.Sprintf("name another one (`reconcile generations%[1]s`), or set the manifest back and run `reconcile apply%[1]s`", e.Flags(e.Env)),
	}
}
