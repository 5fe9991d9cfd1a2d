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
)

// A Holder says who holds a lock, for people.
type Holder struct {
	User    string    `json:"user"`
	Host    string    `json:"host"`
	PID     int       `json:"pid"`
	Since   time.Time `json:"since"`
	Command string    `json:"command"`
}

// String names the holder in one phrase.
func (h Holder) String() string {
	if h.PID == 0 {
		return "another run, which has not said who it is"
	}
	return fmt.Sprintf("%s on %s, process %d, since %s: %s", h.User, h.Host, h.PID, h.Since.Format(time.DateTime), h.Command)
}

// A LockedError says that another run holds the lock.
type LockedError struct {
	Path   string
	Holder Holder
}

// Error names the holder.
func (e *LockedError) Error() string {
	return "locked by " + e.Holder.String()
}

// A Lock is held by one run at a time. The system lets go of it when the last
// process that inherited File has ended, so that a leftover file never blocks.
type Lock struct{ f *os.File }

// LockOptions say how to get a lock.
type LockOptions struct {
	Holder  Holder        // who we are
	Timeout time.Duration // how long to wait for another; 0 not at all
	// Waiting is called once when the lock is held by another and is waited for.
	Waiting func(Holder)
	// AllowUntrusted goes on where the file system does not keep locks. Then two
	// runs may waste each other's work, but no byte is wrong.
	AllowUntrusted bool
}

// poll is how often a held lock is tried again.
const poll = 100 * time.Millisecond

// Acquire takes the lock in the file at path and makes the file and its directory
// where they do not exist. Where another holds it, the error is a *LockedError;
// where the file system cannot lock, it holds a *diag.Problem.
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
		case <-time.After(poll):
		}
	}
}

// File is the open lock, to be inherited by children.
func (l *Lock) File() *os.File { return l.f }

// Release gives the lock back. A child that still runs keeps it, and what the
// file says of the holder stays true.
func (l *Lock) Release() error { return l.f.Close() }

func tryLock(path string, o LockOptions) (*Lock, error) {
	f, err := openLock(path)
	if err != nil {
		return nil, err
	}
	err = flock(f)
	switch {
	case errors.Is(err, unix.EWOULDBLOCK):
		return nil, errors.Join(&LockedError{Path: path, Holder: readHolder(f)}, f.Close())
	case err == nil && !locksExclude(path):
		err = errors.New("a second lock on the same file was granted")
	}
	if err != nil && !o.AllowUntrusted {
		return nil, errors.Join(untrustedProblem(path, err), f.Close())
	}
	same, err := isAtPath(f, path)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if !same { // somebody removed or replaced the file between open and lock
		return nil, errors.Join(&LockedError{Path: path}, f.Close())
	}
	if err := writeHolder(f, o.Holder); err != nil && !errors.Is(err, unix.ENOSPC) && !errors.Is(err, unix.EDQUOT) {
		return nil, errors.Join(err, f.Close()) // on a full disk it only stays unknown who holds it
	}
	return &Lock{f}, nil
}

func openLock(path string) (*os.File, error) {
	root, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f, err := root.OpenFile(filepath.Base(path), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	if os.Geteuid() != 0 {
		return f, nil
	}
	// A lock that root made must not shut out the owner of the project.
	dir, err := root.Stat(".")
	if err == nil {
		err = chownTo(f, dir)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func flock(f *os.File) error {
	for {
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != unix.EINTR {
			return err
		}
	}
}

// excludes asks for the lock a second time, through another opening of the file.
// A file system that grants it does not keep locks, or keeps them by process.
func locksExclude(path string) bool {
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOFOLLOW, 0)
	if err != nil {
		return true // stillThere finds out what became of it
	}
	defer f.Close()
	return errors.Is(flock(f), unix.EWOULDBLOCK)
}

func isAtPath(f *os.File, path string) (bool, error) {
	ours, err := f.Stat()
	if err != nil {
		return false, err
	}
	there, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(ours, there), err
}

func untrustedProblem(path string, err error) error {
	return &diag.Problem{
		Code: "state.lock-untrusted", Pos: diag.Pos{File: path},
		Summary: "the file system of this project does not keep locks, so two runs at once could not be told apart",
		Found:   err.Error(),
		Hint:    "put the project on a local disk, or make sure that nobody else runs reconcile in it and say so with --no-lock",
	}
}

// maxHolder is how much of a lock file is read, in bytes.
const maxHolder = 4096

func readHolder(f *os.File) Holder {
	var h Holder
	text, err := io.ReadAll(io.NewSectionReader(f, 0, maxHolder))
	if err != nil || json.Unmarshal(text, &h) != nil {
		return Holder{} // written in this moment, or by something else; nothing depends on it
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
