package main

import (
	"errors"
	"os"
	"syscall"
)

// A stream is a standard file whose reader may go away: what is written after
// that is dropped. So `reconcile apply | head -1` applies all of it, and an apply
// whose terminal is closed stops as the signal asks, not at the next line.
type stream struct{ *os.File }

// Write writes b, or drops it where nobody reads any more.
func (s stream) Write(b []byte) (int, error) {
	n, err := s.File.Write(b)
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.EIO) {
		return len(b), nil
	}
	return n, err
}
