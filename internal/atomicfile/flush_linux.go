package atomicfile

import (
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// hasSyncfs reports whether syncfs on the file system of f reports all errors. Network
// file systems may hide those of the server.
func hasSyncfs(f *os.File) bool {
	network := []int64{ // linux/magic.h
		0x6969,     // NFS
		0xff534d42, // CIFS
		0xfe534d42, // SMB2
		0x65735546, // FUSE
		0x01021997, // 9P
		0x0bd00bd0, // Lustre
		0x47504653, // GPFS
		0x00c36400, // Ceph
	}
	var st unix.Statfs_t
	return unix.Fstatfs(int(f.Fd()), &st) == nil && !slices.Contains(network, int64(st.Type)&0xffffffff)
}

func syncFile(f *os.File) error { return f.Sync() }

func flushDevice(dev device) error {
	if !dev.syncfs {
		return nil // every file was synced
	}
	if err := unix.Syncfs(int(dev.f.Fd())); err != nil {
		return fmt.Errorf("sync the file system of %s: %w", dev.f.Name(), err)
	}
	return nil
}

// startWriteback does nothing: syncfs writes all data.
func startWriteback() error { return nil }

// renameExclusive renames an entry of a directory to an entry of the same or another
// directory, unless the new name is taken.
func renameExclusive(dir int, from string, to int, name string) error {
	return unix.Renameat2(dir, from, to, name, unix.RENAME_NOREPLACE)
}
