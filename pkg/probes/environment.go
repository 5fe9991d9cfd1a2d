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
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/pyenv"
)

// environment looks at the visible place of an environment and at the
// generations behind it. Only the visible generation is checked for damage.
func (p *Prober) environment(name string) (facts.Environment, error) {
	place, ok := p.Environments[name]
	e := facts.Environment{Name: name, Path: place.Path}
	if !ok {
		return e, fmt.Errorf("the manifest has no environment %q", name)
	}
	err := p.visible(&e, layout.EntryLinks(place.Type))
	if err != nil {
		return e, err
	}
	if place.Type == "conda" {
		e.LeakDir, e.Leaks = p.userSite(place.Python)
	}
	return e, p.generations(&e)
}

// userSite lists what this user installed for himself in a line of Python, and where
// (site.getuserbase of the standard library says where that is). What cannot be listed
// has a place and no distributions: nothing depends on it but a note.
func (p *Prober) userSite(line string) (dir string, leaks []string) {
	base := p.dirVariable("PYTHONUSERBASE", p.below(".local"))
	dir = filepath.Join(base, "lib", "python"+line, "site-packages")
	switch {
	case p.system.os == "darwin" && p.environ["PYTHONUSERBASE"] == "":
		if base = p.below("Library/Python"); base == "" {
			return "", nil
		}
		dir = filepath.Join(base, line, "lib/python/site-packages")
	case base == "":
		return "", nil
	}
	dists, err := pyenv.Installed(dir)
	for _, d := range dists {
		leaks = append(leaks, d.Name+" "+d.Version)
	}
	if len(leaks) == 0 && err == nil {
		dir = ""
	}
	return dir, leaks
}

// visible fills in Foreign, Current and Entry.
func (p *Prober) visible(e *facts.Environment, links []layout.EntryLink) error {
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
		if e.Foreign, err = p.unlinked(e.Path, links); err != nil || e.Foreign != "" {
			return err
		}
	default:
		if !isNotLink(err) {
			return err
		}
		e.Foreign = "a directory whose " + layout.GenerationLink + " is not a link"
		return nil
	}
	return p.entry(e, links)
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
	if former := p.Environments[e.Name].PreviousName; former != "" && filepath.Clean(dir) == p.abs(layout.Environment(p.state(), former)) {
		return "", "" // what it was before it got its name
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
func (p *Prober) unlinked(place string, links []layout.EntryLink) (foreign string, err error) {
	entries, err := os.ReadDir(p.abs(place))
	if err != nil {
		return "", err
	}
	for _, entry := range entries {
		ours, err := p.isEntry(place, entry.Name(), links)
		if err != nil {
			return "", err
		}
		if !ours && (entry.Name() == "pyvenv.cfg" || entry.Name() == "conda-meta") {
			return "an environment that reconcile did not make", nil
		}
		if !ours && foreign == "" {
			foreign = "a directory that reconcile did not make; it holds " + entry.Name()
		}
	}
	return foreign, nil
}

// isEntry reports whether something in a visible place is what we put there.
func (p *Prober) isEntry(place, name string, links []layout.EntryLink) (bool, error) {
	full := p.abs(path.Join(place, name))
	if name == ".gitignore" {
		b, err := readSmall(full)
		return string(b) == layout.IgnoreAll, err
	}
	if atomicfile.IsTemp(name) { // one of these, on its way when apply was killed
		info, err := os.Lstat(full)
		return err == nil && !info.IsDir(), err
	}
	for _, l := range links {
		if l.Name != name {
			continue
		}
		target, err := os.Readlink(full)
		if isNotLink(err) {
			return false, nil
		}
		return target == l.Target, err
	}
	return false, nil
}

// entry says what of the links in the visible place is missing or wrong.
func (p *Prober) entry(e *facts.Environment, links []layout.EntryLink) error {
	var wrong []string
	for _, l := range links {
		target, err := os.Readlink(p.abs(path.Join(e.Path, l.Name)))
		switch {
		case isGone(err):
			wrong = append(wrong, l.Name+" is missing")
		case isNotLink(err):
			wrong = append(wrong, l.Name+" is not a link")
		case err != nil:
			return err
		case target != l.Target:
			wrong = append(wrong, l.Name+" leads to "+target)
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
	g.Digest, g.Python, g.Base, g.Created = seal.Digest, seal.Python, seal.Base, seal.Created
	g.Packages, g.Conda = seal.Packages, seal.Conda
	if visible {
		g.Damage, err = pyenv.CheckFast(dir, seal)
	}
	return g, true, err
}

// isNotLink reports whether reading a link failed because there is something
// else in its place.
func isNotLink(err error) bool { return errors.Is(err, unix.EINVAL) }
