package mounts

import (
	"os"

	"golang.org/x/sys/unix"
)

// Of returns the mount that holds an existing path. Links are followed.
func Of(path string) (Mount, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return Mount{}, &os.PathError{Op: "statfs", Path: path, Err: err}
	}
	return Mount{Point: unix.ByteSliceToString(st.Mntonname[:]), Type: unix.ByteSliceToString(st.Fstypename[:])}, nil
}

// Below returns "": a mount on macOS has its own device number, so that its callers notice
// it.
func Below(string) (string, error) { return "", nil }
