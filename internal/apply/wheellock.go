package apply

import (
	"context"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// lockInterval is the time between two attempts to lock a file that another process has locked.
const lockInterval = 100 * time.Millisecond

// locked calls f while this process alone has locked the file at name, which is created and
// then removed. It waits for another process until ctx ends. On a file system without locks it
// does not wait: two processes then do the same work, but publish one result.
func locked(ctx context.Context, name string, f func() error) error {
	for {
		file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
		if err != nil {
			return err
		}
		err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if errors.Is(err, unix.EWOULDBLOCK) || !isNamed(file, name) { // held, or removed by its holder
			if err := file.Close(); err != nil {
				return err
			}
			select {
			case <-time.After(lockInterval):
				continue
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		err = f()
		_ = os.Remove(name) // a file that remains is used by the next process
		return errors.Join(err, file.Close())
	}
}

// isNamed reports whether name leads to an open file.
func isNamed(f *os.File, name string) bool {
	mine, err := f.Stat()
	if err != nil {
		return false
	}
	named, err := os.Lstat(name)
	return err == nil && os.SameFile(mine, named)
}
