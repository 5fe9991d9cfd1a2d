package probes

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/pyenv"
	"github.com/reconcile-ml/reconcile/pkg/facts"
)

// entryLinks are the links of a visible environment, as they must be written.
var entryLinks = []struct{ name, target string }{
	{"bin", layout.Launchers(layout.GenerationLink)},
	{"lib", path.Join(layout.GenerationLink, "lib")},
	{"pyvenv.cfg", path.Join(layout.GenerationLink, "pyvenv.cfg")},
}

// ignoreAll is what the .gitignore of a visible environment says.
const ignoreAll = "*\n"

// environment looks at the visible place of an environment and at the
// generations behind it. Only the visible generation is checked for damage.
func (p *Prober) environment(name string) (facts.Environment, error) {
	place, ok := p.Environments[name]
	e := facts.Environment{Name: name, Path: place}
	if !ok {
		return e, fmt.Errorf("the manifest has no environment %q", name)
	}
	if err := p.visible(&e); err != nil {
		return e, err
	}
	return e, p.generations(&e)
}

// visible fills in Foreign, Current and Entry.
func (p *Prober) visible(e *facts.Environment) error {
	f, err := newLooker(p, &ways{}).look(e.Path)
	switch {
	case err != nil:
		return err
	case f.Parent != "":
		e.Foreign = "the way to it leads through the " + f.Parent
		return nil
	case f.Type == facts.Absent:
		e.Entry = "absent"
		return nil
	case f.Type == facts.Symlink:
		e.Foreign = "a link to " + f.Target
		return nil
	case f.Type != facts.Dir:
		e.Foreign = "a " + string(f.Type) + ", not a directory"
		return nil
	}
	target, err := os.Readlink(p.abs(path.Join(e.Path, layout.GenerationLink)))
	switch {
	case err == nil:
		if e.Current, e.Foreign = p.currentOf(e, target); e.Foreign != "" {
			return nil
		}
	case isGone(err):
		if e.Foreign, err = p.unlinked(e.Path); err != nil || e.Foreign != "" {
			return err
		}
	default:
		if !isNotLink(err) {
			return err
		}
		e.Foreign = "a directory whose " + layout.GenerationLink + " is not a link"
		return nil
	}
	return p.entry(e)
}

// currentOf returns the generation that a link leads to, or what makes the
// place foreign.
func (p *Prober) currentOf(e *facts.Environment, target string) (current, foreign string) {
	full := target
	if !filepath.IsAbs(full) {
		full = filepath.Join(p.abs(e.Path), target)
	}
	dir, name := filepath.Split(filepath.Clean(full))
	if filepath.Clean(dir) == p.abs(layout.Environment(p.state(), e.Name)) && generationName(name) {
		return name, ""
	}
	if within(full, filepath.Join(p.root, layout.Dir)) {
		return "", "an environment of another machine: its generation is " + target
	}
	return "", "a directory whose generation is " + target + ", which reconcile did not build here"
}

// generationName reports whether a name is one that a build gives.
func generationName(name string) bool {
	return name != "" && name[0] != '.' && !strings.ContainsAny(name, "/\x00")
}

// unlinked looks at a directory without a generation: one that a build has just
// begun, or somebody else's.
func (p *Prober) unlinked(place string) (foreign string, err error) {
	entries, err := os.ReadDir(p.abs(place))
	if err != nil {
		return "", err
	}
	for _, entry := range entries {
		ours, err := p.isEntry(place, entry.Name())
		if err != nil {
			return "", err
		}
		if !ours && entry.Name() == "pyvenv.cfg" {
			return "an environment that reconcile did not make", nil
		}
		if !ours && foreign == "" {
			foreign = "a directory that reconcile did not make; it holds " + entry.Name()
		}
	}
	return foreign, nil
}

// isEntry reports whether something in a visible place is what we put there.
func (p *Prober) isEntry(place, name string) (bool, error) {
	full := p.abs(path.Join(place, name))
	if name == ".gitignore" {
		b, err := readSmall(full)
		return string(b) == ignoreAll, err
	}
	if atomicfile.IsTemp(name) { // one of these, on its way when apply was killed
		info, err := os.Lstat(full)
		return err == nil && !info.IsDir(), err
	}
	for _, l := range entryLinks {
		if l.name != name {
			continue
		}
		target, err := os.Readlink(full)
		if isNotLink(err) {
			return false, nil
		}
		return target == l.target, err
	}
	return false, nil
}

// entry says what of the links in the visible place is missing or wrong.
func (p *Prober) entry(e *facts.Environment) error {
	var wrong []string
	for _, l := range entryLinks {
		target, err := os.Readlink(p.abs(path.Join(e.Path, l.name)))
		switch {
		case isGone(err):
			wrong = append(wrong, l.name+" is missing")
		case isNotLink(err):
			wrong = append(wrong, l.name+" is not a link")
		case err != nil:
			return err
		case target != l.target:
			wrong = append(wrong, l.name+" leads to "+target)
		}
	}
	e.Entry = strings.Join(wrong, ", ")
	return nil
}

// generations fills in Generations and Unsealed. The visible one is never
// unsealed: without its seal it is a damaged generation, because an unsealed one
// is cleared away and processes may be using this.
func (p *Prober) generations(e *facts.Environment) error {
	dir := p.abs(layout.Environment(p.state(), e.Name))
	entries, err := os.ReadDir(dir)
	if isGone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if !entry.IsDir() || !generationName(entry.Name()) {
			continue
		}
		visible := entry.Name() == e.Current && e.Foreign == ""
		g, sealed, err := p.generation(filepath.Join(dir, entry.Name()), visible)
		switch {
		case err != nil:
			return err
		case sealed || visible:
			e.Generations = append(e.Generations, g)
		default:
			e.Unsealed = append(e.Unsealed, entry.Name())
		}
	}
	if e.Current != "" && !slices.ContainsFunc(e.Generations, func(g facts.Generation) bool { return g.Name == e.Current }) {
		e.Entry = strings.TrimPrefix(e.Entry+", generation "+e.Current+" is gone", ", ")
	}
	return nil
}

// generation reads one generation, and looks for damage in the visible one. An
// error is what keeps from looking, or a seal of a newer reconcile, which must be
// left alone.
func (p *Prober) generation(dir string, visible bool) (g facts.Generation, sealed bool, err error) {
	g.Name = filepath.Base(dir)
	seal, err := pyenv.ReadSeal(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist) || isGone(err):
		g.Damage = []facts.Damage{{What: "seal", Path: layout.Seal("")}}
		return g, false, nil
	case errors.Is(err, pyenv.ErrNewerSeal):
		return g, false, err
	case errors.Is(err, pyenv.ErrSeal):
		g.Damage = []facts.Damage{{What: "seal", Path: layout.Seal("")}}
		return g, true, nil
	case err != nil:
		return g, false, err
	}
	g.Digest, g.Python, g.Base, g.Created, g.Packages = seal.Digest, seal.Python, seal.Base, seal.Created, seal.Packages
	if visible {
		g.Damage, err = pyenv.CheckFast(dir, seal)
	}
	return g, true, err
}

// isNotLink reports whether reading a link failed because there is something
// else in its place.
func isNotLink(err error) bool { return errors.Is(err, unix.EINVAL) }
