package session

import (
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/internal/planfile"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// A Checkout is the project's folder with its manifest, on no machine in particular.
type Checkout struct {
	Config   *Config
	Root     string // absolute, links resolved
	Name     string // of the manifest, relative to Root
	Manifest *manifest.Manifest

	files  fs.FS // below Root
	inputs *planfile.Recorder
}

// manyResources is the number of files and directories from which on load frees the YAML
// nodes of a manifest at once, not when the heap has doubled. They take ten times the size
// of its text, and would be most of the peak memory.
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
	confined, err := os.OpenRoot(root) // a link in a cloned repository must not lead outside of it
	if err != nil {
		return nil, err
	}
	p := &Checkout{Config: c, Root: root, Name: name, files: rawfile.FS(confined)}
	p.inputs = planfile.NewRecorder(p.files)
	if p.Manifest, err = manifest.Load(p.inputs, name); err != nil {
		return nil, err
	}
	if len(p.Manifest.Files)+len(p.Manifest.Directories) >= manyResources {
		runtime.GC()
	}
	return p, nil
}

// FS returns the files of the project. Links out of it are errors.
func (p *Checkout) FS() fs.FS { return p.files }

// Path returns the absolute path of a path of the manifest, which is below Root unless
// it is absolute itself.
func (p *Checkout) Path(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(p.Root, filepath.FromSlash(path))
}

// Inputs returns the digests of the files from which the plan for environments is made, by
// name. Locks of other environments are omitted: they are read to check the manifest, and do
// not affect the plan.
func (p *Checkout) Inputs(envs []*manifest.Environment) map[string]facts.SHA256 {
	read := p.inputs.Digests()
	for _, e := range p.Manifest.Environments {
		if !slices.ContainsFunc(envs, func(planned *manifest.Environment) bool { return planned.Lock == e.Lock }) {
			delete(read, e.Lock)
		}
	}
	return read
}
