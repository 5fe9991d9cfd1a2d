package atomicfile

import (
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// each lists file systems whose syncfs is not known to report what went wrong at
// the far end (linux/magic.h).
var unreliable = []int64{
	0x6969,     // NFS
	0xff534d42, // CIFS
	0xfe534d42, // SMB2
	0x65735546, // FUSE
	0x01021997, // 9P
	0x0bd00bd0, // Lustre
	0x47504653, // GPFS
	0x00c36400, // Ceph
}

// syncsWhole reports whether one syncfs can be trusted with the file system of f.
func hasSyncfs(f *os.File) bool {
	var st unix.Statfs_t
	return unix.Fstatfs(int(f.Fd()), &st) == nil && !slices.Contains(unreliable, int64(st.Type)&0xffffffff)
}

func syncFile(f *os.File) error { return f.Sync() }

func flushDevice(dev device) error {
	if !dev.syncfs {
		return nil // every file was synced on its own
	}
	if err := unix.Syncfs(int(dev.f.Fd())); err != nil {
		return fmt.Errorf("sync the file system of %s: %w", dev.f.Name(), err)
	}
	return nil
}

// renameExclusive renames an entry of a directory, to an entry of the same or of
// another one, unless the new name is taken.
func renameExclusive(dir int, from string, to int, name string) error {
	return unix.Renameat2(dir, from, to, name, unix.RENAME_NOREPLACE)
}

// SyncFileSystem makes all that was written to the file system of root durable,
// by whomever.
func SyncFileSystem(root *os.Root) error {
	f, err := root.Open(".")
	if err != nil {
		return err
	}
	defer f.Close()
	return flushDevice(device{f, true})
}
