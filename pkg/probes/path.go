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

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/facts"
)

const (
	// hashLimit is the size up to which the content of a file is a fact.
	hashLimit = 64 << 20
	// readAtOnce is the buffer of one goroutine: most files are one read.
	readAtOnce = 128 << 10
)

// A looker looks at one path after the other with one buffer, and keeps what it
// found of the directories on the way.
type looker struct {
	p    *Prober
	buf  []byte
	sum  hash.Hash
	ways *ways
	beat func() // called while a long file is read; may be nil

	lastDir string // the directory asked last, which most neighbours share
	last    parent
}

// A parent is what the way to some path is made of.
type parent struct {
	text string // "link data -> /mnt": the first that is not a plain directory; "" for none
	gone bool   // some directory is absent, or stands behind a file: nothing can be below
	err  error  // why it could not be looked at
}

// plain is a way through directories alone.
var plain = &parent{}

// ways are the directories that the lookers of one probe have met: each is looked
// at once, whoever comes by.
type ways struct {
	mu    sync.Mutex
	found map[string]*parent
}

func (w *ways) get(dir string) (*parent, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	found, ok := w.found[dir]
	return found, ok
}

func (w *ways) put(dir string, found *parent) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.found == nil {
		w.found = map[string]*parent{}
	}
	w.found[dir] = found
}

// newLooker returns a looker that shares what it finds with others.
func newLooker(p *Prober, w *ways) *looker { return &looker{p: p, ways: w} }

// look returns what stands at a path, spelled as in facts.
func (l *looker) look(name string) (facts.Path, error) {
	f := facts.Path{Path: name, Type: facts.Absent}
	up := l.parent(dirOf(name))
	if f.Parent = up.text; up.err != nil || up.gone {
		return f, up.err
	}
	abs := l.abs(name)
	for range 3 { // a file that is replaced while it is read is read again
		again, err := l.lookOnce(abs, &f)
		if err == nil && f.Type == facts.Dir && up.text == "" {
			l.ways.put(name, plain) // files below it need not look again
		}
		if err != nil || !again {
			return f, err
		}
	}
	return f, fmt.Errorf("%s changes while it is read", name)
}

// abs is filepath.Join without its cleaning: names in facts are clean.
func (l *looker) abs(name string) string {
	switch {
	case name == ".":
		return l.p.root
	case name[0] == '/':
		return name
	}
	return l.p.root + "/" + name
}

// dirOf returns the directory of a clean path without allocating: "" for what
// lies directly in the project or in /.
func dirOf(name string) string {
	i := strings.LastIndexByte(name, '/')
	if i <= 0 {
		return ""
	}
	return name[:i]
}

// parent looks at a directory that others are below, each once.
func (l *looker) parent(dir string) parent {
	if dir == "" {
		return parent{}
	}
	if dir == l.lastDir {
		return l.last
	}
	known, ok := l.ways.get(dir)
	if !ok {
		found := l.parent(dirOf(dir))
		if found == (parent{}) {
			found = l.lookParent(dir)
		} else if !found.gone && found.err == nil {
			found.gone, found.err = l.isGone(dir)
		}
		if known = &found; found == (parent{}) {
			known = plain
		}
		l.ways.put(dir, known)
	}
	l.lastDir, l.last = dir, *known
	return l.last
}

// lookParent looks at a directory all of whose parents are plain.
func (l *looker) lookParent(dir string) parent {
	abs := l.abs(dir)
	var st unix.Stat_t
	err := lstat(abs, &st)
	switch {
	case isGone(err):
		return parent{gone: true}
	case err != nil:
		return parent{err: err}
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return parent{}
	case unix.S_IFLNK:
		target, err := os.Readlink(abs)
		if err != nil {
			return parent{err: err}
		}
		gone, err := l.isGone(dir)
		return parent{text: "link " + dir + " -> " + target, gone: gone, err: err}
	case unix.S_IFREG:
		return parent{text: "file " + dir, gone: true}
	}
	return parent{text: "other " + dir, gone: true}
}

