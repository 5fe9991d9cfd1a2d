package apply

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
)

// place is the path of a step as an open directory and a path below it, so that no
// symlink leads out of that directory.
type place struct {
	root *os.Root
	rel  string // slash-separated, clean, without leading ..
}

func (p place) dir() string  { return path.Dir(p.rel) }
func (p place) base() string { return path.Base(p.rel) }

// abs returns the absolute path.
func (p place) abs() string { return filepath.Join(p.root.Name(), filepath.FromSlash(p.rel)) }

// temp returns an unused name in the same directory.
func (p place) temp() place { return place{p.root, path.Join(p.dir(), atomicfile.TempName())} }

// place resolves the path of a step. A path in the store or in the project is opened through
// that directory, another absolute path through its nearest existing parent. The last
// element is not followed.
func (e *engine) place(name string) (place, error) {
	clean := path.Clean(name)
	if name == "" || strings.ContainsRune(name, 0) {
		return place{}, fmt.Errorf("invalid path %q", name)
	}
	if rel, ok := below(e.o.Store, clean); ok {
		return place{e.store, rel}, nil
	}
	if rel, ok := below(e.o.Root, clean); ok {
		clean = rel
	}
	if path.IsAbs(clean) {
		return e.outsidePlace(clean)
	}
	if !filepath.IsLocal(filepath.FromSlash(clean)) {
		return place{}, fmt.Errorf("%q is outside the project", name)
	}
	return place{e.root, clean}, nil
}

// below returns the rest of an absolute path in a directory.
func below(dir, name string) (rel string, ok bool) {
	return strings.CutPrefix(name, strings.TrimSuffix(filepath.ToSlash(dir), "/")+"/")
}

// own resolves a path of package layout in the store.
func (e *engine) own(name string) place {
	rel, _ := below(e.o.Store, name)
	return place{e.store, rel}
}

func (e *engine) outsidePlace(name string) (place, error) {
	e.outside.Lock()
	defer e.outside.Unlock()
	dir := path.Dir(name)
	for e.roots[dir] == nil && dir != "/" {
		dir = path.Dir(dir)
	}
	if e.roots[dir] == nil {
		dir = existing(path.Dir(name))
		root, err := os.OpenRoot(dir)
		if err != nil {
			return place{}, err
		}
		e.roots[dir] = root
	}
	return place{e.roots[dir], strings.TrimPrefix(strings.TrimPrefix(name, dir), "/")}, nil
}

// placeWithParents resolves the path of a step and makes its missing parents.
func (e *engine) placeWithParents(name string) (place, error) {
	p, err := e.place(name)
	if err != nil {
		return p, err
	}
	return p, makeDurably(p.root, p.dir(), e.parentMode(p))
}

// isOurs reports whether a path is in the store, where existing files are replaced without
// comparing or keeping them.
func isOurs(p place, e *engine) bool { return p.root == e.store }

// parentMode returns the mode of missing parents of a path.
func (e *engine) parentMode(p place) fs.FileMode {
	if isOurs(p, e) {
		return 0o700
	}
	return 0o755
}

// makeDurably makes a directory and its missing parents and syncs their names.
func makeDurably(root *os.Root, name string, mode fs.FileMode) error {
	made, err := atomicfile.MakeAll(root, name, mode)
	if err != nil {
		return err
	}
	for _, m := range made {
		if err := syncDir(root, path.Dir(m)); err != nil {
			return err
		}
	}
	return nil
}

func syncDir(root *os.Root, name string) error {
	d, err := atomicfile.OpenDir(root, name)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
