package pyenv

import (
	"cmp"
	"context"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// inspect compares every claimed file of the index and every entry of dirs with the disk
// and returns the differences. If check is not nil, it is called for each file of the
// right type and size, and reports whether its content is intact.
func (x *index) inspect(ctx context.Context, genDir string, dirs []string, check func(worker int, c *claim) (bool, error)) ([]facts.Damage, error) {
	claims := slices.Collect(maps.Values(x.claims))
	slices.SortFunc(claims, func(a, b claim) int { return strings.Compare(a.Path, b.Path) })
	what := make([]string, len(claims))
	err := each(len(claims), func(w, i int) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		c := &claims[i]
		var err error
		if what[i], err = c.compare(genDir); err != nil || what[i] != "" || check == nil || c.target != "" || c.link {
			return err
		}
		intact, err := check(w, c)
		if !intact {
			what[i] = "changed"
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	damage := slices.Clone(x.damage)
	absent := map[string]bool{}
	for i, w := range what {
		if w == "" {
			continue
		}
		d := facts.Damage{What: w, Path: claims[i].Path, Dist: claims[i].dist, Conda: claims[i].conda}
		if w == "missing" {
			d.Path = highestAbsent(genDir, d.Path, absent)
		}
		damage = append(damage, d)
	}
	foreign, err := x.foreign(ctx, genDir, dirs)
	return sorted(append(damage, foreign...)), err
}

// compare compares the type, size and target of a file and returns "missing", "changed"
// or "".
func (c *claim) compare(genDir string) (string, error) {
	name := genDir + "/" + c.Path
	var st unix.Stat_t
	if err := rawfile.Lstat(name, &st); err != nil {
		return "missing", ignoreAbsent(err)
	}
	mode, same := st.Mode&unix.S_IFMT, false
	switch {
	case c.target != "":
		target, err := os.Readlink(name)
		same = err == nil && target == c.target
	case c.link:
		same = mode == unix.S_IFLNK
	default:
		same = mode == unix.S_IFREG && (c.Size < 0 || st.Size == c.Size)
	}
	if !same {
		return "changed", nil
	}
	return "", nil
}

// foreign lists the entries of directories that are not recorded. A foreign directory is
// listed once.
func (x *index) foreign(ctx context.Context, genDir string, dirs []string) ([]facts.Damage, error) {
	found := make([][]facts.Damage, len(dirs))
	err := each(len(dirs), func(_, i int) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		entries, err := os.ReadDir(filepath.Join(genDir, dirs[i]))
		if err != nil {
			return ignoreAbsent(err) // its files are reported as missing
		}
		for _, e := range entries {
			rel := path.Join(dirs[i], e.Name())
			if x.isKnown(rel, e.IsDir()) {
				continue
			}
			if e.IsDir() { // wheels may contain empty directories, which no RECORD lists
				holds, err := holdsFiles(filepath.Join(genDir, rel))
				if err != nil {
					return err
				}
				if !holds {
					continue
				}
			}
			found[i] = append(found[i], facts.Damage{What: "foreign", Path: rel})
		}
		return nil
	})
	return slices.Concat(found...), err
}

// holdsFiles reports whether a directory tree contains anything but directories and
// bytecode.
func holdsFiles(dir string) (bool, error) {
	holds := false
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == "__pycache__":
			return fs.SkipDir
		case d.IsDir():
			return nil
		}
		holds = true
		return fs.SkipAll
	})
	return holds, err
}

// knownDirs lists the existing directories of a generation that hold indexed files or
// belong to every environment. Foreign directories are skipped.
func (x *index) knownDirs(genDir string) ([]string, error) {
	return walkDirs(genDir, func(rel string) bool { return rel == "." || x.isKnown(rel, true) })
}

// walkDirs lists the directories below genDir and itself, parents first, without
// __pycache__ and those below a directory for which enter is false.
func walkDirs(genDir string, enter func(rel string) bool) ([]string, error) {
	var dirs []string
	err := filepath.WalkDir(genDir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(genDir, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.Name() == "__pycache__" || !enter(rel) {
			return fs.SkipDir
		}
		dirs = append(dirs, rel)
		return nil
	})
	return dirs, err
}

// highestAbsent returns the highest directory above a missing file that is missing too, or
// the file itself. known caches the results.
func highestAbsent(genDir, rel string, known map[string]bool) string {
	for dir := path.Dir(rel); dir != "."; dir = path.Dir(dir) {
		absent, ok := known[dir]
		if !ok {
			var st unix.Stat_t
			absent = rawfile.IsAbsent(rawfile.Lstat(genDir+"/"+dir, &st))
			known[dir] = absent
		}
		if !absent {
			break
		}
		rel = dir
	}
	return rel
}

// sorted sorts damage and removes duplicates.
func sorted(damage []facts.Damage) []facts.Damage {
	slices.SortFunc(damage, func(a, b facts.Damage) int {
		return cmp.Or(strings.Compare(a.Path, b.Path), strings.Compare(a.Dist, b.Dist), strings.Compare(a.Conda, b.Conda), strings.Compare(a.What, b.What))
	})
	return slices.Compact(damage)
}