// isGone reports whether nothing can be below dir, through whatever links lead
// there.
func (l *looker) isGone(dir string) (bool, error) {
	info, err := os.Stat(l.abs(dir))
	switch {
	case isGone(err), errors.Is(err, unix.ELOOP):
		return true, nil
	case err != nil:
		return false, err
	}
	return !info.IsDir(), nil
}

// isGone reports whether an error says that nothing is there.
func isGone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR)
}

func lstat(name string, st *unix.Stat_t) error {
	for {
		err := unix.Lstat(name, st)
		if err == nil {
			return nil
		}
		if err != unix.EINTR {
			return &fs.PathError{Op: "lstat", Path: name, Err: err}
		}
	}
}

// lookOnce fills in f, or returns true if the file changed under its eyes.
func (l *looker) lookOnce(abs string, f *facts.Path) (again bool, err error) {
	*f = facts.Path{Path: f.Path, Type: facts.Absent, Parent: f.Parent}
	var st unix.Stat_t
	if err := lstat(abs, &st); isGone(err) {
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
		f.Target, err = os.Readlink(abs)
		return errors.Is(err, unix.EINVAL), ignore(err, unix.EINVAL)
	case unix.S_IFREG:
		f.Type, f.Size = facts.Regular, st.Size
		if st.Size <= hashLimit {
			return l.hash(abs, f)
		}
	default:
		f.Type = facts.Other
	}
	return false, nil
}

func ignore(err, known error) error {
	if errors.Is(err, known) {
		return nil
	}
	return err
}

// hash reads a regular file without Go's poller; what took its place in between,
// a link or a pipe, is neither followed nor waited for.
func (l *looker) hash(abs string, f *facts.Path) (again bool, err error) {
	if f.Size == 0 {
		f.SHA256 = sha256.Sum256(nil)
		return false, nil
	}
	fd, err := openFile(abs)
	if isGone(err) || errors.Is(err, unix.ELOOP) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	defer unix.Close(fd)
	if l.buf == nil {
		l.buf, l.sum = make([]byte, readAtOnce), sha256.New()
	}
	if f.Size < readAtOnce {
		// Room for one byte more than stated tells a file that grew.
		n, err := readUntil(fd, l.buf[:f.Size+1], int(f.Size))
		if err != nil {
			return false, &fs.PathError{Op: "read", Path: abs, Err: err}
		}
		f.SHA256 = sha256.Sum256(l.buf[:n])
		return int64(n) != f.Size, nil
	}
	return l.hashLong(fd, abs, f)
}

func (l *looker) hashLong(fd int, abs string, f *facts.Path) (again bool, err error) {
	l.sum.Reset()
	var total int64
	for total <= f.Size {
		n, err := readUntil(fd, l.buf, len(l.buf))
		if err != nil {
			return false, &fs.PathError{Op: "read", Path: abs, Err: err}
		}
		l.sum.Write(l.buf[:n])
		if total += int64(n); n < len(l.buf) {
			break
		}
		if l.beat != nil {
			l.beat()
		}
	}
	l.sum.Sum(f.SHA256[:0])
	return total != f.Size, nil
}

func openFile(name string) (int, error) {
	for {
		fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
		if err == nil {
			return fd, nil
		}
		if err != unix.EINTR {
			return -1, &fs.PathError{Op: "open", Path: name, Err: err}
		}
	}
}

// readHead reads the beginning of a file with a single call. Large machines have
// hundreds of devices, and Go's poller makes four times as many calls.
func readHead(name string, buf []byte) ([]byte, error) {
	fd, err := openFile(name)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	n, err := readUntil(fd, buf, 1)
	return buf[:n], err
}

// readUntil reads until it has want bytes or the file ends; what comes beyond
// them in the same call counts too.
func readUntil(fd int, buf []byte, want int) (int, error) {
	total := 0
	for total < want {
		n, err := unix.Read(fd, buf[total:])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return total, err
		}
		if n == 0 {
			break
		}
		total += n
	}
	return total, nil
}

// clean reports whether a name is one that facts can have.
func clean(name string) bool {
	return name != "" && path.Clean(name) == name && !strings.HasPrefix(name, "../") && name != ".." && strings.IndexByte(name, 0) < 0
}
