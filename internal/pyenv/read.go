package pyenv

import (
	"io/fs"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// The largest files in bytes that are read whole. Installers write no longer ones.
const (
	maxMetadata = 4 << 20
	maxRecord   = 64 << 20
	maxSeal     = 16 << 20
	maxStamps   = 64 << 20
)

// readFile reads a regular file of at most limit bytes into buf, growing it. It follows links,
// which some installers make. The result is valid until buf is used again.
func readFile(name string, buf []byte, limit int64) ([]byte, error) {
	return rawfile.ReadInto(buf, name, limit, 0)
}

// Measure returns the number of files, directories and links below dir, and the bytes that
// removing dir would free. A file with another name outside dir, in another generation or
// in the installer's cache, is not counted; one with several names inside counts once.
// Blocks that a file system shares between cloned files are counted.
func Measure(dir string) (entries, bytes int64, err error) {
	type inode struct{ dev, ino uint64 }
	type linked struct{ names, bytes int64 } // names that were not found yet
	shared := map[inode]linked{}
	err = filepath.WalkDir(dir, func(name string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name != dir {
			entries++
		}
		var st unix.Stat_t
		if err := rawfile.Lstat(name, &st); err != nil {
			return err
		}
		if st.Nlink <= 1 || st.Mode&unix.S_IFMT != unix.S_IFREG {
			bytes += st.Blocks * 512
			return nil
		}
		id := inode{uint64(st.Dev), st.Ino}
		l, ok := shared[id]
		if !ok {
			l = linked{names: int64(st.Nlink), bytes: st.Blocks * 512}
		}
		l.names--
		shared[id] = l
		return nil
	})
	for _, l := range shared {
		if l.names == 0 {
			bytes += l.bytes
		}
	}
	return entries, bytes, err
}

// ExclusiveSize returns the bytes that removing dir would free. See Measure.
func ExclusiveSize(dir string) (int64, error) {
	_, bytes, err := Measure(dir)
	return bytes, err
}

// each calls do(worker, i) for every i below n on workers() goroutines and returns the
// first error. Workers are numbered from 0.
func each(n int, do func(worker, i int) error) error { return eachOf(workers(), n, do) }

func eachOf(workers, n int, do func(worker, i int) error) error {
	var (
		next  atomic.Int64
		group sync.WaitGroup
		once  sync.Once
		first error
	)
	for w := range min(workers, n) {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := do(w, i); err != nil {
					once.Do(func() { first = err })
					next.Store(int64(n))
					return
				}
			}
		})
	}
	group.Wait()
	return first
}

func workers() int { return runtime.GOMAXPROCS(0) }
