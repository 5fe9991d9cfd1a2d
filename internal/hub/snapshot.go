package hub

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/pkg/facts"
)

const (
	// maxFiles bounds the files of a snapshot, maxDepth its folders.
	maxFiles = 100_000
	maxDepth = 16
)

// A snapshot is one revision of a model as it lies in a cache.
type snapshot struct {
	pin      Pin
	repo     string // folder of the model, absolute
	there    bool   // there is a folder of the revision
	files    []file // by name, without the excluded ones
	excluded int64  // bytes of those

	tree       map[string]treeFile // the files of the revision, nil if not known
	unfinished []facts.ModelUnfinished
	others     []string
	weights    weights
	faults     []facts.ModelFault
}

// A file is one of a snapshot. The zero stamp stands for one that is not there.
type file struct {
	name   string
	blob   string // name of the content in blobs, "" for a real file
	path   string // of the content, absolute
	stamp  stamp
	want   Digest // zero if nothing says
	broken bool   // has a fault already
}

// read looks at a snapshot without opening a large file, but for the headers of
// safetensors. An error is what keeps from looking.
func read(cache string, pin Pin) (*snapshot, error) {
	s := &snapshot{pin: pin, repo: filepath.Join(cache, Folder(pin.Repo))}
	dir := filepath.Join(s.repo, "snapshots", pin.Revision)
	if err := s.inside(dir); err != nil || len(s.faults) > 0 {
		return s, err
	}
	if err := s.readOthers(); err != nil {
		return nil, err
	}
	if err := s.readUnfinished(); err != nil {
		return nil, err
	}
	if err := s.list(dir, "", 0); err != nil {
		return nil, err
	}
	if !s.there {
		return s, nil
	}
	slices.SortFunc(s.files, func(a, b file) int { return strings.Compare(a.name, b.name) })
	if b, err := s.small(filepath.Join(s.repo, "trees", pin.Revision+".json")); err == nil {
		s.tree = parseTree(b)
	}
	s.compareTree()
	s.checkWeights()
	s.judgeUnfinished()
	return s, nil
}

// inside reports a folder of the model that is a link to another place: hub makes none,
// and what is read through one is not this model's.
func (s *snapshot) inside(dir string) error {
	for _, place := range []string{filepath.Join(s.repo, "blobs"), filepath.Join(s.repo, "snapshots"), dir} {
		info, err := os.Lstat(place)
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENOTDIR):
		case err != nil:
			return err
		case !info.IsDir():
			s.there = true
			s.fault("outside", strings.TrimPrefix(place, s.repo+"/"), "", "not a directory of the cache")
		}
	}
	return nil
}

func (s *snapshot) fault(what, name, blob, detail string) {
	s.faults = append(s.faults, facts.ModelFault{What: what, File: name, Blob: blob, Detail: detail})
}

// readOthers lists the other revisions that have a snapshot.
func (s *snapshot) readOthers() error {
	entries, err := readDir(filepath.Join(s.repo, "snapshots"))
	for _, e := range entries {
		if e.IsDir() && isHex(e.Name(), 40) && e.Name() != s.pin.Revision {
			s.others = append(s.others, e.Name())
		}
	}
	return err
}

// readUnfinished lists the downloads that did not end.
func (s *snapshot) readUnfinished() error {
	blobs := filepath.Join(s.repo, "blobs")
	entries, err := readDir(blobs)
	for _, e := range entries {
		digest, ok := unfinished(e.Name())
		if !ok {
			continue
		}
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue // ended just now
		}
		_, err = os.Lstat(filepath.Join(blobs, digest))
		s.unfinished = append(s.unfinished, facts.ModelUnfinished{Name: e.Name(), Size: info.Size(), Leftover: err == nil})
	}
	return err
}

// unfinished returns the blob that a download was for, by either form of name.
func unfinished(name string) (blob string, ok bool) {
	blob, ok = strings.CutSuffix(name, ".incomplete")
	if front, random, cut := strings.Cut(blob, "."); cut && isHex(random, 8) {
		blob = front
	}
	return blob, ok && blobDigest(blob) != (Digest{})
}

