package cli

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// A stream is a standard file whose reader may go away: what is written after
// that is dropped. So `reconcile apply | head -1` applies all of it, and an apply
// whose terminal is closed stops as the signal asks, not at the next line.
type stream struct{ *os.File }

// newStream returns a standard file as a stream. It writes to a descriptor of its
// own: Go ends a program that writes to 1 or 2 where nobody reads, while any other
// gives an error. To take the signal SIGPIPE instead would cost two more threads
// at every start.
func newStream(f *os.File) stream {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return stream{f} // closed before we began
	}
	return stream{os.NewFile(uintptr(fd), f.Name())}
}

// Write writes b, or drops it where nobody reads any more.
func (s stream) Write(b []byte) (int, error) {
	n, err := s.File.Write(b)
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.EIO) {
		return len(b), nil
	}
	return n, err
}
