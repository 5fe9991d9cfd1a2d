package wheels

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/klauspost/compress/flate"
	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// ErrArchive means that an archive is not the wheel of the lock: it has another size or
// digest, and has to be fetched again.
var ErrArchive = errors.New("the archive is not the locked wheel")

// ErrInvalid means that a wheel does not conform to the format of wheels, or exceeds a
// limit. Fetching it again does not help.
var ErrInvalid = errors.New("the wheel is invalid")

// Limits of a wheel. Large ones have 20,000 files and 5 GB.
const (
	maxFiles    = 200_000
	maxUnpacked = 64 << 30
	maxName     = 1024     // bytes
	maxMetadata = 64 << 20 // bytes of a file that is read whole
)

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrInvalid, fmt.Errorf(format, args...))
}

// An archive is the open archive of a wheel.
type archive struct {
	name   string
	f      *os.File
	opened unix.Stat_t
	zip    *zip.Reader
	files  []member
}

// A member is a file of an archive.
type member struct {
	File // without the digest
	zip  *zip.File
	want recorded
}

// openArchive opens an archive with the size and the digest of a wheel. fetched is nil or as in
// UnpackFetched.
func openArchive(ctx context.Context, name string, fetched fs.FileInfo, w lock.Wheel) (*archive, error) {
	a := &archive{name: name}
	fd, err := openRegular(name, &a.opened)
	if err != nil {
		return nil, err
	}
	a.f = os.NewFile(uintptr(fd), name)
	if !a.isFetched(fetched) || w.Size > 0 && a.opened.Size != w.Size || w.SHA256.IsZero() {
		err = a.compare(ctx, w)
	}
	if err == nil {
		err = a.list(a.f, a.opened.Size)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), a.f.Close())
	}
	return a, nil
}

// isFetched reports whether the archive has the attributes of a file.
func (a *archive) isFetched(file fs.FileInfo) bool {
	if file == nil {
		return false
	}
	opened, err := a.f.Stat()
	return err == nil && os.SameFile(opened, file) && opened.Size() == file.Size() && opened.ModTime().Equal(file.ModTime())
}

// compare compares the archive with the wheel of a lock.
func (a *archive) compare(ctx context.Context, w lock.Wheel) error {
	if w.Size > 0 && a.opened.Size != w.Size {
		return fmt.Errorf("%w: it has %d bytes, not %d", ErrArchive, a.opened.Size, w.Size)
	}
	sum, err := rawfile.SHA256(ctx, io.NewSectionReader(a.f, 0, a.opened.Size))
	if err != nil {
		return err
	}
	if sum != w.SHA256 || w.SHA256.IsZero() {
		return fmt.Errorf("%w: its SHA-256 is %x, not %s", ErrArchive, sum, w.SHA256)
	}
	return nil
}

// checkUnmodified returns an error if the archive was modified since it was opened.
func (a *archive) checkUnmodified() error {
	var now unix.Stat_t
	err := unix.Fstat(int(a.f.Fd()), &now)
	if err == nil && (now.Mtim != a.opened.Mtim || now.Size != a.opened.Size) {
		err = errors.New("it was modified while it was unpacked")
	}
	if err != nil {
		return fmt.Errorf("%s: %w", a.name, err)
	}
	return nil
}

// list reads the directory of an archive. Its directories are ignored, since every file
// has a path.
func (a *archive) list(r io.ReaderAt, size int64) error {
	z, err := zip.NewReader(r, size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return invalid("read the directory of the archive: %w", err)
	}
	z.RegisterDecompressor(zip.Deflate, inflate)
	if len(z.File) > maxFiles {
		return invalid("it has %d files, more than the limit of %d", len(z.File), maxFiles)
	}
	a.zip = z
	a.files = make([]member, 0, len(z.File))
	kinds := make(map[string]bool, len(z.File)) // true for files, false for directories
	var total uint64
	for _, f := range z.File {
		name, isDir := strings.CutSuffix(f.Name, "/")
		if err := checkName(name); err != nil {
			return invalid("%w", err)
		}
		if isDir {
			continue
		}
		m, err := newMember(f)
		if err != nil {
			return invalid("%q: %w", f.Name, err)
		}
		if total += f.UncompressedSize64; total > maxUnpacked || f.UncompressedSize64 > maxUnpacked {
			return invalid("it has more than %d bytes unpacked", int64(maxUnpacked))
		}
		if _, ok := kinds[name]; ok {
			return invalid("%q is in the archive twice", name)
		}
		kinds[name] = true
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			isFile, ok := kinds[dir]
			if isFile {
				return invalid("%q is a file and a directory", dir)
			}
			if ok {
				break
			}
			kinds[dir] = false
		}
		a.files = append(a.files, m)
	}
	return nil
}

