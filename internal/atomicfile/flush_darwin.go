package atomicfile

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// hasSyncfs is false: macOS has no call that waits for a whole file system.
func hasSyncfs(*os.File) bool { return false }

// syncFile hands the data to the drive. That the drive has stored it is asked
// for once, by flushDevice: fsync on macOS does not wait for the drive.
func syncFile(f *os.File) error {
	if err := unix.Fsync(int(f.Fd())); err != nil {
		return fmt.Errorf("sync %s: %w", f.Name(), err)
	}
	return nil
}

func flushDevice(dev device) error {
	return SyncDir(dev.f) // Sync is F_FULLFSYNC on macOS
}

// renameExclusive renames an entry of a directory, to an entry of the same or of
// another one, unless the new name is taken.
func renameExclusive(dir int, from string, to int, name string) error {
	return unix.RenameatxNp(dir, from, to, name, unix.RENAME_EXCL)
}

// SyncFileSystem makes all that was written to the file system of root durable,
// by whomever: sync begins to write, and the drive is asked once.
func SyncFileSystem(root *os.Root) error {
	f, err := root.Open(".")
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.Sync(); err != nil {
		return err
	}
	return flushDevice(device{f, true})
}
