// Package storage measures the store of a user and frees parts of it.
//
// A wheel that is unpacked in the store and the generations that use it are hard links of
// the same files. Each file is counted once, and a size that is to be freed counts a file
// only if all its names are removed.
package storage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/mounts"
	"github.com/reconcile-ml/reconcile/internal/plural"
	"github.com/reconcile-ml/reconcile/internal/pyenv"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/session"
	"github.com/reconcile-ml/reconcile/internal/store"
	"github.com/reconcile-ml/reconcile/internal/wheels"
)

// The parts of a store, in the order in which a file with several names is counted.
const (
	dists    = "dists"
	conda    = "conda"
	tools    = "tools"
	cache    = "cache"
	tmp      = "tmp"
	projects = "projects"
)

// trash is counted as temporary files.
const trash = "trash"

// parts returns the parts of a store in the order of their report.
func parts() []string { return []string{dists, conda, tools, cache, tmp, projects} }

// Ages after which files that can be downloaded again are unused.
const (
	tempAge  = 24 * time.Hour      // temporary files and partial downloads
	cacheAge = 30 * 24 * time.Hour // caches, and tools that no environment uses
)

// walkers limits the directories that are read at the same time: a local disk needs one for
// each core, a network file system several requests on their way.
func walkers() int { return max(4, min(16, 2*runtime.GOMAXPROCS(0))) }

// A unit is a part of the store that is removed as a whole.
type unit struct {
	*tree
	part  string
	wheel string // "name version" of an unpacked wheel, "" if it is incomplete
	other bool   // not made by reconcile
}

// A Store is the measured store of a user.
type Store struct {
	location store.Location
	current  string // root of the project of the calling command, "" for none
	exists   bool
	mount    mounts.Mount
	free     int64 // bytes; -1 if unknown
	now      time.Time
	units    []*unit // outside the projects
	projects []*project
	others   []string // paths in the store that reconcile did not make
}

// Load measures the store of a user, which need not exist. No project is needed.
func Load(ctx context.Context, c *session.Config, now time.Time) (*Store, error) {
	root, _, err := c.Locate()
	if err != nil {
		root = ""
	}
	l, err := c.Store(root)
	if err != nil {
		return nil, err
	}
	return load(ctx, l, root, now)
}

// load measures a store. root is the project of the calling command, "" for none.
func load(ctx context.Context, l store.Location, root string, now time.Time) (*Store, error) {
	s := &Store{location: l, current: root, free: -1, now: now}
	if _, err := os.Lstat(l.Path); errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	s.exists = true
	s.mount, _ = mounts.Of(l.Path) // empty if unknown
	var st unix.Statfs_t
	if unix.Statfs(l.Path, &st) == nil {
		s.free = int64(st.Bavail) * int64(st.Bsize)
	}
	if err := s.list(); err != nil {
		return nil, err
	}
	if err := s.measure(ctx); err != nil {
		return nil, err
	}
	findMoved(s.projects, root)
	return s, s.readWheels(ctx)
}

