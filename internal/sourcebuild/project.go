package sourcebuild

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/reconcile-ml/reconcile/internal/pep"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// maxText is the maximum size of a file with metadata in bytes.
const maxText = 4 << 20

// A Project is what the files of a source tree state about its build. No code of the project runs
// to find it.
type Project struct {
	Dir         string   // absolute
	Requires    []string // PEP 508, of the build
	Backend     string   // "setuptools.build_meta:__legacy__"
	BackendPath []string // absolute directories below Dir
	// Static are the metadata, if the files determine them, else nil.
	Static *Metadata
	// Stated are the metadata of the PKG-INFO of a source distribution, nil if it has none. Those of
	// a wheel may differ, if some are dynamic.
	Stated *Metadata
	// Name and Version are those of pyproject.toml, "" if it has none or they are dynamic.
	Name, Version string
}

// ErrNoProject means that a directory has neither a pyproject.toml nor a setup.py.
var ErrNoProject = errors.New("it has neither a pyproject.toml nor a setup.py")

// pyproject are the parts of a pyproject.toml that a build uses.
//
// https://packaging.python.org/en/latest/specifications/pyproject-toml/
type pyproject struct {
	BuildSystem *struct {
		Requires    []string `toml:"requires"`
		Backend     string   `toml:"build-backend"`
		BackendPath []string `toml:"backend-path"`
	} `toml:"build-system"`
	Project *struct {
		Name           string              `toml:"name"`
		Version        string              `toml:"version"`
		RequiresPython string              `toml:"requires-python"`
		Dependencies   []string            `toml:"dependencies"`
		Extras         map[string][]string `toml:"optional-dependencies"`
		Dynamic        []string            `toml:"dynamic"`
	} `toml:"project"`
}

// Open reads the build of a source tree at an absolute path. For a tree without a build backend it
// is that of setuptools, as PEP 517 demands.
func Open(dir string) (*Project, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	p := &Project{Dir: dir, Requires: []string{"setuptools", "wheel"}, Backend: "setuptools.build_meta:__legacy__"}
	text, err := rawfile.ReadRoot(root, "pyproject.toml", maxText, 0)
	switch {
	case rawfile.IsAbsent(err):
		if _, err := root.Stat("setup.py"); err != nil {
			return nil, fmt.Errorf("%s: %w", dir, ErrNoProject)
		}
	case err != nil:
		return nil, err
	default:
		if err := p.read(text); err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Join(dir, "pyproject.toml"), err)
		}
	}
	if info, err := rawfile.ReadRoot(root, "PKG-INFO", maxText, 0); err == nil {
		c := parseCore(info)
		if c.complete() {
			p.Stated = &c.Metadata
		}
		if p.Static == nil && c.static() {
			p.Static = &c.Metadata
		}
	}
	return p, nil
}

// NeedsNoMore reports whether the backend is one that adds no requirements to those of the project.
func (p *Project) NeedsNoMore() bool {
	switch p.Backend {
	case "flit_core.buildapi", "uv_build", "poetry.core.masonry.api":
		return true
	case "setuptools.build_meta": // else setup_requires
		return !exists(filepath.Join(p.Dir, "setup.py")) && !exists(filepath.Join(p.Dir, "setup.cfg"))
	}
	return false
}

func exists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}

// read reads a pyproject.toml.
func (p *Project) read(text []byte) error {
	var doc pyproject
	if err := toml.Unmarshal(text, &doc); err != nil {
		return err
	}
	if b := doc.BuildSystem; b != nil {
		if b.Requires == nil {
			return errors.New("[build-system] has no requires")
		}
		p.Requires = b.Requires
		if b.Backend != "" {
			p.Backend = b.Backend
		}
		for _, dir := range b.BackendPath {
			if !filepath.IsLocal(dir) {
				return fmt.Errorf("backend-path %q is outside of the project", dir)
			}
			p.BackendPath = append(p.BackendPath, filepath.Join(p.Dir, dir))
		}
	}
	for _, r := range p.Requires {
		if _, err := pep.ParseRequirement(r); err != nil {
			return fmt.Errorf("build requirement %q: %w", r, err)
		}
	}
	if !isReference(p.Backend) {
		return fmt.Errorf("build-backend %q is not a module", p.Backend)
	}
	if doc.Project == nil {
		return nil
	}
	t := doc.Project
	dynamic := func(fields ...string) bool {
		return slices.ContainsFunc(fields, func(f string) bool { return slices.Contains(t.Dynamic, f) })
	}
	p.Name = t.Name
	if !dynamic("version") {
		p.Version = t.Version
	}
	if p.Version == "" || dynamic("dependencies", "optional-dependencies", "requires-python") {
		return nil
	}
	m := Metadata{Name: t.Name, Version: t.Version, RequiresPython: t.RequiresPython, Requires: t.Dependencies}
	for extra, requires := range t.Extras {
		m.Extras = append(m.Extras, extra)
		for _, r := range requires {
			m.Requires = append(m.Requires, withExtra(r, extra))
		}
	}
	slices.Sort(m.Extras)
	slices.Sort(m.Requires[len(t.Dependencies):])
	if m.complete() {
		p.Static = &m
	}
	return nil
}

// withExtra returns a requirement of an extra as in METADATA.
func withExtra(requirement, extra string) string {
	separator := ";"
	if strings.Contains(requirement, "://") { // a URL may contain one
		separator = " ;"
	}
	text, marker, ok := strings.Cut(requirement, separator)
	condition := fmt.Sprintf("extra == %q", extra)
	if ok {
		condition = "(" + strings.TrimSpace(marker) + ") and " + condition
	}
	return strings.TrimSpace(text) + " ; " + condition
}

// isReference reports whether s is a module with an optional object: "a.b:c.d".
func isReference(s string) bool {
	module, object, ok := strings.Cut(s, ":")
	return pep.ValidModule(module) && (!ok || pep.ValidModule(object))
}
