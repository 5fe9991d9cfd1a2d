package pyenv

import (
	"io/fs"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Size returns the bytes that directories take on disk together. A file with
// several names counts once, so that generations which share files are not
// counted twice; names outside the directories are not looked for.
func Size(dirs ...string) (int64, error) {
	type inode struct{ dev, ino uint64 }
	seen := map[inode]bool{}
	var total int64
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(name string, _ fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			var st unix.Stat_t
			if err := lstat(name, &st); err != nil {
				return err
			}
			if id := (inode{uint64(st.Dev), st.Ino}); st.Nlink > 1 && st.Mode&unix.S_IFMT == unix.S_IFREG {
				if seen[id] {
					return nil
				}
				seen[id] = true
			}
			total += st.Blocks * 512
			return nil
		})
		if err != nil {
			return 0, err
		}
	}
	return total, nil
}
