package atomicfile

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// hasSyncfs returns false: macOS cannot sync one file system.
func hasSyncfs(*os.File) bool { return false }

// syncFile passes the data to the drive. fsync on macOS does not wait until the drive
// has stored it; flushDevice does, once.
func syncFile(f *os.File) error {
	if err := unix.Fsync(int(f.Fd())); err != nil {
		return fmt.Errorf("sync %s: %w", f.Name(), err)
	}
	return nil
}

func flushDevice(dev device) error {
	return syncDir(dev.f) // Sync is F_FULLFSYNC on macOS
}

// startWriteback starts to write all data to the drives.
func startWriteback() error { return unix.Sync() }

// renameExclusive renames an entry of a directory to an entry of the same or another
// directory, unless the new name is taken.
func renameExclusive(dir int, from string, to int, name string) error {
	return unix.RenameatxNp(dir, from, to, name, unix.RENAME_EXCL)
}
