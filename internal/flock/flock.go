// Package flock locks open files and directories between processes. The system releases a
// lock when the file is closed by its last holder, so that a killed process leaves none.
package flock

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// ErrHeld means that another process has locked the file.
var ErrHeld error = unix.EWOULDBLOCK

// Interval is the time between two attempts to lock a file that another process has locked.
const Interval = 100 * time.Millisecond

// Exclusive locks a file alone. The error is ErrHeld if another process has locked it, and
// one for which IsUnsupported returns true on a file system without locks.
func Exclusive(f *os.File) error { return try(f, unix.LOCK_EX) }

// Shared is the same as Exclusive for a lock that several processes may have together.
func Shared(f *os.File) error { return try(f, unix.LOCK_SH) }

func try(f *os.File, how int) error {
	for {
		if err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB); err != unix.EINTR {
			return err
		}
	}
}

// IsUnsupported reports whether an error is that of a file system without locks.
func IsUnsupported(err error) bool {
	return errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOLCK) || errors.Is(err, unix.ENOSYS)
}

// Wait locks a file alone, when other processes have released it, and reports whether it had
// to wait. On a file system without locks it has no effect.
func Wait(ctx context.Context, f *os.File) (waited bool, err error) {
	for {
		err := Exclusive(f)
		if IsUnsupported(err) {
			return waited, nil
		}
		if err != ErrHeld {
			return waited, err
		}
		waited = true
		select {
		case <-time.After(Interval):
		case <-ctx.Done():
			return waited, ctx.Err()
		}
	}
}

// IsAt reports whether path, whose last element is not followed, leads to an open file: the
// holder of a lock may have removed or replaced it.
func IsAt(f *os.File, path string) (bool, error) {
	open, err := f.Stat()
	if err != nil {
		return false, err
	}
	named, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(open, named), err
}

// Open opens a regular file, which it creates if necessary, and locks it alone as Wait does.
// When it returns, name leads to the file. It reports whether it waited for a holder, or the
// holder removed or renamed the file.
func Open(ctx context.Context, name string) (f *os.File, waited bool, err error) {
	for {
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
		if err != nil {
			return nil, waited, err
		}
		held, current, err := lockAt(ctx, f, name)
		if err == nil && current {
			return f, waited || held, nil
		}
		if err := errors.Join(err, f.Close()); err != nil {
			return nil, waited, err
		}
		waited = true
	}
}

// lockAt locks a file, and reports whether it waited and whether name still leads to the file.
func lockAt(ctx context.Context, f *os.File, name string) (waited, current bool, err error) {
	info, err := f.Stat()
	if err != nil {
		return false, false, err
	}
	if !info.Mode().IsRegular() {
		return false, false, fmt.Errorf("%s is not a regular file", name)
	}
	if waited, err = Wait(ctx, f); err != nil {
		return waited, false, err
	}
	current, err = IsAt(f, name)
	return waited, current, err
}