func newMember(f *zip.File) (member, error) {
	mode := f.Mode()
	switch {
	case mode&fs.ModeSymlink != 0:
		return member{}, errors.New("it is a link")
	case !mode.IsRegular():
		return member{}, fmt.Errorf("it is not a regular file: %s", mode)
	case f.Flags&1 != 0:
		return member{}, errors.New("it is encrypted")
	case f.Method != zip.Store && f.Method != zip.Deflate:
		return member{}, fmt.Errorf("its compression method is %d, neither stored nor deflated", f.Method)
	}
	m := member{zip: f, File: File{Path: f.Name, Size: int64(f.UncompressedSize64), Mode: 0o644, MTime: modified(f)}}
	if mode&0o111 != 0 && f.CreatorVersion>>8 != 0 { // creators for MS-DOS have no such bit
		m.Mode = 0o755
	}
	return m, nil
}

// dosEpoch is the first second of the clock of MS-DOS, in s since 1970.
const dosEpoch = 315532800

// modified returns the modification time of a file in ns, in whole seconds, which every
// file system can store. Bytecode contains it in 32 bits.
func modified(f *zip.File) int64 {
	t := f.Modified.Unix()
	if t <= 0 || t > 1<<32-1 {
		t = dosEpoch
	}
	return t * 1e9
}

// checkName returns an error unless a name of an archive is a clean relative path.
func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("a file has no name")
	case len(name) > maxName:
		return fmt.Errorf("the file name %.40q… has %d bytes", name, len(name))
	case !utf8.ValidString(name):
		return fmt.Errorf("the file name %q is not UTF-8", name)
	case name[0] == '/':
		return fmt.Errorf("the file name %q is absolute", name)
	case strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' }):
		return fmt.Errorf("the file name %q contains a backslash or a control character", name)
	case name != path.Clean(name) || name == "." || name == ".." || strings.HasPrefix(name, "../"):
		return fmt.Errorf("the file name %q leads out of the archive or is not clean", name)
	}
	return nil
}

// read returns the content of a file of the archive.
func (m *member) read() ([]byte, error) {
	if m.Size > maxMetadata {
		return nil, invalid("%q has %d bytes, more than the limit of %d", m.Path, m.Size, maxMetadata)
	}
	r, err := m.zip.Open()
	if err != nil {
		return nil, invalid("%q: %w", m.Path, err)
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, m.Size+1))
	if err != nil {
		return nil, invalid("%q: %w", m.Path, err)
	}
	if int64(len(b)) != m.Size {
		return nil, invalid("%q has %d bytes, not %d", m.Path, len(b), m.Size)
	}
	return b, nil
}

// inflaters are reused, since each has a window and tables.
var inflaters sync.Pool

// inflate decompresses like the standard library, in three quarters of the time for
// compiled code.
func inflate(r io.Reader) io.ReadCloser {
	f, ok := inflaters.Get().(io.ReadCloser)
	if !ok {
		return &inflater{flate.NewReader(r)}
	}
	_ = f.(flate.Resetter).Reset(r, nil) // only a dictionary can be invalid
	return &inflater{f}
}

// An inflater returns its decompressor to the pool.
type inflater struct{ io.ReadCloser }

func (i *inflater) Close() error {
	if i.ReadCloser == nil {
		return nil
	}
	err := i.ReadCloser.Close()
	inflaters.Put(i.ReadCloser)
	i.ReadCloser = nil
	return err
}
