package hub

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// list reads one folder of the snapshot.
func (s *snapshot) list(dir, prefix string, depth int) error {
	entries, err := os.ReadDir(dir)
	if prefix == "" && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR)) {
		return nil
	}
	if err != nil {
		return err
	}
	s.exists = true
	for _, e := range entries {
		name := prefix + e.Name()
		if e.IsDir() {
			if depth == maxDepth {
				return fmt.Errorf("%s: folders more than %d deep", dir, maxDepth)
			}
			if err := s.list(filepath.Join(dir, e.Name()), name+"/", depth+1); err != nil {
				return err
			}
			continue
		}
		if len(s.files) == maxFiles {
			return fmt.Errorf("%s: more than %d files", dir, maxFiles)
		}
		s.add(filepath.Join(dir, e.Name()), name, e.Type())
	}
	return nil
}

// add looks at one entry of the snapshot. What is wrong with an excluded one is nobody's
// concern.
func (s *snapshot) add(full, name string, mode fs.FileMode) {
	f := file{name: name, path: full}
	before := len(s.faults)
	if mode&fs.ModeSymlink != 0 {
		s.follow(&f)
	}
	if len(s.faults) == before {
		s.stat(&f)
	}
	f.broken = len(s.faults) > before
	if s.pin.excluded(name) {
		s.faults = s.faults[:before]
		s.excluded += f.id.size
		return
	}
	s.files = append(s.files, f)
}

// follow finds the blob that a link leads to.
func (s *snapshot) follow(f *file) {
	target, err := os.Readlink(f.path)
	if err != nil {
		s.fault("unreadable", f.name, "", reason(err))
		return
	}
	to := target
	if !filepath.IsAbs(to) {
		to = filepath.Join(filepath.Dir(f.path), to)
	}
	dir, blob := filepath.Split(filepath.Clean(to))
	if !s.isBlobs(dir) {
		s.fault("outside", f.name, "", "to "+clip(target))
		return
	}
	f.blob, f.path = blob, filepath.Join(s.repo, "blobs", blob)
	f.want = blobDigest(blob)
}

// isBlobs reports whether a folder is that of the model's contents, by its name or, for
// an absolute link in a cache that was reached through another, by what it is.
func (s *snapshot) isBlobs(dir string) bool {
	blobs := filepath.Join(s.repo, "blobs")
	if filepath.Clean(dir) == blobs {
		return true
	}
	a, err := os.Lstat(filepath.Clean(dir))
	b, err2 := os.Lstat(blobs)
	return err == nil && err2 == nil && os.SameFile(a, b)
}

// stat looks at the content of a file.
func (s *snapshot) stat(f *file) {
	var st unix.Stat_t
	err := unix.Lstat(f.path, &st)
	switch {
	case errors.Is(err, unix.ENOENT):
		s.fault("dangling", f.name, f.blob, "")
	case err != nil:
		s.fault("unreadable", f.name, f.blob, reason(err))
	case st.Mode&unix.S_IFMT == unix.S_IFLNK:
		s.fault("outside", f.name, f.blob, "its blob is a link")
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		s.fault("odd", f.name, f.blob, "")
	default:
		f.id = fileIDOf(&st)
	}
}
