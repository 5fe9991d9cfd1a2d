package session

import (
	"maps"
	"os"
	"path/filepath"
	"runtime"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/internal/planfile"
)

// A Checkout is the project's folder with its manifest, on no machine in particular.
type Checkout struct {
	Config   *Config
	Root     string // absolute, links resolved
	Name     string // of the manifest, relative to Root
	Manifest *manifest.Manifest

	inputs *planfile.Recorder
}

// manyResources is from how many resources on a manifest's YAML nodes are collected at
// once and not when the heap has doubled. They take ten times the size of its text and
// would be the greater part of the peak.
const manyResources = 5000

// Load finds the project and reads its manifest.
func Load(c *Config) (*Checkout, error) {
	root, name, err := c.Locate()
	if err != nil {
		return nil, err
	}
	return load(c, root, name)
}

func load(c *Config, root, name string) (*Checkout, error) {
	confined, err := os.OpenRoot(root) // a link in a cloned repository leads nowhere else
	if err != nil {
		return nil, err
	}
	p := &Checkout{Config: c, Root: root, Name: name, inputs: planfile.NewRecorder(confined.FS())}
	if p.Manifest, err = manifest.Load(p.inputs, name); err != nil {
		return nil, err
	}
	if len(p.Manifest.Files)+len(p.Manifest.Directories) >= manyResources {
		runtime.GC()
	}
	return p, nil
}

// Path returns the absolute path of a path of the manifest, which is below Root unless
// it is absolute itself.
func (p *Checkout) Path(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(p.Root, filepath.FromSlash(path))
}

// Inputs returns the digests of the files from which the plan for an environment is
// made, by name. Locks of other environments are read to check the manifest, and decide
// nothing.
func (p *Checkout) Inputs(env *manifest.Environment) map[string]facts.SHA256 {
	read := maps.Clone(p.inputs.Digests())
	for _, e := range p.Manifest.Environments {
		if env == nil || e.Lock != env.Lock {
			delete(read, e.Lock)
		}
	}
	return read
}
