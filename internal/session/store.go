package session

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/apply"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/pep"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
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
	return c.storeOf(user, root)
}

// storeOf is Store for the user's settings.
func (c *Config) storeOf(user *userconfig.Config, root string) (store.Location, error) {
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
	return local, apply.Explain(store.Prepare(local.Store, local.State, p.Root), local.Store)
}

// OldSettingsNote returns a note if the project at root has the file of earlier versions for
// the settings that are now in the user's config.yaml; "" if not.
func (c *Config) OldSettingsNote(root string) string {
	const old = layout.FormerDir + "/local.yaml"
	file := userconfig.File(c.Home(), c.Getenv)
	if _, err := os.Lstat(filepath.Join(root, old)); err != nil || file == "" {
		return ""
	}
	return old + " is no longer read, because it can come with a clone: move your settings to " + file
}

// formerNote returns a note if the project has the directory of earlier versions; "" if not.
func (p *Project) formerNote() string {
	if note := p.Config.OldSettingsNote(p.Root); note != "" {
		return note
	}
	if !p.HasFormerDir() {
		return ""
	}
	return layout.FormerDir + " is from an earlier version and is not used; delete it with `rm -rf " + layout.FormerDir + "` when no program runs from it"
}

// HasFormerDir reports whether the project has the directory in which earlier versions kept
// environments.
func (p *Project) HasFormerDir() bool {
	info, err := os.Lstat(p.Path(layout.FormerDir))
	return err == nil && info.IsDir()
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

// maxMetadata is the maximum size of a METADATA file in bytes.
const maxMetadata = 4 << 20

// StoredMetadata returns the METADATA of a locked package of which a wheel is in the store, nil for
// others.
func (p *Project) StoredMetadata(l lock.Package) []byte {
	local, err := p.Local()
	if err != nil {
		return nil
	}
	for _, w := range l.Wheels {
		found, _ := filepath.Glob(filepath.Join(layout.DistFiles(layout.Dist(local.Store, w.SHA256.String())), "*.dist-info", "METADATA"))
		for _, file := range found {
			text, err := rawfile.ReadFile(file, maxMetadata, rawfile.NoFollow)
			if project, _, _ := strings.Cut(filepath.Base(filepath.Dir(file)), "-"); err == nil && pep.Normalize(project) == l.Name {
				return text
			}
		}
	}
	return nil
}
