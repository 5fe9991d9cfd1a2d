package probes

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/pyenv"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
	"golang.org/x/sys/unix"
)

// environment reads the directory of an environment and its generations. Only the active
// generation is checked for damage.
func (p *Prober) environment(name string) (facts.Environment, error) {
	env, ok := p.Environments[name]
	e := facts.Environment{Name: name, Path: env.Path}
	if !ok {
		return e, fmt.Errorf("the manifest has no environment %q", name)
	}
	if err := p.readEntry(&e, layout.EntryLinks(env.Type)); err != nil {
		return e, err
	}
	if env.Type == "conda" {
		e.LeakDir, e.Leaks = p.userSite(env.Python)
	}
	e.References = p.references(name)
	if env.Wheels != nil {
		e.Stored = p.stored(env.Wheels(p.platform))
	}
	return e, p.generations(&e)
}

// stored returns those of the wheels that are unpacked in the store.
func (p *Prober) stored(wheels []string) []facts.SHA256 {
	var found []facts.SHA256
	for _, w := range wheels {
		var sum facts.SHA256
		var st unix.Stat_t
		if sum.UnmarshalText([]byte(w)) == nil && rawfile.Lstat(layout.DistEntry(layout.Dist(p.store, w)), &st) == nil {
			found = append(found, sum)
		}
	}
	return found
}

// userSite returns the user site-packages of a Python minor version, as site.getuserbase
// determines it, and its distributions. A folder that cannot be listed has none.
func (p *Prober) userSite(minor string) (dir string, leaks []string) {
	base := p.dirVariable("PYTHONUSERBASE", p.below(".local"))
	dir = filepath.Join(base, "lib", "python"+minor, "site-packages")
	if p.system.os == "darwin" && p.environ["PYTHONUSERBASE"] == "" {
		base = p.below("Library/Python")
		dir = filepath.Join(base, minor, "lib/python/site-packages")
	}
	if base == "" {
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

// readEntry sets Foreign, Current and Entry.
func (p *Prober) readEntry(e *facts.Environment, links []layout.EntryLink) error {
	f, err := p.readPath(e.Path)
	switch {
	case err != nil:
		return err
	case f.Parent != "":
		e.Foreign = "reached through the " + f.Parent
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
		e.Current, e.Foreign = p.currentOf(e, target)
	case rawfile.IsAbsent(err):
		e.Foreign, err = p.foreignEntry(e.Path, links)
	case isNotLink(err):
		e.Foreign, err = "a directory whose "+layout.GenerationLink+" is not a link", nil
	}
	if err != nil || e.Foreign != "" {
		return err
	}
	var wrong []string
	for _, l := range links {
		target, err := os.Readlink(p.abs(path.Join(e.Path, l.Name)))
		switch {
		case rawfile.IsAbsent(err):
			wrong = append(wrong, l.Name+" is missing")
		case isNotLink(err):
			wrong = append(wrong, l.Name+" is not a link")
		case err != nil:
			return err
		case target != l.Target:
			wrong = append(wrong, l.Name+" points to "+target)
		}
	}
	e.Entry = strings.Join(wrong, ", ")
	return nil
}

// currentOf returns the generation that a link points to, or the reason why the
// environment directory is foreign. A generation of the previous name of the environment,
// of another project and of another store give neither: the directory came with a project
// that was moved, or the store was, and its links are replaced.
func (p *Prober) currentOf(e *facts.Environment, target string) (current, foreign string) {
	full := filepath.Clean(target)
	if !filepath.IsAbs(full) {
		full = filepath.Join(p.abs(e.Path), full)
	}
	previous := p.Environments[e.Name].PreviousName
	switch {
	case filepath.Dir(full) == layout.Environment(p.state(), e.Name) && isGenerationName(filepath.Base(full)):
		return filepath.Base(full), ""
	case layout.IsGeneration(full, e.Name), previous != "" && layout.IsGeneration(full, previous):
		return "", ""
	}
	return "", "a directory whose generation is " + target + ", which reconcile did not build here"
}

// isGenerationName reports whether a name is valid for a generation.
func isGenerationName(name string) bool {
	return name != "" && name[0] != '.' && !strings.ContainsAny(name, "/\x00")
}

// foreignEntry describes a directory without a generation link unless a build started it.
func (p *Prober) foreignEntry(dir string, links []layout.EntryLink) (foreign string, err error) {
	entries, err := os.ReadDir(p.abs(dir))
	if err != nil {
		return "", err
	}
	for _, entry := range entries {
		ours, err := p.isEntry(dir, entry.Name(), links)
		if err != nil {
			return "", err
		}
		if !ours && (entry.Name() == "pyvenv.cfg" || entry.Name() == "conda-meta") {
			return "an environment that reconcile did not create", nil
		}
		if !ours && foreign == "" {
			foreign = "a directory that reconcile did not create; it contains " + entry.Name()
		}
	}
	return foreign, nil
}

// isEntry reports whether reconcile created an entry of an environment directory.
func (p *Prober) isEntry(dir, name string, links []layout.EntryLink) (bool, error) {
	full := p.abs(path.Join(dir, name))
	if name == ".gitignore" {
		b, err := readSmall(full)
		return string(b) == layout.IgnoreAll, err
	}
	if atomicfile.IsTemp(name) { // left when apply was killed
		info, err := os.Lstat(full)
		return err == nil && !info.IsDir(), err
	}
	i := slices.IndexFunc(links, func(l layout.EntryLink) bool { return l.Name == name })
	if i < 0 {
		return false, nil
	}
	target, err := os.Readlink(full)
	if isNotLink(err) {
		return false, nil
	}
	return target == links[i].Target, err
}

// generations sets Generations and Unsealed. The active generation is never unsealed:
// without its seal it is damaged, since unsealed ones are removed and processes may use
// this one.
func (p *Prober) generations(e *facts.Environment) error {
	dir := layout.Environment(p.state(), e.Name)
	entries, err := os.ReadDir(dir)
	if rawfile.IsAbsent(err) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if !entry.IsDir() || !isGenerationName(entry.Name()) {
			continue
		}
		active := entry.Name() == e.Current && e.Foreign == ""
		g, sealed, err := p.generation(filepath.Join(dir, entry.Name()), active)
		switch {
		case err != nil:
			return err
		case sealed || active:
			e.Generations = append(e.Generations, g)
		default:
			e.Unsealed = append(e.Unsealed, entry.Name())
		}
	}
	if _, ok := e.CurrentGeneration(); !ok && e.Current != "" {
		e.Entry = strings.TrimPrefix(e.Entry+", generation "+e.Current+" is missing", ", ")
	}
	return nil
}

// generation reads one generation, and checks it for damage if it is active. A seal of a
// newer reconcile is an error: such a generation must not be changed.
func (p *Prober) generation(dir string, active bool) (g facts.Generation, sealed bool, err error) {
	g.Name = filepath.Base(dir)
	seal, err := pyenv.ReadSeal(dir)
	sealed = !rawfile.IsAbsent(err)
	switch {
	case !sealed || errors.Is(err, pyenv.ErrSeal):
		g.Damage = []facts.Damage{{What: "seal", Path: layout.Seal("")}}
		return g, sealed, nil
	case err != nil:
		return g, false, err
	}
	g.Digest, g.Python, g.Base, g.Created = seal.Digest, seal.Python, seal.Base, seal.Created
	g.Packages, g.Conda = seal.Packages, seal.Conda
	if active {
		g.Damage, err = pyenv.CheckFast(dir, seal)
	}
	return g, true, err
}
