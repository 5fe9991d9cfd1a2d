package planfile

import (
	"crypto/sha256"
	"hash"
	"io/fs"
	"maps"
	"sync"

	"github.com/reconcile-ml/reconcile/internal/facts"
)

// Inputs is a file system that takes down the digest of every file that is read through
// it: what a plan was made from is what was read for it, not what somebody listed.
type Recorder struct {
	under fs.FS

	mu   sync.Mutex
	read map[string]facts.SHA256
}

// Watch returns a file system that reads from another.
func NewRecorder(under fs.FS) *Recorder {
	return &Recorder{under: under, read: map[string]facts.SHA256{}}
}

// Digests returns the files that were read, by name. A file that was read more than
// once is as it was the last time.
func (in *Recorder) Digests() map[string]facts.SHA256 {
	in.mu.Lock()
	defer in.mu.Unlock()
	return maps.Clone(in.read)
}

// Stat looks at a file without reading it.
func (in *Recorder) Stat(name string) (fs.FileInfo, error) { return fs.Stat(in.under, name) }

// Open opens a file, and takes it down when it is closed.
func (in *Recorder) Open(name string) (fs.File, error) {
	f, err := in.under.Open(name)
	if err != nil {
		return nil, err
	}
	return &input{File: f, in: in, name: name, sum: sha256.New()}, nil
}

// input is one file while it is read.
type input struct {
	fs.File
	in   *Recorder
	name string
	sum  hash.Hash
}

func (i *input) Read(b []byte) (int, error) {
	n, err := i.File.Read(b)
	i.sum.Write(b[:n])
	return n, err
}

func (i *input) Close() error {
	i.in.mu.Lock()
	i.in.read[i.name] = facts.SHA256(i.sum.Sum(nil))
	i.in.mu.Unlock()
	return i.File.Close()
}
