package probes

import (
	"fmt"
	"io"
	"os"
	"path"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/hub"
	"github.com/reconcile-ml/reconcile/internal/layout"
)

// A ModelCache is the project's Hugging Face cache, and what the manifest wants of it.
type ModelCache struct {
	Path string             // as facts spell paths: "models"
	Pins map[string]hub.Pin // by repository
}

// model looks at a model in the project's cache, without reading its weights. What
// `reconcile models verify` hashed is remembered.
func (p *Prober) model(repo string) (facts.Model, error) {
	pin, ok := p.Models.Pins[repo]
	if !ok {
		return facts.Model{}, fmt.Errorf("the manifest has no model %q", repo)
	}
	m, err := hub.Observe(p.abs(p.Models.Path), pin, p.Digests())
	m.Path = path.Join(p.Models.Path, hub.Folder(repo))
	return m, err
}

// Digests returns what is remembered of the files that were hashed. What cannot be
// read is not remembered.
func (p *Prober) Digests() *hub.Digests {
	b, err := readRegular(p.abs(layout.Digests()), hub.DigestsLimit)
	if err != nil {
		return hub.NewDigests()
	}
	return hub.ParseDigests(b, time.Now())
}

// readRegular reads the front of a regular file, through no link.
func readRegular(name string, limit int64) ([]byte, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(f, limit))
}
