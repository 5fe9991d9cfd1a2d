package scan

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/hub"
)

// A folder is one that projects of this sort have, and what it is for. data says that
// its size is that of data: another machine needs the room too.
type folder struct {
	path    string
	purpose string
	data    bool
}

// folders are the names that are looked for. What is not here is the project's own,
// and belongs into the manifest only if somebody wants it on every machine.
var folders = []folder{
	{"data", "data", true},
	{"data/raw", "original downloads", true},
	{"data/external", "data of others", true},
	{"data/interim", "data on its way", true},
	{"data/processed", "cleaned data", true},
	{"data/synthetic", "generated data", true},
	{"datasets", "data sets", true},
	{"models", "base models", true},
	{"adapters", "LoRA weights", true},
	{"checkpoints", "training checkpoints", true},
	{"outputs", "what training writes", true},
	{"results", "results", true},
	{"runs", "records of training runs", true},
	{"logs", "logs", true},
	{"notebooks", "notebooks", false},
	{"scripts", "scripts", false},
	{"configs", "configuration", false},
	{"config", "configuration", false},
}

// A tree is what a walk through the folder found.
type tree struct {
	found  []folder
	sizes  map[string]int64 // bytes of a folder with all below it
	links  []string         // names of folders that are links, and are not followed
	caches []cache
	cut    string // why the walk ended early, "" if it did not
}

// A cache is a model in a folder that Hugging Face's programs keep.
type cache struct {
	dir     string // that holds models--OWNER--NAME
	repo    string // "OWNER/NAME"
	commits []string
	main    string // the commit that refs/main names, "" if it is not there
	size    int64
}

// Limits of the walk: entries, and levels of folders below the project's.
const (
	maxWalk  = 300_000
	maxDepth = 12
)

// walker is one walk.
type walker struct {
	ctx  context.Context
	fsys fs.FS
	skip []string
	seen int
	tree tree
}

var errEnough = errors.New("enough")

// walk measures the known folders and finds models, in all of the folder but skip.
func walk(ctx context.Context, fsys fs.FS, skip []string) tree {
	w := &walker{ctx: ctx, fsys: fsys, skip: skip, tree: tree{sizes: map[string]int64{}}}
	for _, f := range folders {
		info, err := fs.Lstat(fsys, f.path)
		switch {
		case err != nil:
		case info.IsDir():
			w.tree.found = append(w.tree.found, f)
		case info.Mode()&fs.ModeSymlink != 0:
			w.tree.links = append(w.tree.links, f.path)
		}
	}
	_, err := w.dir(".", 0)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		w.tree.cut = "the time was up"
	default:
		w.tree.cut = fmt.Sprintf("%d entries are enough", maxWalk)
	}
	return w.tree
}

// dir walks a folder, and returns the bytes of its files. What cannot be read has none.
func (w *walker) dir(name string, depth int) (size int64, err error) {
	defer func() { w.tree.sizes[name] = size }()
	if depth > maxDepth {
		return 0, nil
	}
	f, err := w.fsys.Open(name)
	if err != nil {
		return 0, nil
	}
	defer f.Close()
	d, ok := f.(fs.ReadDirFile)
	for ok {
		entries, err := d.ReadDir(1000)
		for _, e := range entries {
			if w.seen++; w.seen > maxWalk || w.ctx.Err() != nil {
				return size, errEnough
			}
			n, err := w.entry(path.Join(name, e.Name()), e, depth)
			if size += n; err != nil {
				return size, err
			}
		}
		if err != nil {
			break // the end, or what cannot be read
		}
	}
	return size, nil
}

func (w *walker) entry(name string, e fs.DirEntry, depth int) (int64, error) {
	switch {
	case e.Type().IsRegular():
		if info, err := e.Info(); err == nil {
			return max(info.Size(), 0), nil
		}
		return 0, nil
	case !e.IsDir() || slices.Contains(w.skip, name):
		return 0, nil
	}
	c, isModel := w.cache(name)
	size, err := w.dir(name, depth+1)
	if isModel && len(w.tree.caches) < maxModels {
		c.size = size
		w.tree.caches = append(w.tree.caches, c)
	}
	if !slices.ContainsFunc(folders, func(f folder) bool { return f.path == name }) {
		delete(w.tree.sizes, name) // a walk remembers what it is asked for
	}
	return size, err
}

// maxModels is how many models a scan takes over.
const maxModels = 100

// cache reads what the folder of a model says of it: models--OWNER--NAME with refs and
// snapshots.
func (w *walker) cache(name string) (cache, bool) {
	repo, ok := hub.Repo(path.Base(name))
	if !ok {
		return cache{}, false
	}
	entries, err := fs.ReadDir(w.fsys, path.Join(name, "snapshots"))
	if err != nil || len(entries) > maxEntries {
		return cache{}, false
	}
	c := cache{dir: path.Dir(name), repo: repo}
	for _, e := range entries {
		if e.IsDir() && hub.IsCommit(e.Name()) {
			c.commits = append(c.commits, e.Name())
		}
	}
	if ref, err := fs.Lstat(w.fsys, path.Join(name, "refs/main")); err == nil && ref.Mode().IsRegular() && ref.Size() < 100 {
		b, _ := fs.ReadFile(w.fsys, path.Join(name, "refs/main"))
		if commit := strings.TrimSpace(string(b)); slices.Contains(c.commits, commit) {
			c.main = commit
		}
	}
	return c, true
}

// commit is the one that the manifest should name, and the doubt where it is not sure.
func (c *cache) commit() (commit, doubt string) {
	switch {
	case !isRepo(c.repo):
		return "", "its name is not OWNER/NAME"
	case c.main != "":
		return c.main, ""
	case len(c.commits) == 1:
		return c.commits[0], ""
	case len(c.commits) == 0:
		return "", "no revision of it is whole"
	}
	return c.commits[0], fmt.Sprintf("%d revisions of it are there, and none is named main", len(c.commits))
}

// isRepo reports whether a manifest takes the name of a model.
func isRepo(repo string) bool {
	owner, name, ok := strings.Cut(repo, "/")
	for _, part := range []string{owner, name} {
		if part == "" || strings.IndexByte("._-", part[0]) >= 0 || strings.Contains(part, "..") {
			return false
		}
		for _, r := range part {
			if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("._-", r) {
				return false
			}
		}
	}
	return ok && len(repo) <= 100
}

// skipped are the folders that the walk leaves out: they are measured elsewhere, or
// belong to a tool.
func (s *scanner) skipped() []string {
	skip := []string{".git", ".reconcile", "node_modules", "__pycache__"}
	for i := range s.in.Installed {
		skip = append(skip, s.in.Installed[i].Path)
	}
	return skip
}
