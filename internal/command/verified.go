package command

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// A ChangedError means that a program does not have the digest of its Command. It was not
// started.
type ChangedError struct {
	Program   string
	Got, Want [sha256.Size]byte
}

func (e *ChangedError) Error() string {
	return fmt.Sprintf("%s was not started: its sha256 is %x, not %x", e.Program, e.Got, e.Want)
}

// minVerifiedFD is greater than the file descriptors that a child inherits, which replace
// others with their numbers.
const minVerifiedFD = 100

// openVerified returns a program that has the digest, open for reading, or a *ChangedError.
func openVerified(ctx context.Context, program string, want [sha256.Size]byte) (*os.File, error) {
	f, err := rawfile.OpenFile(program, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	got, err := rawfile.SHA256(ctx, f)
	if err != nil {
		return nil, err
	}
	if got != want {
		return nil, &ChangedError{Program: program, Got: got, Want: want}
	}
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, minVerifiedFD)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(fd), program), nil
}

// isScript reports whether the kernel starts an interpreter for a file, which then opens the
// file by its path.
func isScript(f *os.File) bool {
	head := make([]byte, 2)
	n, _ := f.ReadAt(head, 0)
	return bytes.Equal(head[:n], []byte("#!"))
}
