// Package environments works on the built generations of an environment: it lists,
// verifies, activates and removes them, and starts programs in the active one.
package environments

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/mounts"
	"github.com/reconcile-ml/reconcile/internal/session"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// An Environment is the environment of a target as it is on this machine.
type Environment struct {
	*session.Target
	facts.Environment

	state string // state directory of the project, absolute
	store string // absolute
}

// Open probes the environment of a target. It is an error if the target has none.
func Open(ctx context.Context, t *session.Target) (*Environment, error) {
	if t.Env == nil {
		return nil, &diag.Problem{Code: "environment.none", Summary: t.Name + " has no environment", Hint: "declare one under `environments`; docs/manifest.md has the keys"}
	}
	local, err := t.Local()
	if err != nil {
		return nil, err
	}
	key := facts.EnvironmentKey(t.Env.Name)
	known := t.Probe(ctx, []facts.Key{key})
	e, ok := facts.Find[facts.Environment](known, key)
	if !ok {
		return nil, session.NotProbed(known, key)
	}
	return &Environment{Target: t, Environment: e, state: local.State, store: local.Store}, nil
}

// addr returns the address of the environment's resource.
func (e *Environment) addr() resources.Addr {
	return resources.Addr{Kind: e.Env.Type, Name: e.Env.Name}
}

// directory returns the absolute path of a generation, by its name.
func (e *Environment) directory(generation string) string {
	return e.Target.Path(layout.Generation(e.state, e.Env.Name, generation))
}

// isNetwork reports whether other hosts may use the generations at the same time.
func (e *Environment) isNetwork() bool {
	m, err := mounts.Of(e.state)
	return err == nil && mounts.IsNetwork(m.Type)
}

// formerHint is the hint in a project with the directory of an earlier version.
const formerHint = layout.FormerDir + " is from an earlier version and is not used; `reconcile apply` builds the environment again"

// active returns the absolute path of the active generation, or why there is none.
func (e *Environment) active() (string, error) {
	if _, ok := e.CurrentGeneration(); ok {
		return e.directory(e.Current), nil
	}
	p := &diag.Problem{
		Code: "environment.absent", Summary: fmt.Sprintf("environment %s is not built on this machine", e.Env.Name),
		Hint: "`reconcile apply" + e.Flags(e.Env) + "` builds it",
	}
	if e.HasFormerDir() {
		p.Hint = formerHint
	}
	switch {
	case e.Current != "":
		p.Found = fmt.Sprintf("%s selects generation %s, which is not in the store", e.Environment.Path, e.Current)
	case e.Foreign != "":
		p.Found = fmt.Sprintf("%s: %s", e.Environment.Path, e.Foreign)
		p.Hint = "`reconcile plan` prints how to move it away"
	}
	return "", p
}

// SortedGenerations returns the generations, the newest first.
func (e *Environment) SortedGenerations() []facts.Generation {
	return slices.SortedFunc(slices.Values(e.Generations), func(a, b facts.Generation) int {
		return cmp.Or(cmp.Compare(b.Created, a.Created), cmp.Compare(b.Name, a.Name))
	})
}

// Verify verifies the active generation; see session.VerifyGeneration.
func (e *Environment) Verify(ctx context.Context, deep bool) (*session.Verification, error) {
	dir, err := e.active()
	if err != nil {
		return nil, err
	}
	return session.VerifyGeneration(ctx, e.store, dir, deep)
}

// TestNote returns a note if the active generation did not pass its smoke test on this
// machine, else "". It asks no driver.
func (e *Environment) TestNote(ctx context.Context) string {
	if !e.Env.SmokeTest.Needed() {
		return ""
	}
	f := e.Facts(ctx, []facts.Key{facts.PythonKey(e.Env.Python)})
	f.Set(e.Environment)
	if t, ok := session.NewActiveTest(f, e.Env, e.Flags(e.Env)); ok {
		return t.Note()
	}
	return ""
}

// ForeignNote names the packages that another tool installed into the active generation; ""
// if there are none.
func (e *Environment) ForeignNote() string { return session.ForeignText(e.Environment) }

// Discard removes the damaged wheels that Verify found from the store.
func (e *Environment) Discard(v *session.Verification) error { return v.Discard(e.store) }

// verify verifies a generation by its name, without comparing hashes.
func (e *Environment) verify(ctx context.Context, generation string) ([]facts.Damage, error) {
	v, err := session.VerifyGeneration(ctx, e.store, e.directory(generation), false)
	if err != nil {
		return nil, err
	}
	return v.Damage, nil
}