// Snapshots returns a pin for every snapshot in a cache, by repository and revision. A
// cache that is not there has none.
func Snapshots(cache string) ([]Pin, error) {
	folders, err := readDir(cache)
	if err != nil {
		return nil, err
	}
	var pins []Pin
	for _, folder := range folders {
		repo, ok := Repo(folder.Name())
		if !ok {
			continue
		}
		revisions, err := readDir(filepath.Join(cache, folder.Name(), "snapshots"))
		if err != nil {
			return nil, err
		}
		for _, revision := range revisions {
			if isHex(revision.Name(), 40) {
				pins = append(pins, Pin{Repo: repo, Revision: revision.Name(), Any: true})
			}
		}
	}
	return pins, nil
}

// list reads one folder of the snapshot.
func (s *snapshot) list(dir, prefix string, depth int) error {
	entries, err := os.ReadDir(dir)
	if prefix == "" && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR)) {
		return nil
	}
	if err != nil {
		return err
	}
	s.there = true
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
		s.excluded += f.stamp.size
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
		f.stamp = stampOf(&st)
	}
}

// compareTree compares the snapshot with the list of the revision's files.
func (s *snapshot) compareTree() {
	if s.tree == nil {
		return
	}
	for i := range s.files {
		f := &s.files[i]
		listed, ok := s.tree[f.name]
		if !ok || f.broken {
			continue
		}
		switch want := listed.digest(); {
		case f.blob != "" && f.blob != want.Hex:
			s.fault("blob", f.name, f.blob, want.Hex+" by the list of the revision")
			f.broken = true
		case f.stamp.size != listed.bytes():
			s.fault("size", f.name, f.blob, fmt.Sprintf("%d bytes, %d by the list of the revision", f.stamp.size, listed.bytes()))
			f.broken = true
		default:
			f.want = want
		}
	}
	for _, name := range s.needed() {
		if s.find(name) == nil {
			s.fault("missing", name, s.tree[name].digest().Hex, "")
		}
	}
}

// listed reports whether the list of the revision says what must be there.
func (s *snapshot) listed() bool { return s.tree != nil && !s.pin.Any }

// needed lists the files of the revision that must be there, sorted.
func (s *snapshot) needed() []string {
	if !s.listed() {
		return nil
	}
	var names []string
	for name := range s.tree {
		if !s.pin.excluded(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// find returns a file of the snapshot, nil if it is not there.
func (s *snapshot) find(name string) *file {
	i, ok := slices.BinarySearchFunc(s.files, name, func(f file, name string) int { return strings.Compare(f.name, name) })
	if !ok {
		return nil
	}
	return &s.files[i]
}

// judgeUnfinished takes downloads that did not end for a lack, unless the list of the
// revision says what lacks.
func (s *snapshot) judgeUnfinished() {
	if s.listed() {
		return
	}
	for _, u := range s.unfinished {
		if !u.Leftover {
			s.fault("unfinished", "", u.Name, "")
		}
	}
}

// small reads a file of JSON that is kept in memory.
func (s *snapshot) small(name string) ([]byte, error) {
	f, st, err := open(name)
	if err != nil {
		return nil, err
	}
	defer f.close()
	if st.size > indexLimit {
		return nil, &shapeError{"index", fmt.Sprintf("%d bytes, more than %d", st.size, indexLimit)}
	}
	return io.ReadAll(io.LimitReader(f, indexLimit))
}

// readDir lists a folder; one that is not there is empty.
func readDir(dir string) ([]fs.DirEntry, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return nil, nil
	}
	if len(entries) > maxFiles {
		return nil, fmt.Errorf("%s: more than %d entries", dir, maxFiles)
	}
	return entries, err
}

// reason is an error without the path, which the fault names already.
func reason(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}

// in returns the name of a file beside another of the snapshot.
func in(beside, name string) string { return path.Join(path.Dir(beside), name) }
