package state

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// A full disk leaves a partial last line. While the disk is still full the journal can
// be opened with its state before that line, and the lock can be taken.
func TestFullDiskLeavesAPartialLineOnly(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("this user cannot mount a small file system: %v", err)
	}
	defer unix.Unmount(dir, 0)
	path := filepath.Join(dir, "state.jsonl")
	j, err := Open(path, clock)
	check(t, err)
	whole := 0
	for {
		if err = j.Done(entry(fmt.Sprintf("%0300d", whole), Created)); err != nil {
			break
		}
		whole++
	}
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("got %v, want ENOSPC", err)
	}
	check(t, j.Close())
	text, err := os.ReadFile(path)
	check(t, err)
	if text[len(text)-1] == '\n' {
		t.Fatal("the last line is complete: nothing is tested")
	}
	l, err := Acquire(t.Context(), filepath.Join(dir, "lock"), LockOptions{Holder: Holder{Command: "test"}})
	check(t, err)
	check(t, l.Release())
	j, err = Open(path, clock)
	check(t, err)
	if n := len(j.Entries()); n != whole {
		t.Errorf("%d entries, want %d", n, whole)
	}
	check(t, os.Remove(filepath.Join(dir, "lock")))
	check(t, unix.Mount("tmpfs", dir, "tmpfs", unix.MS_REMOUNT, "size=1m"))
	check(t, j.Done(entry("after", Created)))
	check(t, j.Close())
	s, err := Read(path)
	check(t, err)
	if n := len(s.Entries()); n != whole+1 || s.Torn != "" {
		t.Errorf("with room again: %d entries, want %d, torn is %q", n, whole+1, s.Torn)
	}
}
