package apply

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/pybuild"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Limits of an archive. A Python has about 10,000 entries and 200 MB.
const (
	maxEntries  = 200_000
	maxUnpacked = 8 << 30
)

// unpacking is the extraction of one archive into a new directory.
type unpacking struct {
	ctx     context.Context
	root    *os.Root // the new directory
	strip   int
	entries int
	bytes   int64
	links   []string
	sums    map[string]pybuild.Digest // of files, by path
	times   []*tar.Header             // of directories, set last
}

// unpack extracts an archive into a new directory, and seals it there. An absolute path, a
// path outside the archive, a device and a duplicate entry are errors.
func unpack(ctx context.Context, s resources.Fetch, from, to place) error {
	if s.Unpack != "tar.gz" {
		return fmt.Errorf("unknown archive type %q", s.Unpack)
	}
	f, err := rawfile.OpenRoot(from.root, from.rel, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := to.root.Mkdir(to.rel, 0o755); err != nil {
		return err
	}
	if err := to.root.Chmod(to.rel, 0o755); err != nil {
		return err
	}
	root, err := to.root.OpenRoot(to.rel)
	if err != nil {
		return err
	}
	defer root.Close()
	u := &unpacking{ctx: ctx, root: root, strip: s.Strip, sums: map[string]pybuild.Digest{}}
	if err := u.all(f); err != nil {
		return err
	}
	return pybuild.Seal(to.abs(), s.SHA256, u.sums)
}

func (u *unpacking) all(from io.Reader) error {
	z, err := gzip.NewReader(from)
	if err != nil {
		return err
	}
	r := tar.NewReader(z)
	for {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if err := u.ctx.Err(); err != nil {
			return err
		}
		if u.entries++; u.entries > maxEntries {
			return fmt.Errorf("the archive has more than %d entries", maxEntries)
		}
		if err := u.entry(h, r); err != nil {
			return fmt.Errorf("entry %q: %w", h.Name, err)
		}
	}
	if u.entries == 0 {
		return errors.New("the archive is empty")
	}
	return u.end()
}

// errOutside is the error of every path outside the new directory.
var errOutside = errors.New("the path is outside the archive")

// local returns a name of the archive without its stripped directories; "" if nothing
// is left.
func (u *unpacking) local(name string) (string, error) {
	if strings.ContainsRune(name, 0) || path.IsAbs(name) {
		return "", errOutside
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." {
			return "", errOutside
		}
	}
	parts := strings.Split(path.Clean(name), "/")
	if len(parts) <= u.strip || parts[0] == "." {
		return "", nil
	}
	return path.Join(parts[u.strip:]...), nil
}

func (u *unpacking) entry(h *tar.Header, r io.Reader) error {
	if h.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	name, err := u.local(h.Name)
	if err != nil || name == "" {
		return err
	}
	if err := u.root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeDir:
		h.Name = name
		u.times = append(u.times, h)
		return u.dir(name)
	case tar.TypeReg:
		return u.file(name, h, r)
	case tar.TypeSymlink:
		return u.symlink(name, h.Linkname)
	case tar.TypeLink:
		old, err := u.local(h.Linkname)
		if err != nil {
			return err
		}
		u.sums[name] = u.sums[old]
		return u.root.Link(old, name)
	}
	return errors.New("the entry is neither a file, a directory nor a link")
}

func (u *unpacking) dir(name string) error {
	err := u.root.Mkdir(name, 0o755)
	if errors.Is(err, fs.ErrExist) {
		info, err := u.root.Lstat(name)
		if err == nil && !info.IsDir() {
			return errors.New("duplicate entry")
		}
		return err
	}
	return err
}

func (u *unpacking) file(name string, h *tar.Header, r io.Reader) error {
	if u.bytes += h.Size; u.bytes > maxUnpacked {
		return fmt.Errorf("the archive has more than %d bytes unpacked", int64(maxUnpacked))
	}
	f, err := u.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	mode := fs.FileMode(0o644)
	if h.FileInfo().Mode()&0o100 != 0 {
		mode = 0o755
	}
	sum := sha256.New()
	_, err = io.Copy(io.MultiWriter(f, sum), r)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	u.sums[name] = pybuild.Digest(sum.Sum(nil))
	return u.root.Chtimes(name, h.ModTime, h.ModTime) // bytecode in the archive contains the time of its source
}

func (u *unpacking) symlink(name, target string) error {
	if path.IsAbs(target) || !filepath.IsLocal(path.Join(path.Dir(name), target)) {
		return errOutside
	}
	u.links = append(u.links, name)
	return u.root.Symlink(target, name)
}

// end checks the links after everything is extracted: a link may lead outside through
// another link. Then it sets the times of directories.
func (u *unpacking) end() error {
	for _, name := range u.links {
		if _, err := u.root.Stat(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("link %q: %w", name, err)
		}
	}
	for _, h := range u.times {
		if err := u.root.Chtimes(h.Name, h.ModTime, h.ModTime); err != nil {
			return err
		}
	}
	return nil
}
