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
)

// inspect looks at every claimed file of the index and at every entry of the
// given directories, and returns what is wrong with them. check is called for
// each file that has the right type and size, and returns whether it is sound.
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
		sound, err := check(w, c)
		if !sound {
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
			d.Path = highestGone(genDir, d.Path, absent)
		}
		damage = append(damage, d)
	}
	foreign, err := x.foreign(ctx, genDir, dirs)
	return collapse(append(damage, foreign...)), err
}

// compare looks at one file and returns "missing", "changed" or "".
func (c *claim) compare(genDir string) (string, error) {
	var st unix.Stat_t
	err := lstat(genDir+"/"+c.Path, &st)
	if gone(err) {
		return "missing", nil
	}
	if err != nil {
		return "", err
	}
	if c.target != "" {
		target, err := os.Readlink(genDir + "/" + c.Path)
		if err != nil || target != c.target {
			return "changed", nil
		}
		return "", nil
	}
	if c.link {
		if st.Mode&unix.S_IFMT != unix.S_IFLNK {
			return "changed", nil
		}
		return "", nil
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || c.Size >= 0 && st.Size != c.Size {
		return "changed", nil
	}
	return "", nil
}

// foreign lists the entries of directories that nothing accounts for. A whole
// directory of strangers is one of them.
func (x *index) foreign(ctx context.Context, genDir string, dirs []string) ([]facts.Damage, error) {
	found := make([][]facts.Damage, len(dirs))
	err := each(len(dirs), func(_, i int) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		entries, err := os.ReadDir(filepath.Join(genDir, dirs[i]))
		if gone(err) {
			return nil // its files are missing one by one
		}
		if err != nil {
			return err
		}
		for _, e := range entries {
			rel := path.Join(dirs[i], e.Name())
			if x.accounts(rel, e.IsDir()) {
				continue
			}
			if e.IsDir() {
				holds, err := holdsFiles(filepath.Join(genDir, rel))
				if err != nil {
					return err
				}
				if !holds {
					continue // wheels may carry empty directories, which no RECORD can list
				}
			}
			found[i] = append(found[i], facts.Damage{What: "foreign", Path: rel})
		}
		return nil
	})
	return slices.Concat(found...), err
}

// holdsFiles reports whether there is anything but directories and bytecode
// below a directory.
func holdsFiles(dir string) (bool, error) {
	holds := false
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
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

// knownDirs lists the directories of a generation on disk that hold what the
// index knows, or belong to every environment. Below a foreign directory nothing
// is looked at.
func (x *index) knownDirs(genDir string) ([]string, error) {
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
		if rel != "." && (d.Name() == "__pycache__" || !x.accounts(rel, true)) {
			return fs.SkipDir
		}
		dirs = append(dirs, rel)
		return nil
	})
	return dirs, err
}

// highestGone returns the highest directory above a missing file that is missing
// as well, or the file itself, so that a lost directory is one line. known keeps
// what was found of directories.
func highestGone(genDir, rel string, known map[string]bool) string {
	for dir := path.Dir(rel); dir != "."; dir = path.Dir(dir) {
		absent, asked := known[dir]
		if !asked {
			var st unix.Stat_t
			absent = gone(lstat(genDir+"/"+dir, &st))
			known[dir] = absent
		}
		if !absent {
			break
		}
		rel = dir
	}
	return rel
}

// collapse sorts damage and drops what is said twice.
func collapse(damage []facts.Damage) []facts.Damage {
	slices.SortFunc(damage, func(a, b facts.Damage) int {
		return cmp.Or(strings.Compare(a.Path, b.Path), strings.Compare(a.Dist, b.Dist), strings.Compare(a.Conda, b.Conda), strings.Compare(a.What, b.What))
	})
	return slices.Compact(damage)
}
