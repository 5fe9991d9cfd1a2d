package cli

import (
	"context"
	"maps"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/plural"
	"github.com/reconcile-ml/reconcile/internal/pyenv"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

func (a *app) verifyCommand() *cobra.Command {
	var deep bool
	cmd := &cobra.Command{
		Use:     "verify",
		Example: "  reconcile verify\n  reconcile verify --deep",
		Short:   "check that the installed environment is still intact",
		Long: long(`
Compares every file of the visible generation with what its packages recorded: names
and sizes, with --deep also every sha256. Exit 2 if something is missing, changed or
not installed by reconcile; `+"`reconcile heal`"+` then builds a sound one.`, readOnly, exitDone, exitError, exitDiffers),
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			e, err := a.openEnvironment(cmd.Context())
			if err != nil {
				return err
			}
			damage, err := a.inspect(cmd.Context(), e, deep)
			if err != nil {
				return err
			}
			if err := a.showDamage(e, damage, deep); err != nil {
				return err
			}
			if len(damage) > 0 {
				return exit(exitDiffers)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&deep, "deep", false, "also compare the sha256 of every file")
	return cmd
}

// inspect compares the visible generation with its records.
func (a *app) inspect(ctx context.Context, e *environment, deep bool) ([]facts.Damage, error) {
	generation, err := e.visible()
	if err != nil {
		return nil, err
	}
	seal, err := pyenv.ReadSeal(generation)
	if err != nil {
		return nil, err
	}
	return pyenv.Verify(ctx, generation, seal, deep, nil)
}

func (a *app) showDamage(e *environment, damage []facts.Damage, deep bool) error {
	if a.json {
		if damage == nil {
			damage = []facts.Damage{}
		}
		return report.JSON(a.out, map[string]any{
			"version": 1, "environment": e.Name, "generation": e.Current, "deep": deep, "damage": damage,
		})
	}
	if len(damage) == 0 {
		what := "names and sizes"
		if deep {
			what = "names, sizes and hashes"
		}
		return say(a.out, "Environment %s is intact: %s agree (generation %s).", e.Name, what, e.Current)
	}
	if err := report.Damage(a.out, damage, a.report(a.out)); err != nil {
		return err
	}
	return say(a.out, "Environment %s is damaged in %s (generation %s); `reconcile heal` builds a sound one.", e.Name, plural.Count(len(report.DistinctDamage(damage)), "place"), e.Current)
}

func (a *app) healCommand() *cobra.Command {
	var o applyFlags
	cmd := &cobra.Command{
		Use:     "heal",
		Example: "  reconcile heal",
		Short:   "replace a damaged environment by a sound one",
		Long: long(`
Verifies the visible generation against every hash, says what is damaged, and builds a
new generation from the good parts and, for the rest, from the index. The damaged one
is not touched, since a job may use it.`, changes, exitDone, exitError, exitBlocked, exitPartly, exitLocked, exitInterrupted),
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			e, err := a.openEnvironment(cmd.Context())
			if err != nil {
				return err
			}
			damage, err := a.inspect(cmd.Context(), e, true)
			if err != nil {
				return err
			}
			if err := a.showDamage(e, damage, true); err != nil || len(damage) == 0 {
				return err
			}
			e.known = []knownDamage{{e.Name, e.Current, damage}}
			e.deep = true
			m, err := a.look(cmd.Context(), e.project)
			if err != nil {
				return err
			}
			m.keepOnly(e.kind, e.Name)
			return a.converge(cmd.Context(), m, o)
		},
	}
	o.register(cmd)
	return cmd
}

// knownDamage is what was found in a generation and the quick look of a probe
// does not see.
type knownDamage struct {
	environment, generation string
	damage                  []facts.Damage
}

// probe looks at this machine; what is known of damage is added to what a quick
// look sees.
func (p *project) probe(ctx context.Context, keys []facts.Key) *facts.Facts {
	f := p.prober.Probe(ctx, keys)
	for _, known := range p.known {
		known.addTo(f)
	}
	return f
}

func (k *knownDamage) addTo(f *facts.Facts) {
	e, ok := facts.Find[facts.Environment](f, facts.EnvironmentKey(k.environment))
	if !ok {
		return
	}
	e.Generations = slices.Clone(e.Generations)
	for i := range e.Generations {
		if e.Generations[i].Name == k.generation {
			e.Generations[i].Damage = k.damage
		}
	}
	f.Set(e)
}

// inspectReturning looks at the generations that a plan would make visible again,
// and reports whether one of them is damaged, so that another plan is needed.
// A probe does not look at them, since most plans have nothing to do with them.
func (m *machine) inspectReturning(ctx context.Context, plan *planner.Plan) (damaged bool, err error) {
	for i := range plan.Items {
		s, ok := returning(&plan.Items[i].Change)
		if !ok {
			continue
		}
		dir := m.file(s.Target)
		damage, err := lookInto(ctx, dir, m.deep)
		if err != nil {
			return false, err
		}
		if len(damage) > 0 {
			found := knownDamage{s.Environment, filepath.Base(dir), damage}
			m.known = append(m.known, found)
			found.addTo(m.facts)
			damaged = true
		}
	}
	return damaged, nil
}

// returning returns the switch of a change that makes a generation visible which
// it does not build.
func returning(c *resources.Change) (resources.Switch, bool) {
	for _, s := range c.Steps {
		if _, builds := s.(resources.Seal); builds {
			return resources.Switch{}, false
		}
	}
	for _, s := range c.Steps {
		if s, ok := s.(resources.Switch); ok {
			return s, true
		}
	}
	return resources.Switch{}, false
}

// lookInto returns what is damaged in a generation, by every file's size or by every
// hash. Less would not do: generations share files, so that one that was edited in place
// in the visible generation is the same in the others.
func lookInto(ctx context.Context, dir string, deep bool) ([]facts.Damage, error) {
	seal, err := pyenv.ReadSeal(dir)
	if err != nil {
		return nil, err
	}
	return pyenv.Verify(ctx, dir, seal, deep, nil)
}

// keepOnly leaves the resources that an environment is made of: itself, its
// interpreter and its tools.
func (m *machine) keepOnly(kind, environment string) {
	var kept []int
	for i := range m.resources {
		a := m.resources[i].Addr
		if a.Kind == "python" || a.Kind == "tool" || (a.Kind == kind && a.Name == environment) {
			kept = append(kept, i)
		}
	}
	for i, from := range kept {
		m.resources[i] = m.resources[from]
	}
	m.resources = m.resources[:len(kept)]
	m.claimAll()
}

// claimAll says of everything that is remembered that the manifest may ask for it: what
// is only left out of a plan has not left the manifest, and must not be pruned.
func (m *machine) claimAll() {
	if m.before.State == nil {
		return
	}
	claimed := maps.Clone(m.before.Declared)
	if claimed == nil {
		claimed = map[resources.Addr]bool{}
	}
	for addr := range m.before.State.Entries() {
		claimed[addr] = true
	}
	m.before.Declared, m.before.Moves = claimed, nil
}
