package probes

import (
	"fmt"
	"path"
	"time"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/hub"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// A ModelCache is the project's Hugging Face cache and the models of the manifest.
type ModelCache struct {
	Path string             // spelled as in facts: "models"
	Pins map[string]hub.Pin // by repository
}

// model observes a model in the project's cache without reading its weights. It uses the
// digests that `reconcile models verify` stored.
func (p *Prober) model(repo string) (facts.Model, error) {
	pin, ok := p.Models.Pins[repo]
	if !ok {
		return facts.Model{}, fmt.Errorf("the manifest has no model %q", repo)
	}
	m, err := hub.Observe(p.abs(p.Models.Path), pin, p.Digests())
	m.Path = path.Join(p.Models.Path, hub.Folder(repo))
	return m, err
}

// Digests returns the stored digests of model files, or none if they cannot be read.
func (p *Prober) Digests() *hub.Digests {
	b, err := rawfile.ReadFile(layout.Digests(p.state()), hub.DigestsLimit, rawfile.NoFollow)
	if err != nil {
		return hub.NewDigests()
	}
	return hub.ParseDigests(b, time.Now())
}
