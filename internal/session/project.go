package session

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"sync"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/internal/userconfig"
	"github.com/reconcile-ml/reconcile/pkg/probes"
	"github.com/reconcile-ml/reconcile/pkg/resources/python"
	"github.com/reconcile-ml/reconcile/pkg/resources/tool"
)

// A Project is a checkout on one machine, of which the facts are known that select an
// environment: where the project keeps its state, the host, the GPU, the package index.
type Project struct {
	*Checkout
	Base *facts.Facts

	prober *probes.Prober // nil where the facts come from a file
}

// NewProber returns a prober for the project at root, before its environments are known.
func NewProber(c *Config, root string) (*probes.Prober, error) {
	user, err := userconfig.Load(c.Home(), c.Getenv)
	if err != nil {
		return nil, err
	}
	l, err := c.storeOf(user, root)
	if err != nil {
		return nil, err
	}
	p, err := probes.New(root, l.Path, c.Environ)
	if err != nil {
		return nil, err
	}
	p.Redactor, p.Settings = c.Redactor, user
	if probes.HasNVML {
		p.Helper, _ = os.Executable() // without it nvidia-smi is asked
	}
	p.PinnedTool, p.IsPythonArchive = tool.Pinned, python.IsArchive
	return p, nil
}

// Open finds the project, reads its manifest, and meanwhile probes this machine; with
// factsFile it reads the facts that another machine recorded.
func Open(ctx context.Context, c *Config, factsFile string) (*Project, error) {
	root, name, err := c.Locate()
	if err != nil {
		return nil, err
	}
	if factsFile != "" {
		return openRecorded(c, root, name, factsFile)
	}
	prober, err := NewProber(c, root)
	if err != nil {
		return nil, err
	}
	p := &Project{}
	var probing sync.WaitGroup
	probing.Go(func() {
		p.Base = prober.Probe(ctx, []facts.Key{facts.ProjectKey, facts.HostKey, facts.GPUKey, facts.IndexKey})
	})
	p.Checkout, err = load(c, root, name)
	probing.Wait()
	if err != nil {
		return nil, err
	}
	prober.IsPythonArchive = p.Manifest.IsPythonArchive
	p.prober = prober.With(p.Manifest.EnvironmentPaths(), probes.ModelCache{})
	if local, err := p.Local(); err == nil { // else every plan fails
		if err := p.checkPaths(local.Store); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func openRecorded(c *Config, root, name, factsFile string) (*Project, error) {
	checkout, err := load(c, root, name)
	if err != nil {
		return nil, err
	}
	recorded, err := ReadFacts(c, factsFile)
	if err != nil {
		return nil, err
	}
	return &Project{Checkout: checkout, Base: recorded}, nil
}

// FromFacts returns a project on a recorded machine, without a root directory.
func FromFacts(c *Config, m *manifest.Manifest, f *facts.Facts) *Project {
	return &Project{Checkout: &Checkout{Config: c, Manifest: m}, Base: f}
}

// maxFacts is the largest file of recorded facts in bytes: room for some 300,000 facts.
const maxFacts = 64 << 20

// ReadFacts reads facts that `reconcile facts` recorded, from a file or, for -, from
// standard input.
func ReadFacts(c *Config, file string) (*facts.Facts, error) {
	p := &diag.Problem{Code: "facts.unreadable", Hint: "record them on the other machine with `reconcile facts > machine.json`"}
	b, err := c.ReadFile(file, maxFacts)
	if err != nil {
		p.Summary, p.Found = "the recorded facts cannot be read", err.Error()
		return nil, p
	}
	f := &facts.Facts{}
	if err := json.Unmarshal(b, f); err != nil {
		p.Pos, p.Summary, p.Found = diag.Pos{File: file}, "these are not recorded facts", err.Error()
		return nil, p
	}
	if project, ok := facts.Find[facts.Project](f, facts.ProjectKey); ok && project.Store == "" {
		p.Pos, p.Summary = diag.Pos{File: file}, "these facts were recorded by an earlier version, which had no store"
		return nil, p
	}
	return f, nil
}

// IsRecorded reports whether the facts come from a file.
func (p *Project) IsRecorded() bool { return p.prober == nil }

// Index returns where this machine gets packages from. The machine must not be a recorded
// one.
func (p *Project) Index() (probes.IndexSettings, error) { return p.prober.Index() }

// Local returns where the project and its state are.
func (p *Project) Local() (facts.Project, error) {
	return find[facts.Project](p.Base, facts.ProjectKey)
}

// Probe probes the keys on this machine now. Of a recorded machine it returns all that
// was recorded.
func (p *Project) Probe(ctx context.Context, keys []facts.Key) *facts.Facts {
	return probe(ctx, p.prober, p.Base, keys)
}

func probe(ctx context.Context, prober *probes.Prober, recorded *facts.Facts, keys []facts.Key) *facts.Facts {
	if prober == nil {
		return recorded
	}
	return prober.Probe(ctx, keys)
}

// Without returns the keys of which f has no fact. It reuses the array of keys.
func Without(keys []facts.Key, f *facts.Facts) []facts.Key {
	return slices.DeleteFunc(keys, func(k facts.Key) bool {
		_, _, known := f.Lookup(k)
		return known
	})
}

// find returns a fact, or the problem that it is not known.
func find[T facts.Fact](f *facts.Facts, k facts.Key) (T, error) {
	if fact, ok := facts.Find[T](f, k); ok {
		return fact, nil
	}
	var none T
	return none, NotProbed(f, k)
}

// NotProbed returns the problem that a fact is not known, with the reason.
func NotProbed(f *facts.Facts, k facts.Key) *diag.Problem {
	_, reason, _ := f.Lookup(k)
	return &diag.Problem{Code: "plan.not-seen", Summary: fmt.Sprintf("%s could not be probed", k), Found: reason}
}