// list finds the units and projects.
func (s *Store) list() error {
	at := s.location.Path
	// The trash is removed first: generations in it have hard links to wheels.
	if err := s.addUnits(tmp, layout.StoreTrash(at)); err != nil {
		return err
	}
	names, err := readNames(at)
	if err != nil {
		return err
	}
	for _, name := range names {
		dir := filepath.Join(at, name)
		switch name {
		case dists, cache:
			err = s.addUnits(name, dir)
		case tmp:
			err = s.addUnits(tmp, dir)
		case conda, tools: // conda/pkgs/<package>, tools/<platform>/<tool>
			err = s.addNested(name, dir)
		case projects:
			err = s.addProjects(dir)
		case trash, filepath.Base(layout.StoreLock(at)), filepath.Base(layout.StoreMarker(at)), "lost+found":
		default:
			if !atomicfile.IsTemp(name) {
				s.others = append(s.others, name)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// addUnits adds everything in dir.
func (s *Store) addUnits(part, dir string) error {
	names, err := readNames(dir)
	for _, name := range names {
		s.addUnit(part, filepath.Join(dir, name))
	}
	return err
}

func (s *Store) addUnit(part, at string) {
	other := !s.isMade(at)
	s.units = append(s.units, &unit{tree: &tree{path: at}, part: part, other: other})
}

// isMade reports whether a path in the store has the form of one that reconcile makes. Others
// are recorded.
func (s *Store) isMade(at string) bool {
	rel, err := filepath.Rel(s.location.Path, at)
	if err == nil && store.IsMade(rel) {
		return true
	}
	s.others = append(s.others, rel)
	return false
}

// addNested adds everything in the directories in dir.
func (s *Store) addNested(part, dir string) error {
	names, err := readNames(dir)
	for _, name := range names {
		inner := filepath.Join(dir, name)
		if info, err := os.Lstat(inner); err == nil && !info.IsDir() {
			s.addUnit(part, inner)
		} else if err := s.addUnits(part, inner); err != nil {
			return err
		}
	}
	return err
}

func (s *Store) addProjects(dir string) error {
	names, err := readNames(dir)
	for _, name := range names {
		p := &project{state: filepath.Join(dir, name)}
		if !s.isMade(p.state) {
			continue
		}
		if _, err := os.Lstat(layout.ProjectFile(p.state)); rawfile.IsAbsent(err) {
			s.others = append(s.others, filepath.Join(projects, name))
			continue
		}
		if err := p.list(); err != nil {
			return err
		}
		s.projects = append(s.projects, p)
	}
	return err
}

// list finds the generations and everything else in a state directory.
func (p *project) list() error {
	names, err := readNames(p.state)
	if err != nil {
		return err
	}
	for _, name := range names {
		at := filepath.Join(p.state, name)
		if at != filepath.Dir(layout.Environment(p.state, "x")) {
			p.rest = append(p.rest, &unit{tree: &tree{path: at}, part: projects})
			continue
		}
		environments, err := readNames(at)
		if err != nil {
			return err
		}
		for _, environment := range environments {
			built, err := readNames(filepath.Join(at, environment))
			if err != nil {
				return err
			}
			for _, g := range built {
				u := &unit{tree: &tree{path: filepath.Join(at, environment, g)}, part: projects}
				p.generations = append(p.generations, &generation{unit: u, environment: environment})
			}
		}
	}
	return nil
}

// readNames returns the sorted names in a directory; none if it is missing or a file.
func readNames(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return nil, nil
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, err
}

// measure measures all units, and reads the projects.
func (s *Store) measure(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(walkers())
	run := func(do func()) {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			do()
			return nil
		})
	}
	for _, u := range s.units {
		run(func() { u.tree = measure(u.path) })
	}
	for _, p := range s.projects {
		run(func() {
			p.root = store.ProjectRoot(s.location.Path, p.state)
			p.status, p.lastUse = statusOf(p.root), lastUse(p.state)
		})
		for _, u := range p.rest {
			run(func() { u.tree = measure(u.path) })
		}
		for _, built := range p.generations {
			run(func() {
				built.tree = measure(built.path)
				if seal, err := pyenv.ReadSeal(built.path); err == nil {
					built.seal = &seal
				}
			})
		}
	}
	return g.Wait()
}

// A usedSet is what the sealed generations of all projects use.
type usedSet struct {
	wheels, conda map[string]bool // "name version", "name-version-build"
	bases         []string        // interpreters
}

// used returns what the generations use, except those in removed.
func (s *Store) used(removed map[*unit]bool) usedSet {
	used := usedSet{wheels: map[string]bool{}, conda: map[string]bool{}}
	for _, p := range s.projects {
		for _, g := range p.generations {
			if g.seal == nil || removed[g.unit] {
				continue
			}
			for _, w := range g.seal.Packages {
				used.wheels[w.Name+" "+w.Version] = true
			}
			for _, c := range g.seal.Conda {
				used.conda[c.Name+"-"+c.Version+"-"+c.Build] = true
			}
			used.bases = append(used.bases, g.seal.Base)
		}
	}
	return used
}

// readWheels reads which wheels are unpacked in the store. Entries that a generation links
// are in use, whatever they are.
func (s *Store) readWheels(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(walkers())
	for _, u := range s.units {
		if u.part != dists || atomicfile.IsTemp(filepath.Base(u.path)) {
			continue
		}
		g.Go(func() error {
			if e, err := wheels.Open(u.path); err == nil {
				u.wheel = e.Name + " " + e.Version
			}
			return ctx.Err()
		})
	}
	return g.Wait()
}

// unused returns why nothing uses a unit outside the projects after something is removed; ""
// if something does, or may.
func (s *Store) unused(u *unit, used usedSet, removed *removal) string {
	if u.other {
		return ""
	}
	name := filepath.Base(u.path)
	age := s.now.Sub(u.newest)
	if u.part == tmp || atomicfile.IsTemp(name) {
		switch {
		case filepath.Dir(u.path) == layout.StoreTrash(s.location.Path):
			return "left by an interrupted prune"
		case age > tempAge:
			return "temporary, " + ageText(age)
		}
		return ""
	}
	switch u.part {
	case dists:
		switch {
		case u.isLinked(removed) || used.wheels[u.wheel]:
			return ""
		case strings.HasPrefix(u.wheel, "uv ") && age <= cacheAge: // `reconcile lock` starts it from its wheel
			return ""
		case u.wheel != "":
			return u.wheel + ", which no environment uses"
		case age > tempAge:
			return "incomplete or damaged"
		}
	case conda:
		if filepath.Base(filepath.Dir(u.path)) == "pkgs" && age > tempAge && !u.isLinked(removed) && !used.hasConda(name) {
			return "a conda package that no environment uses"
		}
	case tools:
		if age > cacheAge && !used.hasBase(u.path) {
			return "a tool that no environment uses, " + ageText(age)
		}
	case cache:
		if age > cacheAge {
			return ageText(age)
		}
	}
	return ""
}

// hasBase reports whether an interpreter in use is in the directory of a tool.
func (s usedSet) hasBase(tool string) bool {
	return slices.ContainsFunc(s.bases, func(base string) bool { return strings.HasPrefix(base, tool+"/") })
}

// hasConda reports whether a file or directory of the cache of conda packages belongs to a
// package in use. Beside "name-version-build" there are archives and lock files.
func (s usedSet) hasConda(name string) bool {
	for prefix := range s.conda {
		if rest, ok := strings.CutPrefix(name, prefix); ok && (rest == "" || strings.ContainsRune(".-_", rune(rest[0]))) {
			return true
		}
	}
	return false
}

// ageText returns in words how long ago something was changed.
func ageText(age time.Duration) string {
	return "unchanged for " + plural.Count(int(age/(24*time.Hour)), "day")
}

// isNetwork reports whether other machines may use the store at the same time.
func (s *Store) isNetwork() bool { return mounts.IsNetwork(s.mount.Type) }

// Report returns the store as it is printed.
func (s *Store) Report() *report.Store {
	r := &report.Store{
		Path: s.location.Path, Source: s.location.Source, FileSystem: s.mount.Type, Network: s.isNetwork(), Free: s.free,
		Projects: []report.StoreProject{},
	}
	if !s.exists {
		return r
	}
	all := s.all()
	seen := map[fileID]bool{}
	unread := 0
	unused := map[string]int64{}
	for _, i := range s.plan(Options{Budget: -1}).items {
		unused[i.unit.part] += i.size
	}
	for _, part := range parts() {
		p := report.StorePart{Name: part}
		for _, u := range all {
			if u.part != part {
				continue
			}
			unread += u.unread
			p.Size += u.bytes
			for id, l := range u.linked {
				if !seen[id] {
					seen[id] = true
					p.Size += l.bytes
				}
			}
			if part != projects {
				p.Entries++
			}
		}
		if part == projects {
			p.Entries = len(s.projects)
		}
		p.Unused = unused[part]
		r.Parts = append(r.Parts, p)
		r.Size += p.Size
		r.Unused += p.Unused
	}
	for _, p := range s.projects {
		r.Projects = append(r.Projects, p.report())
		if p.status == report.ProjectGone {
			r.Gone++
		}
	}
	if r.Gone > 0 {
		r.GoneSize = s.plan(Options{Budget: -1, Gone: true}).removed.bytes - r.Unused
	}
	slices.SortStableFunc(r.Projects, func(a, b report.StoreProject) int { return b.LastUse.Compare(a.LastUse) })
	r.Notes = s.notes(unread)
	return r
}

// all returns every unit, those of projects last.
func (s *Store) all() []*unit {
	all := slices.Clone(s.units)
	for _, p := range s.projects {
		all = append(all, p.rest...)
		for _, g := range p.generations {
			all = append(all, g.unit)
		}
	}
	return all
}

// notes returns what the sizes do not tell.
func (s *Store) notes(unread int) (notes []string) {
	if unread > 0 {
		notes = append(notes, plural.Count(unread, "file")+" could not be read, and are not counted")
	}
	if len(s.others) > 0 {
		const most = 5
		text := strings.Join(s.others[:min(most, len(s.others))], ", ")
		if rest := len(s.others) - most; rest > 0 {
			text += fmt.Sprintf(" and %d more", rest)
		}
		notes = append(notes, "not made by reconcile, so never removed from the store: "+text)
	}
	switch s.mount.Type {
	case "apfs", "bcachefs", "btrfs", "xfs":
		notes = append(notes, fmt.Sprintf("files that %s shares as clones are counted for each project, so that less is used than is shown", s.mount.Type))
	}
	if s.isNetwork() {
		notes = append(notes, fmt.Sprintf("the store is on %s: programs on other hosts are known only if `reconcile run` started them", s.mount.Type))
	}
	return notes
}
