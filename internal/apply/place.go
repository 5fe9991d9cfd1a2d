package apply

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/layout"
)

// place is a path of a step as an open directory and a path below it, so that no
// link leads out of that directory.
type place struct {
	root *os.Root
	rel  string // slash-separated, clean, never leading up
}

func (p place) dir() string  { return path.Dir(p.rel) }
func (p place) base() string { return path.Base(p.rel) }

// abs is the path as programs need it.
func (p place) abs() string { return filepath.Join(p.root.Name(), filepath.FromSlash(p.rel)) }

// sibling is another name in the same directory.
func (p place) sibling(name string) string { return path.Join(p.dir(), name) }

// place resolves the path of a step. What lies in the project is reached through
// the project; an absolute path through the nearest directory above it that is
// there. The last element itself is never followed.
func (e *engine) place(name string) (place, error) {
	clean := path.Clean(name)
	if name == "" || strings.ContainsRune(name, 0) {
		return place{}, fmt.Errorf("%q is no path", name)
	}
	if root := filepath.ToSlash(e.o.Root); path.IsAbs(clean) && strings.HasPrefix(clean, strings.TrimSuffix(root, "/")+"/") {
		clean = strings.TrimPrefix(clean[len(strings.TrimSuffix(root, "/")):], "/")
	}
	if path.IsAbs(clean) {
		return e.outsidePlace(clean)
	}
	if !filepath.IsLocal(filepath.FromSlash(clean)) {
		return place{}, fmt.Errorf("%q leads out of the project", name)
	}
	return place{e.root, clean}, nil
}

func (e *engine) outsidePlace(name string) (place, error) {
	e.outside.Lock()
	defer e.outside.Unlock()
	for dir := path.Dir(name); ; dir = path.Dir(dir) {
		if root := e.roots[dir]; root != nil {
			return place{root, below(dir, name)}, nil
		}
		if dir == "/" {
			break
		}
	}
	dir := existing(path.Dir(name))
	root, err := os.OpenRoot(dir)
	if err != nil {
		return place{}, err
	}
	e.roots[dir] = root
	return place{root, below(dir, name)}, nil
}

func below(dir, name string) string {
	return strings.TrimPrefix(strings.TrimPrefix(name, dir), "/")
}

// ours reports whether a path lies in what reconcile keeps for itself. There
// nothing is compared or kept before it is replaced.
func isOurs(p place, e *engine) bool {
	return p.root == e.root && (p.rel == layout.Dir || strings.HasPrefix(p.rel, layout.Dir+"/"))
}

// parentMode is the mode of directories that are made on the way to a path.
func (e *engine) parentMode(p place) fs.FileMode {
	if isOurs(p, e) {
		return 0o700
	}
	return 0o755
}

// makeParents makes the missing directories above a path, durably.
func (e *engine) makeParents(p place) error {
	return makeDurably(p.root, p.dir(), e.parentMode(p))
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
