package session

import (
	"os"

	"github.com/reconcile-ml/reconcile/internal/apply"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/store"
	"github.com/reconcile-ml/reconcile/internal/userconfig"
)

// Store returns the store of the user for the project at root, "" for none. It need not
// exist.
func (c *Config) Store(root string) (store.Location, error) {
	user, err := userconfig.Load(c.Home(), c.Getenv)
	if err != nil {
		return store.Location{}, err
	}
	l, err := store.Locate(c.Getenv, c.Home(), user.Store, userconfig.File(c.Home(), c.Getenv))
	if err != nil {
		return l, err
	}
	return l, l.Check(root)
}

// Prepare makes the store and the project's state directory in it, and returns where they
// are. Only a run that changes something needs them.
func (p *Project) Prepare() (facts.Project, error) {
	local, err := p.Local()
	if err != nil {
		return local, err
	}
	return local, apply.Explain(store.Prepare(local.Store, local.State, p.Root), p.Root)
}

// formerNote returns a note if the project has the directory of an earlier version.
func (p *Project) formerNote() string {
	if info, err := os.Lstat(p.Path(layout.FormerDir)); err != nil || !info.IsDir() {
		return ""
	}
	return layout.FormerDir + " is from an earlier version and is not used; delete it with `rm -rf " + layout.FormerDir + "` when no program runs from it"
}

// ListNames returns the names in a directory, none if it cannot be read.
func ListNames(dir string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	list := make([]string, len(entries))
	for i, e := range entries {
		list[i] = e.Name()
	}
	return list
}
