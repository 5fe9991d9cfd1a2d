package storage

import (
	"errors"
	"io/fs"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// A fileID identifies a file on this machine, whatever its names.
type fileID struct{ dev, ino uint64 }

// A linked file has several names. found is how many of its names were found.
type linked struct{ names, found, bytes int64 }

// A tree is a measured file or directory. Sizes are those of its blocks on disk, in bytes;
// blocks that a file system shares between cloned files are counted for each.
type tree struct {
	path   string // absolute
	bytes  int64  // of directories and of files with one name
	linked map[fileID]linked
	newest time.Time // modification of any file or directory
	unread int       // directories and files that could not be read
}

// measure measures a file or directory, without following links. Files that disappear
// meanwhile are not counted.
func measure(path string) *tree {
	t := &tree{path: path, linked: map[fileID]linked{}}
	_ = filepath.WalkDir(path, func(name string, _ fs.DirEntry, err error) error {
		var st unix.Stat_t
		if err == nil {
			err = rawfile.Lstat(name, &st)
		}
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			t.unread++
		default:
			t.add(&st)
		}
		return nil
	})
	return t
}

func (t *tree) add(st *unix.Stat_t) {
	if at := time.Unix(st.Mtim.Unix()); at.After(t.newest) {
		t.newest = at
	}
	if st.Nlink <= 1 || st.Mode&unix.S_IFMT != unix.S_IFREG {
		t.bytes += st.Blocks * 512
		return
	}
	id := fileID{uint64(st.Dev), st.Ino}
	l := t.linked[id]
	t.linked[id] = linked{names: int64(st.Nlink), found: l.found + 1, bytes: st.Blocks * 512}
}

// A removal is a set of trees that are removed together.
type removal struct {
	found map[fileID]int64 // names in the trees
	bytes int64            // that are freed
}

// add adds a tree and returns how many bytes more are freed.
func (r *removal) add(t *tree) int64 {
	before := r.bytes
	r.bytes += t.bytes
	for id, l := range t.linked {
		if r.found == nil {
			r.found = map[fileID]int64{}
		}
		if r.found[id] += l.found; r.found[id] >= l.names {
			r.bytes += l.bytes
		}
	}
	return r.bytes - before
}

// isLinked reports whether a file of the tree has a name that is neither in it nor removed.
func (t *tree) isLinked(removed *removal) bool {
	for id, l := range t.linked {
		if l.found+removed.found[id] < l.names {
			return true
		}
	}
	return false
}

// sizes returns the bytes that removing trees together would free, and those of their files
// that have names elsewhere.
func sizes(trees ...*tree) (exclusive, shared int64) {
	var r removal
	files := map[fileID]int64{}
	total := int64(0)
	for _, t := range trees {
		r.add(t)
		total += t.bytes
		for id, l := range t.linked {
			files[id] = l.bytes
		}
	}
	for _, bytes := range files {
		total += bytes
	}
	return r.bytes, total - r.bytes
}
