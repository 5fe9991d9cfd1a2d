package storage

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/pyenv"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
	"github.com/reconcile-ml/reconcile/internal/report"
)

// A project is a state directory in the store.
type project struct {
	state       string // absolute
	root        string // "" if it is not known
	status      report.ProjectStatus
	movedTo     string
	lastUse     time.Time
	generations []*generation
	rest        []*unit // everything but the generations
}

// A generation is one built environment.
type generation struct {
	*unit
	environment string
	seal        *pyenv.Seal // nil if it is incomplete
}

// lastUse returns when the project of a state directory last ran an apply or a program.
func lastUse(state string) time.Time {
	var newest time.Time
	for _, name := range []string{layout.ProjectFile(state), layout.Journal(state), layout.Runs(state), layout.Leases(state)} {
		if info, err := os.Lstat(name); err == nil && info.ModTime().After(newest) {
			newest = info.ModTime()
		}
	}
	if info, err := os.Lstat(state); err == nil && newest.IsZero() { // an incomplete copy
		newest = info.ModTime()
	}
	return newest
}

// searchTimeout is the time limit of the search for the folder of a project. A network file
// system without its server does not answer.
const searchTimeout = 5 * time.Second

// statusOf returns whether the folder of a project exists.
func statusOf(root string) report.ProjectStatus {
	if root == "" {
		return report.ProjectUnknown
	}
	answer := make(chan report.ProjectStatus, 1)
	go func() { answer <- search(root) }()
	select {
	case status := <-answer:
		return status
	case <-time.After(searchTimeout):
		return report.ProjectUnreachable
	}
}

func search(root string) report.ProjectStatus {
	info, err := os.Stat(root)
	switch {
	case err == nil && info.IsDir():
		return report.ProjectExists
	case err != nil && !rawfile.IsAbsent(err):
		return report.ProjectUnreachable
	}
	// The mount point of a disk that is not mounted is empty or missing.
	siblings, err := os.ReadDir(filepath.Dir(root))
	if err != nil || len(siblings) == 0 {
		return report.ProjectUnreachable
	}
	return report.ProjectGone
}

// exposes reports whether an environment of the project at root uses a generation in state.
func exposes(root, state string) bool {
	links := []string{filepath.Join(root, ".venv", layout.GenerationLink)}
	condas, _ := filepath.Glob(filepath.Join(escapeGlob(root), ".conda", "*", layout.GenerationLink))
	return slices.ContainsFunc(append(links, condas...), func(link string) bool {
		target, err := os.Readlink(link)
		return err == nil && strings.HasPrefix(filepath.Clean(target), state+"/")
	})
}

// escapeGlob returns the pattern that matches a path.
func escapeGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}

// findMoved marks the projects whose generations are used by another folder: that of
// another project, or current, "" for none.
func findMoved(projects []*project, current string) {
	roots := []string{current}
	for _, p := range projects {
		if p.status == report.ProjectExists {
			roots = append(roots, p.root)
		}
	}
	for _, p := range projects {
		if p.status != report.ProjectGone && p.status != report.ProjectUnreachable {
			continue
		}
		i := slices.IndexFunc(roots, func(root string) bool { return root != "" && exposes(root, p.state) })
		if i >= 0 {
			p.status, p.movedTo = report.ProjectMoved, roots[i]
		}
	}
}

// trees returns everything in the state directory.
func (p *project) trees() []*tree {
	var all []*tree
	for _, u := range p.rest {
		all = append(all, u.tree)
	}
	for _, g := range p.generations {
		all = append(all, g.tree)
	}
	return all
}

// kept returns the bytes of the contents of files that were replaced.
func (p *project) kept() (bytes int64) {
	for _, u := range p.rest {
		if name := filepath.Base(u.path); name == filepath.Base(layout.Kept(p.state)) || name == filepath.Base(layout.Replaced(p.state, "")) {
			exclusive, _ := sizes(u.tree)
			bytes += exclusive
		}
	}
	return bytes
}

// report returns the project as it is printed.
func (p *project) report() report.StoreProject {
	r := report.StoreProject{Name: filepath.Base(p.state), Path: p.root, Status: p.status, MovedTo: p.movedTo, LastUse: p.lastUse.UTC(), Kept: p.kept()}
	r.Exclusive, r.Shared = sizes(p.trees()...)
	for _, g := range p.generations {
		if g.seal == nil {
			r.Incomplete++
		} else {
			r.Generations++
		}
		if !slices.Contains(r.Environments, g.environment) {
			r.Environments = append(r.Environments, g.environment)
		}
	}
	return r
}
