package probes

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

const (
	// hashLimit is the largest size of a file that is hashed.
	hashLimit = 64 << 20
	// readAtOnce is the number of bytes that are read at a time.
	readAtOnce = 128 << 10
)

// A pathReader reads one path after the other with one buffer.
type pathReader struct {
	p        *Prober
	dirs     *dirCache
	progress func() // called while a long file is read; may be nil
	buf      []byte
	sum      hash.Hash

	lastDir string // the directory of the previous path, and its state
	last    dirState
}

// A dirState tells how the directory of some paths is reached. The zero value means that it
// is a directory, reached through directories only.
type dirState struct {
	parent string // facts.Path.Parent of these paths
	absent bool   // no path can exist in it
	err    error  // why it could not be read
}

// A dirCache holds the state of the directories that the readers of one probe met.
type dirCache struct {
	mu   sync.Mutex
	dirs map[string]dirState
}

func (c *dirCache) get(dir string) (dirState, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	state, ok := c.dirs[dir]
	return state, ok
}

func (c *dirCache) put(dir string, state dirState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dirs == nil {
		c.dirs = map[string]dirState{}
	}
	c.dirs[dir] = state
}

// readPath returns the fact of one path.
func (p *Prober) readPath(name string) (facts.Path, error) {
	return (&pathReader{p: p, dirs: &dirCache{}}).read(name)
}

// read returns the fact of a path. A file that is replaced while it is read is read again.
func (r *pathReader) read(name string) (facts.Path, error) {
	f := facts.Path{Path: name, Type: facts.Absent}
	state := r.dir(dirOf(name))
	if f.Parent = state.parent; state.err != nil || state.absent {
		return f, state.err
	}
	abs := r.abs(name)
	for range 3 {
		again, err := r.readOnce(abs, &f)
		if err == nil && f.Type == facts.Dir && f.Parent == "" {
			r.dirs.put(name, dirState{})
		}
		if err != nil || !again {
			return f, err
		}
	}
	return f, fmt.Errorf("%s changes while it is read", name)
}

// abs is Prober.abs without the cost of cleaning: names in facts are clean.
func (r *pathReader) abs(name string) string {
	switch {
	case name == ".":
		return r.p.root
	case name[0] == '/':
		return name
	}
	return r.p.root + "/" + name
}

// dirOf returns the directory of a clean path, or "" for the project root and /.
func dirOf(name string) string { return name[:max(0, strings.LastIndexByte(name, '/'))] }

// dir returns the state of a directory. Each is read once.
func (r *pathReader) dir(dir string) dirState {
	if dir == "" {
		return dirState{}
	}
	if dir == r.lastDir {
		return r.last
	}
	state, ok := r.dirs.get(dir)
	if !ok {
		if state = r.dir(dirOf(dir)); state == (dirState{}) {
			state = r.readDir(dir)
		} else if !state.absent && state.err == nil {
			state.absent, state.err = r.isAbsent(dir)
		}
		r.dirs.put(dir, state)
	}
	r.lastDir, r.last = dir, state
	return state
}

// readDir returns the state of a directory that is reached through directories only.
func (r *pathReader) readDir(dir string) dirState {
	abs := r.abs(dir)
	var st unix.Stat_t
	if err := rawfile.Lstat(abs, &st); rawfile.IsAbsent(err) {
		return dirState{absent: true}
	} else if err != nil {
		return dirState{err: err}
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return dirState{}
	case unix.S_IFLNK:
		target, err := os.Readlink(abs)
		if err != nil {
			return dirState{err: err}
		}
		absent, err := r.isAbsent(dir)
		return dirState{parent: "link " + dir + " -> " + target, absent: absent, err: err}
	case unix.S_IFREG:
		return dirState{parent: "file " + dir, absent: true}
	}
	return dirState{parent: "other " + dir, absent: true}
}

// isAbsent reports whether dir, with links followed, is not a directory.
func (r *pathReader) isAbsent(dir string) (bool, error) {
	info, err := os.Stat(r.abs(dir))
	switch {
	case rawfile.IsAbsent(err), errors.Is(err, unix.ELOOP):
		return true, nil
	case err != nil:
		return false, err
	}
	return !info.IsDir(), nil
}

