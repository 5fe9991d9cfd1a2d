package hub

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

const (
	maxFiles = 100_000 // in a snapshot
	maxDepth = 16      // of its folders
)

// A snapshot is one revision of a model in a cache.
type snapshot struct {
	pin      Pin
	repo     string // folder of the model, absolute
	exists   bool   // the folder of the revision exists
	files    []file // sorted by name, without the excluded ones
	excluded int64  // bytes of the excluded ones

	tree       map[string]treeFile // files of the revision, nil if unknown
	unfinished []facts.ModelUnfinished
	others     []string
	weights    weights
	faults     []facts.ModelFault
}

// A file is one file of a snapshot.
type file struct {
	name   string
	blob   string // name of its content in blobs, "" for a regular file
	path   string // of the content, absolute
	id     fileID // zero if the content is missing or not a regular file
	want   Digest // zero if unknown
	broken bool   // has a fault already
}

// read reads a snapshot. Of files of weights it reads no more than the headers of
// safetensors. An error means that the snapshot could not be read.
func read(cache string, pin Pin) (*snapshot, error) {
	s := &snapshot{pin: pin, repo: filepath.Join(cache, Folder(pin.Repo))}
	dir := filepath.Join(s.repo, "snapshots", pin.Revision)
	if err := s.checkDirs(dir); err != nil || len(s.faults) > 0 {
		return s, err
	}
	if err := errors.Join(s.readOthers(), s.readUnfinished(), s.list(dir, "", 0)); err != nil {
		return nil, err
	}
	if !s.exists {
		return s, nil
	}
	slices.SortFunc(s.files, func(a, b file) int { return strings.Compare(a.name, b.name) })
	if b, err := readJSON(filepath.Join(s.repo, "trees", pin.Revision+".json")); err == nil {
		s.tree = parseTree(b)
	}
	s.compareTree()
	s.checkWeights()
	for _, u := range s.unfinished {
		if !u.Leftover && !s.listed() { // else compareTree reports the missing files
			s.fault("unfinished", "", u.Name, "")
		}
	}
	return s, nil
}

// checkDirs reports folders of the model that are links: huggingface_hub makes none, and
// their targets do not belong to the model.
func (s *snapshot) checkDirs(dir string) error {
	for _, d := range []string{filepath.Join(s.repo, "blobs"), filepath.Join(s.repo, "snapshots"), dir} {
		info, err := os.Lstat(d)
		switch {
		case rawfile.IsAbsent(err):
		case err != nil:
			return err
		case !info.IsDir():
			s.exists = true
			s.fault("outside", strings.TrimPrefix(d, s.repo+"/"), "", "not a directory of the cache")
		}
	}
	return nil
}

func (s *snapshot) fault(what, name, blob, detail string) {
	s.faults = append(s.faults, facts.ModelFault{What: what, File: name, Blob: blob, Detail: detail})
}

// markBroken adds a fault for a file that could not be checked.
func (s *snapshot) markBroken(f *file, err error) {
	f.broken = true
	if format, ok := errors.AsType[*formatError](err); ok {
		s.fault(format.what, f.name, f.blob, format.detail)
		return
	}
	s.fault("unreadable", f.name, f.blob, reason(err))
}

// find returns a file of the snapshot, or nil.
func (s *snapshot) find(name string) *file {
	i, ok := slices.BinarySearchFunc(s.files, name, func(f file, name string) int { return strings.Compare(f.name, name) })
	if !ok {
		return nil
	}
	return &s.files[i]
}

// readJSON reads a JSON file of at most jsonLimit bytes.
func readJSON(name string) ([]byte, error) {
	b, err := rawfile.ReadFile(name, jsonLimit, rawfile.NoFollow)
	if e, ok := errors.AsType[*rawfile.Error](err); ok && e.Type == 0 {
		return nil, &formatError{"index", "it " + e.Reason()}
	}
	return b, err
}

// reason returns an error without its path, which the fault names already.
func reason(err error) string {
	return rawfile.Reason(err)
}
