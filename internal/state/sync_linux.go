package state

import (
	"os"

	"golang.org/x/sys/unix"
)

// syncData waits for the bytes and the size of a file, and not for its times.
func syncData(f *os.File) error {
	for {
		if err := unix.Fdatasync(int(f.Fd())); err != unix.EINTR {
			return err
		}
	}
}
