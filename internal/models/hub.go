package models

import (
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/hub"
	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/internal/report"
)

// hubDistribution and hubPackage contain the download command: the Python distribution and
// the conda package.
const (
	hubDistribution = "huggingface-hub"
	hubPackage      = "huggingface_hub"
)

// tool returns the download command of the environment that downloads a model.
func (v *inventory) tool(m *manifest.Model) report.HubTool {
	env := v.downloader(m)
	t := report.HubTool{Verify: v.again(env, "models", "verify", m.Repo)}
	if env == nil {
		return t
	}
	t.Environment, t.Build = env.Name, v.again(env, "apply")
	t.Version, t.Source = v.hubVersion(env)
	cli, ok := hub.ParseCLI(t.Version)
	if !ok {
		return t
	}
	run := func(words []string) []string { return append(v.again(env, "run", "--"), words...) }
	t.Login, t.WhoAmI = run(cli.Login()), run(cli.WhoAmI())
	t.Download = run(cli.Download(hub.Pin{Repo: m.Repo, Revision: m.Revision, Exclude: m.Exclude}))
	return t
}

// hubVersion returns the version of huggingface-hub in an environment, and its source.
// An installed version counts before a locked one: commands run the installed one.
func (v *inventory) hubVersion(env *manifest.Environment) (version, source string) {
	if e, ok := facts.Find[facts.Environment](v.facts, facts.EnvironmentKey(env.Name)); ok {
		if g, _ := e.CurrentGeneration(); installedHub(g) != "" {
			return installedHub(g), "installed"
		}
	}
	if locked, _, err := v.Manifest.Locked(env); err == nil && locked != nil {
		for i := range locked.Packages {
			if locked.Packages[i].Name == hubDistribution {
				return locked.Packages[i].Version, "locked"
			}
		}
		if locked.Conda != nil {
			for i := range locked.Conda.Packages {
				if locked.Conda.Packages[i].Name == hubPackage {
					return locked.Conda.Packages[i].Version, "locked"
				}
			}
		}
	}
	for _, p := range env.Packages {
		if version := p.Pin(); p.Name == hubDistribution && version != "" {
			return version, "pinned"
		}
	}
	return "", ""
}

// installedHub is the version in a generation, "" if it has none.
func installedHub(g facts.Generation) string {
	for _, p := range g.Packages {
		if p.Name == hubDistribution {
			return p.Version
		}
	}
	for _, p := range g.Conda {
		if p.Name == hubPackage {
			return p.Version
		}
	}
	return ""
}

// again returns the arguments that start this program in this project, as it was started,
// for an environment; nil for none.
func (v *inventory) again(env *manifest.Environment, words ...string) []string {
	list := []string{"reconcile"}
	if v.Config.Dir != "" {
		list = append(list, "-C", v.Config.Dir)
	}
	if v.Config.Manifest != "" {
		list = append(list, "-m", v.Config.Manifest)
	}
	if env != nil && (len(v.Config.Environments) > 0 || v.Env != env) {
		list = append(list, "--env", env.Name)
	}
	return append(list, words...)
}
