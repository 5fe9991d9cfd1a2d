package pyenv

import (
	"io/fs"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// ExclusiveSize returns the bytes that would become free if a directory went away. A file
// that has a name elsewhere too, in another generation or in the installer's cache,
// is not counted; one with several names inside counts once. Blocks that a file
// system shares between cloned files cannot be told apart and are counted.
func ExclusiveSize(dir string) (int64, error) {
	_, bytes, err := Measure(dir)
	return bytes, err
}

// Measure is ExclusiveSize with the number of files, directories and links below dir.
func Measure(dir string) (entries, bytes int64, err error) {
	type inode struct{ dev, ino uint64 }
	type linked struct{ names, bytes int64 } // names still to be found
	shared := map[inode]linked{}
	var total int64
	err = filepath.WalkDir(dir, func(name string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name != dir {
			entries++
		}
		var st unix.Stat_t
		if err := lstat(name, &st); err != nil {
			return err
		}
		if st.Nlink <= 1 || st.Mode&unix.S_IFMT != unix.S_IFREG {
			total += st.Blocks * 512
			return nil
		}
		id := inode{uint64(st.Dev), st.Ino}
		l, ok := shared[id]
		if !ok {
			l = linked{names: int64(st.Nlink), bytes: st.Blocks * 512}
		}
		l.names--
		shared[id] = l
		return nil
	})
	for _, l := range shared {
		if l.names == 0 {
			total += l.bytes
		}
	}
	return entries, total, err
}
