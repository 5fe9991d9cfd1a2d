package hub

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// list adds the files of one folder of the snapshot, recursively.
func (s *snapshot) list(dir, prefix string, depth int) error {
	entries, err := os.ReadDir(dir)
	if prefix == "" && rawfile.IsAbsent(err) {
		return nil
	}
	if err != nil {
		return err
	}
	s.exists = true
	for _, e := range entries {
		path, name := filepath.Join(dir, e.Name()), prefix+e.Name()
		switch {
		case !e.IsDir() && len(s.files) == maxFiles:
			return fmt.Errorf("%s: more than %d files", dir, maxFiles)
		case !e.IsDir():
			s.add(path, name, e.Type())
		case depth == maxDepth:
			return fmt.Errorf("%s: folders more than %d deep", dir, maxDepth)
		default:
			if err := s.list(path, name+"/", depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// add adds one entry of the snapshot. Faults of an excluded one are ignored.
func (s *snapshot) add(path, name string, mode fs.FileMode) {
	f := file{name: name, path: path}
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

// follow sets the blob that a link leads to.
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
	if !s.isBlobs(filepath.Clean(dir)) {
		s.fault("outside", f.name, "", "to "+clip(target))
		return
	}
	f.blob, f.path = blob, filepath.Join(s.repo, "blobs", blob)
	f.want = blobDigest(blob)
}

// isBlobs reports whether dir is the blobs folder of the model: by its name or, for an
// absolute link in a cache that has several paths, by its inode.
func (s *snapshot) isBlobs(dir string) bool {
	blobs := filepath.Join(s.repo, "blobs")
	if dir == blobs {
		return true
	}
	a, err := os.Lstat(dir)
	b, err2 := os.Lstat(blobs)
	return err == nil && err2 == nil && os.SameFile(a, b)
}

// stat sets the ID of a file.
func (s *snapshot) stat(f *file) {
	var st unix.Stat_t
	err := rawfile.Lstat(f.path, &st)
	switch {
	case rawfile.IsAbsent(err):
		s.fault("dangling", f.name, f.blob, "")
	case err != nil:
		s.fault("unreadable", f.name, f.blob, reason(err))
	case st.Mode&unix.S_IFMT == unix.S_IFLNK && f.path == filepath.Join(s.repo, "blobs", f.blob) && s.shared(f.path) != "":
		f.path = s.shared(f.path)
		s.stat(f)
	case st.Mode&unix.S_IFMT == unix.S_IFLNK:
		s.fault("outside", f.name, f.blob, "its blob is a link")
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		s.fault("odd", f.name, f.blob, "")
	default:
		f.id = fileIDOf(&st)
	}
}

// shared returns the file in the store of the cache that a blob is a link to, "" for a link to
// another place. huggingface_hub 1.32 and later keep files there once that several models have.
func (s *snapshot) shared(blob string) string {
	target, err := os.Readlink(blob)
	if err != nil {
		return ""
	}
	if !filepath.IsAbs(target) {
		target = filepath.Join(filepath.Dir(blob), target)
	}
	target = filepath.Clean(target)
	dir, name := filepath.Split(target)
	store := filepath.Join(filepath.Dir(s.repo), "blobs")
	if !isHex(name, 64) || filepath.Clean(dir) != filepath.Join(store, name[:2]) {
		return ""
	}
	for _, d := range []string{store, filepath.Clean(dir)} {
		if info, err := os.Lstat(d); err != nil || !info.IsDir() {
			return ""
		}
	}
	return target
}
