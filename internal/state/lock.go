package state

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/flock"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// A Holder describes the process that holds a lock. It is informative only.
type Holder struct {
	User    string    `json:"user"`
	Host    string    `json:"host"`
	PID     int       `json:"pid"`
	Since   time.Time `json:"since"`
	Command string    `json:"command"`
}

// String describes the holder in one phrase.
func (h Holder) String() string {
	if h.PID == 0 {
		return "another run (its process is unknown)"
	}
	return fmt.Sprintf("%s on %s, process %d, since %s: %s", h.User, h.Host, h.PID, h.Since.Format(time.DateTime), h.Command)
}

// A LockedError reports that another run holds the lock.
type LockedError struct {
	Path   string
	Holder Holder
}

// Error describes the holder.
func (e *LockedError) Error() string {
	return "locked by " + e.Holder.String()
}

// A Lock is held by one run at a time, or by several that share it. The system releases it
// when the last process that inherited File ends, so a leftover file never blocks.
type Lock struct{ f *os.File }

// LockOptions are the options of Acquire.
type LockOptions struct {
	Holder  Holder        // this process
	Timeout time.Duration // how long to wait for another holder; 0 does not wait
	// Shared takes the lock together with others that share it. Its holders are not recorded.
	Shared bool
	// Waiting is called once if Acquire has to wait.
	Waiting func(Holder)
	// AllowUntrusted accepts a file system without locks. Two concurrent runs may then
	// waste each other's work, but corrupt nothing.
	AllowUntrusted bool
}

// Acquire takes the lock in the file at path, and creates the file and its directory if
// missing. The error is a *LockedError if another process holds the lock; it wraps a
// *diag.Problem if the file system does not support locks.
func Acquire(ctx context.Context, path string, o LockOptions) (*Lock, error) {
	if err := makePrivate(filepath.Dir(path)); err != nil {
		return nil, err
	}
	deadline := time.Now().Add(o.Timeout)
	for first := true; ; first = false {
		l, err := tryLock(path, o)
		var held *LockedError
		if !errors.As(err, &held) || !time.Now().Before(deadline) {
			return l, err
		}
		if first && o.Waiting != nil {
			o.Waiting(held.Holder)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(flock.Interval):
		}
	}
}

// File returns the open lock file, to be inherited by children.
func (l *Lock) File() *os.File { return l.f }

// Release releases the lock. If a child that inherited it still runs, the lock is held until
// that ends, and the file still describes this process.
func (l *Lock) Release() error { return l.f.Close() }

func tryLock(path string, o LockOptions) (*Lock, error) {
	f, err := openLock(path)
	if err != nil {
		return nil, err
	}
	take := flock.Exclusive
	if o.Shared {
		take = flock.Shared
	}
	err = take(f)
	switch {
	case errors.Is(err, flock.ErrHeld):
		return nil, errors.Join(&LockedError{Path: path, Holder: readHolder(f)}, f.Close())
	case err == nil && !locksExclude(path):
		err = errors.New("a second lock on the same file was granted")
	}
	if err != nil && !o.AllowUntrusted {
		return nil, errors.Join(untrustedProblem(path, err), f.Close())
	}
	same, err := flock.IsAt(f, path)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if !same { // the file was removed or replaced between open and lock
		return nil, errors.Join(&LockedError{Path: path}, f.Close())
	}
	if o.Shared {
		return &Lock{f}, nil
	}
	if err := writeHolder(f, o.Holder); err != nil && !errors.Is(err, unix.ENOSPC) && !errors.Is(err, unix.EDQUOT) {
		return nil, errors.Join(err, f.Close()) // on a full disk the holder stays unknown
	}
	return &Lock{f}, nil
}

func openLock(path string) (*os.File, error) {
	root, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f, err := root.OpenFile(filepath.Base(path), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		if err == nil {
			err = &rawfile.Error{Path: path, Type: info.Mode().Type()}
		}
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// locksExclude requests the lock again, through a second descriptor. A file system that
// grants it has no locks, or locks per process.
func locksExclude(path string) bool {
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return true // the caller finds that
	}
	defer f.Close()
	return errors.Is(flock.Exclusive(f), flock.ErrHeld)
}

func untrustedProblem(path string, err error) error {
	return &diag.Problem{
		Code: "state.lock-untrusted", Pos: diag.Pos{File: path},
		Summary: "the file system of this project does not support locks, so a second run would not be noticed",
		Found:   err.Error(),
		Hint:    "put the project on a local disk, or make sure that no other reconcile runs in it and pass --no-lock",
	}
}

// maxHolder is the number of bytes that are read of a lock file.
const maxHolder = 4096

func readHolder(f *os.File) Holder {
	var h Holder
	text, err := io.ReadAll(io.NewSectionReader(f, 0, maxHolder))
	if err != nil || json.Unmarshal(text, &h) != nil {
		return Holder{} // being written, or of another program
	}
	return h
}

func writeHolder(f *os.File, h Holder) error {
	text, err := json.Marshal(h)
	if err != nil {
		return err
	}
	if len(text) > maxHolder {
		h.Command = "reconcile"
		if text, err = json.Marshal(h); err != nil {
			return err
		}
	}
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err = f.WriteAt(append(text, '\n'), 0)
	return err
}
