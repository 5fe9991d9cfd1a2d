package session

import (
	"context"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/hub"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/pkg/probes"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// A Target is the environments that are selected for a machine.
type Target struct {
	*Project
	Env       *manifest.Environment   // the default one of Envs; nil for none
	Envs      []*manifest.Environment // in the order of the manifest
	Selection manifest.Selection

	prober *probes.Prober // also finds the models of the target; nil where the facts come from a file
}

// Select selects the environment that the command line names, else the one that matches
// the machine. A manifest without environments has a target without one. It is wrong usage
// if the command line names several.
func (p *Project) Select() (*Target, error) {
	names := slices.Compact(slices.Sorted(slices.Values(p.Config.Environments)))
	if len(names) > 1 {
		return nil, exit.Usage("this command works on one environment, and --env names %s", strings.Join(p.Config.Environments, ", "))
	}
	return p.SelectEach()
}

// Only returns the environment that the command line names, else the only one of the manifest,
// else the one that matches the machine; nil if there is none.
func (p *Project) Only() (*manifest.Environment, error) {
	if list := p.Manifest.Environments; len(list) == 1 && len(p.Config.Environments) == 0 {
		return list[0], nil
	}
	t, err := p.Select()
	if err != nil {
		return nil, err
	}
	return t.Env, nil
}

// SelectEach is Select for the commands that work on several environments: those that the
// command line names, or with --all those that match the machine.
func (p *Project) SelectEach() (*Target, error) {
	t, err := p.SelectNone()
	if err != nil {
		return nil, err
	}
	if t.Envs, err = p.environments(t.Selection); err != nil {
		return nil, err
	}
	if len(t.Envs) > 0 {
		t.Env = t.Envs[0]
	}
	if preferred, err := p.Manifest.Select(manifest.Selection{Host: t.Selection.Host, GPU: t.Selection.GPU}); err == nil && slices.Contains(t.Envs, preferred) {
		t.Env = preferred
	}
	t.locateModels()
	return t, nil
}

// environments returns the selected environments.
func (p *Project) environments(s manifest.Selection) ([]*manifest.Environment, error) {
	switch {
	case p.Config.All && len(p.Config.Environments) > 0:
		return nil, exit.Usage("--all and --env contradict each other")
	case p.Config.All:
		return p.Manifest.SelectAll(s)
	}
	var problems diag.List
	var list []*manifest.Environment
	for _, name := range p.Config.Environments {
		e, err := p.Manifest.Named(name)
		problems.AddErr(err)
		if err == nil && !slices.Contains(list, e) {
			list = append(list, e)
		}
	}
	if len(p.Config.Environments) > 0 {
		return list, problems.Err()
	}
	e, err := p.Manifest.Select(s)
	if err != nil || e == nil {
		return nil, err
	}
	return []*manifest.Environment{e}, nil
}

// SelectNone returns the target without an environment, for commands that work even if
// none matches the machine.
func (p *Project) SelectNone() (*Target, error) {
	host, err := find[facts.Host](p.Base, facts.HostKey)
	var problems diag.List
	problems.AddErr(err)
	gpu, err := find[facts.GPU](p.Base, facts.GPUKey)
	problems.AddErr(err)
	if err := problems.Err(); err != nil {
		return nil, err
	}
	t := &Target{Project: p, Selection: manifest.Selection{Host: host, GPU: gpu}}
	t.locateModels()
	return t, nil
}

// Each returns a target for each of the environments alone.
func (t *Target) Each() []*Target {
	list := make([]*Target, len(t.Envs))
	for i, env := range t.Envs {
		one := *t
		one.Env, one.Envs = env, []*manifest.Environment{env}
		list[i] = &one
	}
	return list
}

// Flags returns the flags with which a command works on an environment: " --env NAME" if this
// run selected it by flags, else "".
func (t *Target) Flags(env *manifest.Environment) string { return t.Config.Flags(env) }

// Flags is Target.Flags. env may be nil.
func (c *Config) Flags(env *manifest.Environment) string {
	if env == nil {
		return ""
	}
	if c.All || len(c.Environments) > 0 {
		return " --env " + env.Name
	}
	return ""
}

func (t *Target) locateModels() {
	if t.Project.prober != nil {
		t.prober = t.proberAt(t.Manifest.EnvironmentPaths())
	}
}

// proberAt returns a prober that finds environments at these places, and the models of
// the target.
func (t *Target) proberAt(places map[string]layout.ActiveEnv) *probes.Prober {
	return t.Project.prober.With(places, t.ModelCache())
}

// ModelCache returns the directory of the target's models, and the revisions that the
// manifest pins.
func (t *Target) ModelCache() probes.ModelCache {
	return probes.ModelCache{Path: t.Manifest.ModelsPath(t.Selection, t.Env), Pins: t.Manifest.Pins()}
}

// Resources returns the resources that the manifest declares for the machine.
func (t *Target) Resources() ([]resources.Resource, error) {
	return t.Manifest.Resources(t.Selection, t.Envs)
}

// Probe is Project.Probe that also finds the models of the target.
func (t *Target) Probe(ctx context.Context, keys []facts.Key) *facts.Facts {
	return probe(ctx, t.prober, t.Base, keys)
}

// Facts returns the facts of the project, and those of keys.
func (t *Target) Facts(ctx context.Context, keys []facts.Key) *facts.Facts {
	f := &facts.Facts{}
	f.Merge(t.Base)
	f.Merge(t.Probe(ctx, keys))
	return f
}

// Digests returns the recorded digests of model files that were verified on this machine,
// which must not be a recorded one.
func (t *Target) Digests() *hub.Digests { return t.prober.Digests() }

// AllKeys returns the key of every fact that can be probed, even if the manifest does not
// ask for it; none for a recorded machine.
func (t *Target) AllKeys() []facts.Key {
	if t.IsRecorded() {
		return nil
	}
	return t.prober.AllKeys()
}
