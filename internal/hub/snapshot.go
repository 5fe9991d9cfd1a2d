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

	"github.com/reconcile-ml/reconcile/internal/facts"
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
	exists   bool   // there is a folder of the revision
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
	id     fileID
	want   Digest // zero if nothing says
	broken bool   // has a fault already
}

// read looks at a snapshot without opening a large file, but for the headers of
// safetensors. An error is what keeps from looking.
func read(cache string, pin Pin) (*snapshot, error) {
	s := &snapshot{pin: pin, repo: filepath.Join(cache, Folder(pin.Repo))}
	dir := filepath.Join(s.repo, "snapshots", pin.Revision)
	if err := s.checkDirs(dir); err != nil || len(s.faults) > 0 {
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
	if !s.exists {
		return s, nil
	}
	slices.SortFunc(s.files, func(a, b file) int { return strings.Compare(a.name, b.name) })
	if b, err := s.readSmall(filepath.Join(s.repo, "trees", pin.Revision+".json")); err == nil {
		s.tree = parseTree(b)
	}
	s.compareTree()
	s.checkWeights()
	s.checkUnfinished()
	return s, nil
}

// inside reports a folder of the model that is a link to another place: hub makes none,
// and what is read through one is not this model's.
func (s *snapshot) checkDirs(dir string) error {
	for _, place := range []string{filepath.Join(s.repo, "blobs"), filepath.Join(s.repo, "snapshots"), dir} {
		info, err := os.Lstat(place)
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENOTDIR):
		case err != nil:
			return err
		case !info.IsDir():
			s.exists = true
			s.fault("outside", strings.TrimPrefix(place, s.repo+"/"), "", "not a directory of the cache")
		}
	}
	return nil
}

func (s *snapshot) fault(what, name, blob, detail string) {
	s.faults = append(s.faults, facts.ModelFault{What: what, File: name, Blob: blob, Detail: detail})
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
func (s *snapshot) checkUnfinished() {
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
func (s *snapshot) readSmall(name string) ([]byte, error) {
	f, st, err := open(name)
	if err != nil {
		return nil, err
	}
	defer f.close()
	if st.size > indexLimit {
		return nil, &formatError{"index", fmt.Sprintf("%d bytes, more than %d", st.size, indexLimit)}
	}
	return io.ReadAll(io.LimitReader(f, indexLimit))
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
