package cli

import (
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/hub"
	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/internal/report"
)

// hubDistribution is the distribution that brings the download command, and hubPackage
// the package of conda that does.
const (
	hubDistribution = "huggingface-hub"
	hubPackage      = "huggingface_hub"
)

// tool is the download command of the environment that fetches a model.
func (s *shelf) tool(m *manifest.Model) report.HubTool {
	env := s.fetcher(m)
	t := report.HubTool{Verify: s.again(env, "models", "verify", m.Repo)}
	if env == nil {
		return t
	}
	t.Environment, t.Build = env.Name, s.again(env, "apply")
	t.Version, t.Source = s.hubVersion(env)
	cli, ok := hub.ParseCLI(t.Version)
	if !ok {
		return t
	}
	run := func(words []string) []string { return append(s.again(env, "run", "--"), words...) }
	t.Login, t.WhoAmI = run(cli.Login()), run(cli.WhoAmI())
	t.Download = run(cli.Download(hub.Pin{Repo: m.Repo, Revision: m.Revision, Exclude: m.Exclude}))
	return t
}

// hubVersion is the version of huggingface-hub in an environment, and how that is known.
// What is visible goes before what is locked: that is what a command will meet.
func (s *shelf) hubVersion(env *manifest.Environment) (version, source string) {
	if e, ok := facts.Find[facts.Environment](s.facts, facts.EnvironmentKey(env.Name)); ok {
		if g, _ := e.CurrentGeneration(); installedHub(g) != "" {
			return installedHub(g), "installed"
		}
	}
	if locked, _, err := s.Manifest.Locked(env); err == nil && locked != nil {
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
		if p.Name == hubDistribution {
			return p.Version, "pinned"
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

// again returns the words that start this program in this project, as it was started, on
// an environment; nil for none.
func (s *shelf) again(env *manifest.Environment, words ...string) []string {
	list := []string{"reconcile"}
	if s.app.dir != "" {
		list = append(list, "-C", s.app.dir)
	}
	if s.app.manifest != "" {
		list = append(list, "-m", s.app.manifest)
	}
	if env != nil && (s.app.env != "" || s.Env != env) {
		list = append(list, "--env", env.Name)
	}
	return append(list, words...)
}
