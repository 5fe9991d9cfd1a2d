package cli

import (
	"context"

	"github.com/reconcile-ml/reconcile/internal/session"
)

// config returns how this run was started.
func (a *app) config() *session.Config {
	return &session.Config{Dir: a.dir, Manifest: a.manifest, Environment: a.env, Environ: a.environ, Stdin: a.in, Program: buildVersion()}
}

// observe opens the project, selects the environment and observes this machine, or the
// one whose facts are in factsFile.
func (a *app) observe(ctx context.Context, factsFile string) (*session.Machine, error) {
	t, err := a.target(ctx, factsFile)
	if err != nil {
		return nil, err
	}
	return t.Observe(ctx)
}

// target opens the project and selects the environment.
func (a *app) target(ctx context.Context, factsFile string) (*session.Target, error) {
	p, err := session.Open(ctx, a.config(), factsFile)
	if err != nil {
		return nil, err
	}
	return p.Select()
}
