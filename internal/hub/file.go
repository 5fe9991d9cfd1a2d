package hub

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// A fileID identifies a file in one state: a write to the file changes it, unless it follows
// another one in the same tick of the clock.
type fileID struct {
	dev, ino     uint64
	size         int64
	mtime, ctime int64 // nanoseconds
}

func fileIDOf(st *unix.Stat_t) fileID {
	return fileID{uint64(st.Dev), st.Ino, st.Size, unix.TimespecToNsec(st.Mtim), unix.TimespecToNsec(st.Ctim)}
}

// openRegular opens a regular file. It follows no link and never blocks.
func openRegular(name string) (*os.File, fileID, error) {
	f, err := rawfile.OpenFile(name, rawfile.NoFollow)
	if err != nil {
		return nil, fileID{}, err
	}
	id, err := stat(f)
	if err != nil {
		f.Close()
		return nil, fileID{}, err
	}
	return f, id, nil
}

func stat(f *os.File) (fileID, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return fileID{}, &fs.PathError{Op: "stat", Path: f.Name(), Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return fileID{}, &fs.PathError{Op: "open", Path: f.Name(), Err: errors.New("not a regular file")}
	}
	return fileIDOf(&st), nil
}
