package storage

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/report"
)

// Options select what prune removes besides what nothing uses.
type Options struct {
	Older    time.Duration // environments of projects that were not used for so long; 0 for none
	Budget   int64         // environments, the longest unused first, until the store has so many bytes; -1 for none
	Projects []string      // environments of these projects, by path or name; everything if the folder does not exist
	Gone     bool          // everything of projects whose folder is gone
}

// A plan is what prune removes.
type plan struct {
	items   []*item
	removed removal
	units   map[*unit]bool
	notes   []string
}

// An item is removed as a whole: a unit, or the state directory of a project.
type item struct {
	unit       *unit       // nil for a project
	project    *project    // of a generation or a state directory; nil for others
	generation *generation // nil for others
	kind, why  string
	size       int64
}

// path returns the absolute path of what is removed.
func (i *item) path() string {
	if i.unit == nil {
		return i.project.state
	}
	return i.unit.path
}

// check returns an error if the options name no project, or several.
func (s *Store) check(o Options) error {
	for _, name := range o.Projects {
		switch found := s.named(name); {
		case len(found) == 0:
			return exit.With(exit.WrongUsage, &diag.Problem{
				Code: "store.project", Summary: fmt.Sprintf("the store has no project %q", name),
				Hint: "`reconcile store` lists the projects; --project takes a path or a name",
			})
		case len(found) > 1:
			var paths []string
			for _, p := range found {
				paths = append(paths, cmp.Or(p.root, p.state))
			}
			return exit.With(exit.WrongUsage, &diag.Problem{
				Code: "store.project", Summary: fmt.Sprintf("the store has several projects %q", name),
				Found: strings.Join(paths, ", "), Hint: "name one by its path: --project " + paths[0],
			})
		}
	}
	return nil
}

// named returns the projects with a path, a name of their folder or of their state directory.
func (s *Store) named(name string) (found []*project) {
	for _, p := range s.projects {
		if filepath.Base(p.state) == name || p.root != "" && (p.root == filepath.Clean(name) || filepath.Base(p.root) == name) {
			found = append(found, p)
		}
	}
	return found
}

// plan returns what the options remove. Items of projects are first, since the rest depends
// on them.
func (s *Store) plan(o Options) *plan {
	pl := &plan{units: map[*unit]bool{}}
	for _, p := range s.projects {
		named := slices.ContainsFunc(o.Projects, func(name string) bool { return slices.Contains(s.named(name), p) })
		switch {
		case o.Gone && p.status == report.ProjectGone:
			pl.addProject(p, "its folder is gone")
		case named && p.status != report.ProjectExists && p.status != report.ProjectMoved:
			pl.addProject(p, "selected, and its folder does not exist")
		case named:
			pl.addGenerations(p, "selected")
		case o.Older > 0 && s.now.Sub(p.lastUse) > o.Older:
			pl.addGenerations(p, "not used since "+p.lastUse.UTC().Format(time.DateOnly))
		}
	}
	if o.Budget >= 0 {
		return s.planBudget(o.Budget, pl)
	}
	return s.withUnused(pl)
}

// withUnused returns a copy of a plan with the units that nothing uses once it is applied.
func (s *Store) withUnused(pl *plan) *plan {
	all := pl.clone()
	used := s.used(pl.units)
	for _, u := range s.units {
		if why := s.unused(u, used, &all.removed); why != "" && !pl.units[u] {
			all.add(&item{unit: u, kind: kindOf(u), why: why})
		}
	}
	return all
}

// planBudget adds environments to a plan, the longest unused first, until the store has no
// more than a number of bytes.
func (s *Store) planBudget(budget int64, pl *plan) *plan {
	var everything removal
	for _, u := range s.all() {
		everything.add(u.tree)
	}
	remaining := func(p *plan) int64 { return everything.bytes - p.removed.bytes }
	now := s.withUnused(pl)
	oldest := slices.SortedFunc(slices.Values(s.projects), func(a, b *project) int { return a.lastUse.Compare(b.lastUse) })
	for _, p := range oldest {
		if remaining(now) <= budget {
			return now
		}
		pl.addGenerations(p, "for the budget, used "+p.lastUse.UTC().Format(time.DateOnly))
		now = s.withUnused(pl)
	}
	if rest := remaining(now); rest > budget {
		now.notes = append(now.notes, fmt.Sprintf("%s remain, more than the budget of %s: no project has an environment that could be removed", bytesize.Format(rest), bytesize.Format(budget)))
	}
	return now
}

func (pl *plan) clone() *plan {
	c := &plan{items: slices.Clone(pl.items), units: maps.Clone(pl.units)}
	c.removed = removal{maps.Clone(pl.removed.found), pl.removed.bytes}
	return c
}

// add adds an item of one unit.
func (pl *plan) add(i *item) {
	pl.units[i.unit] = true
	i.size = pl.removed.add(i.unit.tree)
	pl.items = append(pl.items, i)
}

func (pl *plan) addGenerations(p *project, why string) {
	for _, g := range p.generations {
		if !pl.units[g.unit] {
			pl.add(&item{unit: g.unit, project: p, generation: g, kind: "generation", why: why})
		}
	}
}

// addProject adds the state directory of a project.
func (pl *plan) addProject(p *project, why string) {
	i := &item{project: p, kind: "project", why: why}
	for _, g := range p.generations {
		pl.units[g.unit] = true
	}
	for _, t := range p.trees() {
		i.size += pl.removed.add(t)
	}
	if kept := p.kept(); kept > 0 {
		i.why += fmt.Sprintf("; %s of it are contents of files that applies replaced", bytesize.Format(kept))
	}
	pl.items = append(pl.items, i)
}

// kindOf returns the kind of a unit outside the projects.
func kindOf(u *unit) string {
	switch u.part {
	case dists:
		return "wheel"
	case conda:
		return "conda package"
	case tools:
		return "tool"
	case cache:
		return "cache"
	}
	return "temporary"
}

// Prune returns what the options remove.
func (s *Store) Prune(o Options) (*report.Prune, error) {
	if err := s.check(o); err != nil {
		return nil, err
	}
	pl := s.plan(o)
	doc := s.newPrune(pl)
	doc.DryRun = true
	for _, i := range pl.items {
		doc.Items = append(doc.Items, i.report("remove", ""))
		doc.Freed += i.size
	}
	return doc, nil
}

func (s *Store) newPrune(pl *plan) *report.Prune {
	return &report.Prune{Store: s.location.Path, Items: []report.PruneItem{}, Notes: slices.Concat(pl.notes, s.notes(0))}
}

func (i *item) report(action, reason string) report.PruneItem {
	r := report.PruneItem{Kind: i.kind, Path: i.path(), Size: i.size, Why: i.why, Action: action, Reason: reason}
	if i.project != nil {
		r.Project = cmp.Or(i.project.root, filepath.Base(i.project.state))
	}
	if i.generation != nil {
		r.Environment = i.generation.environment
	}
	if i.unit == nil {
		r.Generations = len(i.project.generations)
	}
	return r
}