// readOnce sets f, or returns true if the file was replaced meanwhile.
func (r *pathReader) readOnce(abs string, f *facts.Path) (again bool, err error) {
	*f = facts.Path{Path: f.Path, Type: facts.Absent, Parent: f.Parent}
	var st unix.Stat_t
	if err := rawfile.Lstat(abs, &st); rawfile.IsAbsent(err) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	f.Mode = facts.Mode(st.Mode & 0o777)
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		f.Type = facts.Dir
	case unix.S_IFLNK:
		f.Type, f.Mode = facts.Symlink, 0
		if f.Target, err = os.Readlink(abs); isNotLink(err) {
			return true, nil
		}
		f.Directory = leadsToDirectory(abs, &st)
		return false, err
	case unix.S_IFREG:
		f.Type, f.Size = facts.Regular, st.Size
		if st.Size <= hashLimit {
			return r.hash(abs, f)
		}
	default:
		f.Type = facts.Other
	}
	return false, nil
}

// leadsToDirectory reports whether the link with the metadata st leads to a directory, and
// this user or root owns both.
func leadsToDirectory(abs string, st *unix.Stat_t) bool {
	var target unix.Stat_t
	own := uint32(os.Geteuid())
	return unix.Stat(abs, &target) == nil && target.Mode&unix.S_IFMT == unix.S_IFDIR &&
		(st.Uid == own || st.Uid == 0) && (target.Uid == own || target.Uid == 0)
}

// isNotLink reports whether reading a link failed because the file is not a link.
func isNotLink(err error) bool { return errors.Is(err, unix.EINVAL) }

// hash sets the digest of a regular file, or returns true if its size changed or another
// type of file replaced it.
func (r *pathReader) hash(abs string, f *facts.Path) (again bool, err error) {
	if f.Size == 0 {
		f.SHA256 = sha256.Sum256(nil)
		return false, nil
	}
	fd, err := rawfile.Open(abs, unix.O_NOFOLLOW)
	if rawfile.IsAbsent(err) || errors.Is(err, unix.ELOOP) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	defer unix.Close(fd)
	if r.buf == nil {
		r.buf, r.sum = make([]byte, readAtOnce+1), sha256.New()
	}
	r.sum.Reset()
	var total int64
	for total < f.Size {
		want := int(min(f.Size-total, readAtOnce))
		n, err := rawfile.Read(fd, abs, r.buf[:want+1], want) // one more byte shows that the file grew
		if err != nil {
			return false, err
		}
		r.sum.Write(r.buf[:n])
		if total += int64(n); n < want {
			break
		}
		if total < f.Size && r.progress != nil {
			r.progress()
		}
	}
	r.sum.Sum(f.SHA256[:0])
	return total != f.Size, nil
}

// isClean reports whether a name is a valid path of a fact.
func isClean(name string) bool {
	return name != "" && path.Clean(name) == name && !strings.HasPrefix(name, "../") && name != ".." && strings.IndexByte(name, 0) < 0
}

// ReadText returns the content of a text file, whose path is spelled as in facts. A link, a
// path through a link, a file of more than limit bytes and a file that is not valid UTF-8
// or contains a zero byte are errors.
func (p *Prober) ReadText(path string, limit int64) (string, error) {
	f, err := p.readPath(path)
	switch {
	case err != nil:
		return "", err
	case f.Parent != "":
		return "", fmt.Errorf("%s is reached through the %s", path, f.Parent)
	case f.Type == facts.Absent:
		return "", &fs.PathError{Op: "read", Path: path, Err: fs.ErrNotExist}
	case f.Type != facts.Regular:
		return "", fmt.Errorf("%s is not a file (%s)", path, f.Type)
	}
	b, err := rawfile.ReadFile(p.abs(path), limit, rawfile.NoFollow)
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	if !utf8.Valid(b) || strings.IndexByte(string(b), 0) >= 0 {
		return "", fmt.Errorf("%s is not text", path)
	}
	return string(b), nil
}
