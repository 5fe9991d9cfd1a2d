package pyenv

import (
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Largest files that are read whole. Anything longer was not written by an
// installer.
const (
	maxMetadata = 4 << 20
	maxRecord   = 64 << 20
	maxSeal     = 16 << 20
	maxStamps   = 64 << 20
)

// open opens a file for reading without Go's poller. A pipe in the place of a
// file does not block.
func open(name string) (int, error) {
	for {
		fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
		if err == nil {
			return fd, nil
		}
		if err != unix.EINTR {
			return -1, &fs.PathError{Op: "open", Path: name, Err: err}
		}
	}
}

// read fills buf as far as the file goes.
func read(fd int, buf []byte) (int, error) {
	n := 0
	for n < len(buf) {
		m, err := unix.Read(fd, buf[n:])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return n, err
		}
		if m == 0 {
			break
		}
		n += m
	}
	return n, nil
}

// readFile reads a whole file of at most limit bytes into buf, growing it. The
// result is valid until buf is used again.
func readFile(name string, buf []byte, limit int) ([]byte, error) {
	fd, err := open(name)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, fmt.Errorf("%s is not a regular file", name)
	}
	if st.Size > int64(limit) {
		return nil, fmt.Errorf("%s has %d bytes, more than the %d it may have", name, st.Size, limit)
	}
	if need := int(st.Size) + 1; cap(buf) < need {
		buf = make([]byte, need)
	}
	buf = buf[:int(st.Size)+1]
	n, err := read(fd, buf)
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	if n > int(st.Size) {
		return nil, fmt.Errorf("%s grows while it is read", name)
	}
	return buf[:n], nil
}

// readHead reads the beginning of a file with a single call.
func readHead(name string, buf []byte) ([]byte, error) {
	fd, err := open(name)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	n, err := read(fd, buf)
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	return buf[:n], nil
}

// lstat looks at a path without following a link at its end.
func lstat(name string, st *unix.Stat_t) error { return lstatAt(unix.AT_FDCWD, name, st) }

// lstatAt is lstat for a path relative to an open directory.
func lstatAt(dir int, name string, st *unix.Stat_t) error {
	for {
		err := unix.Fstatat(dir, name, st, unix.AT_SYMLINK_NOFOLLOW)
		if err == nil {
			return nil
		}
		if err != unix.EINTR {
			return &fs.PathError{Op: "lstat", Path: name, Err: err}
		}
	}
}

// gone reports whether an error says that nothing is there, as opposed to not
// having been able to look.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR)
}

// each calls do(worker, i) for every i below n, on as many goroutines as there
// are cores, and returns the first error. Workers are numbered from 0.
func each(n int, do func(worker, i int) error) error { return eachOf(workers(), n, do) }

// eachOf is each on a number of goroutines.
func eachOf(workers, n int, do func(worker, i int) error) error {
	workers = min(workers, n)
	if workers <= 1 {
		for i := range n {
			if err := do(0, i); err != nil {
				return err
			}
		}
		return nil
	}
	chunk := max(1, min(64, n/(workers*4)))
	var (
		next  atomic.Int64
		group sync.WaitGroup
		once  sync.Once
		first error
	)
	for w := range workers {
		group.Go(func() {
			for {
				from := int(next.Add(int64(chunk))) - chunk
				if from >= n {
					return
				}
				for i := from; i < min(from+chunk, n); i++ {
					if err := do(w, i); err != nil {
						once.Do(func() { first = err })
						next.Store(int64(n))
						return
					}
				}
			}
		})
	}
	group.Wait()
	return first
}

// workers returns how many goroutines each uses at most.
func workers() int { return runtime.GOMAXPROCS(0) }
