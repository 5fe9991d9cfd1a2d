package planfile

import (
	"crypto/sha256"
	"hash"
	"io/fs"
	"maps"
	"sync"

	"github.com/reconcile-ml/reconcile/internal/facts"
)

// A Recorder is a file system that records the digest of every file that is read from it,
// so that the inputs of a plan need not be listed.
type Recorder struct {
	fsys fs.FS

	mu   sync.Mutex
	read map[string]facts.SHA256
}

// NewRecorder returns a Recorder that reads from a file system.
func NewRecorder(fsys fs.FS) *Recorder {
	return &Recorder{fsys: fsys, read: map[string]facts.SHA256{}}
}

// Digests returns the digests of the files that were read, by name. For a file that was
// read more than once it is the last one.
func (r *Recorder) Digests() map[string]facts.SHA256 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.read)
}

// Stat does not record the file.
func (r *Recorder) Stat(name string) (fs.FileInfo, error) { return fs.Stat(r.fsys, name) }

// Open opens a file, which is recorded when it is closed.
func (r *Recorder) Open(name string) (fs.File, error) {
	f, err := r.fsys.Open(name)
	if err != nil {
		return nil, err
	}
	return &recordedFile{File: f, r: r, name: name, sum: sha256.New()}, nil
}

type recordedFile struct {
	fs.File
	r    *Recorder
	name string
	sum  hash.Hash
}

func (f *recordedFile) Read(b []byte) (int, error) {
	n, err := f.File.Read(b)
	f.sum.Write(b[:n])
	return n, err
}

func (f *recordedFile) Close() error {
	f.r.mu.Lock()
	f.r.read[f.name] = facts.SHA256(f.sum.Sum(nil))
	f.r.mu.Unlock()
	return f.File.Close()
}
