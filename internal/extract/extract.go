// Package extract extracts archives that others made into a new directory. An absolute path, a
// path or a link that leads out of the directory, a device and a duplicate entry are errors.
package extract

import (
	"archive/tar"
	"archive/zip"
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
	"time"
)

// Options are the limits of one extraction.
type Options struct {
	Strip   int   // leading directories of each path to drop
	Entries int   // maximum number of entries
	Bytes   int64 // maximum size of all files
}

// Sums are the SHA-256 digests of the extracted files, by slash-separated path.
type Sums map[string][sha256.Size]byte

// An extraction is that of one archive.
type extraction struct {
	Options
	ctx     context.Context
	root    *os.Root // the new directory
	entries int
	bytes   int64
	links   []string
	sums    Sums
	times   []directory // set last
}

type directory struct {
	name  string
	mtime time.Time
}

// errOutside is the error of every path outside the new directory.
var errOutside = errors.New("the path is outside the archive")

// TarGz extracts a tar file compressed by gzip into an empty directory.
func TarGz(ctx context.Context, from io.Reader, into *os.Root, o Options) (Sums, error) {
	z, err := gzip.NewReader(from)
	if err != nil {
		return nil, err
	}
	x := &extraction{Options: o, ctx: ctx, root: into, sums: Sums{}}
	r := tar.NewReader(z)
	for {
		h, err := r.Next()
		if err == io.EOF {
			return x.sums, x.end()
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			return nil, err
		}
		if err := x.count(); err != nil {
			return nil, err
		}
		if err := x.header(h, r); err != nil {
			return nil, fmt.Errorf("entry %q: %w", h.Name, err)
		}
	}
}

// Zip extracts a zip file of a size in bytes into an empty directory.
func Zip(ctx context.Context, from io.ReaderAt, size int64, into *os.Root, o Options) (Sums, error) {
	z, err := zip.NewReader(from, size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return nil, err
	}
	x := &extraction{Options: o, ctx: ctx, root: into, sums: Sums{}}
	for _, f := range z.File {
		if err := x.count(); err != nil {
			return nil, err
		}
		if err := x.member(f); err != nil {
			return nil, fmt.Errorf("entry %q: %w", f.Name, err)
		}
	}
	return x.sums, x.end()
}

// count counts an entry.
func (x *extraction) count() error {
	if err := x.ctx.Err(); err != nil {
		return err
	}
	if x.entries++; x.entries > x.Entries {
		return fmt.Errorf("the archive has more than %d entries", x.Entries)
	}
	return nil
}

// local returns a name of the archive without its stripped directories; "" if nothing is left.
func (x *extraction) local(name string) (string, error) {
	if strings.ContainsRune(name, 0) || path.IsAbs(name) {
		return "", errOutside
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." {
			return "", errOutside
		}
	}
	parts := strings.Split(path.Clean(name), "/")
	if len(parts) <= x.Strip || parts[0] == "." {
		return "", nil
	}
	return path.Join(parts[x.Strip:]...), nil
}

// header extracts an entry of a tar file.
func (x *extraction) header(h *tar.Header, r io.Reader) error {
	if h.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	name, err := x.local(h.Name)
	if err != nil || name == "" {
		return err
	}
	if err := x.root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeDir:
		return x.dir(name, h.ModTime)
	case tar.TypeReg:
		return x.file(name, h.Size, h.FileInfo().Mode(), h.ModTime, r)
	case tar.TypeSymlink:
		return x.symlink(name, h.Linkname)
	case tar.TypeLink:
		old, err := x.local(h.Linkname)
		if err != nil {
			return err
		}
		x.sums[name] = x.sums[old]
		return x.root.Link(old, name)
	}
	return errors.New("the entry is neither a file, a directory nor a link")
}

// member extracts an entry of a zip file.
func (x *extraction) member(f *zip.File) error {
	if strings.ContainsRune(f.Name, '\\') {
		return errOutside
	}
	name, err := x.local(f.Name)
	if err != nil || name == "" {
		return err
	}
	if err := x.root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	mode := f.Mode()
	switch {
	case mode.IsDir():
		return x.dir(name, f.Modified)
	case !mode.IsRegular():
		return errors.New("the entry is neither a file nor a directory")
	case f.UncompressedSize64 > uint64(x.Bytes):
		return x.tooLarge()
	}
	r, err := f.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	return x.file(name, int64(f.UncompressedSize64), mode, f.Modified, r)
}

func (x *extraction) dir(name string, mtime time.Time) error {
	x.times = append(x.times, directory{name, mtime})
	err := x.root.Mkdir(name, 0o755)
	if errors.Is(err, fs.ErrExist) {
		info, err := x.root.Lstat(name)
		if err == nil && !info.IsDir() {
			return errors.New("duplicate entry")
		}
		return err
	}
	return err
}

func (x *extraction) tooLarge() error {
	return fmt.Errorf("the archive has more than %d bytes unpacked", x.Bytes)
}

func (x *extraction) file(name string, size int64, mode fs.FileMode, mtime time.Time, r io.Reader) error {
	if size > x.Bytes-x.bytes {
		return x.tooLarge()
	}
	x.bytes += size
	f, err := x.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	perm := fs.FileMode(0o644)
	if mode&0o100 != 0 {
		perm = 0o755
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, sum), io.LimitReader(r, size+1))
	if err == nil && n != size {
		err = fmt.Errorf("it does not have %d bytes", size)
	}
	if err == nil {
		err = f.Chmod(perm)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	x.sums[name] = [sha256.Size]byte(sum.Sum(nil))
	return x.root.Chtimes(name, mtime, mtime) // bytecode in the archive contains the time of its source
}

func (x *extraction) symlink(name, target string) error {
	if path.IsAbs(target) || !filepath.IsLocal(path.Join(path.Dir(name), target)) {
		return errOutside
	}
	x.links = append(x.links, name)
	return x.root.Symlink(target, name)
}

// end checks the links after everything is extracted: a link may lead outside through another
// link. Then it sets the times of directories.
func (x *extraction) end() error {
	if x.entries == 0 {
		return errors.New("the archive is empty")
	}
	for _, name := range x.links {
		if _, err := x.root.Stat(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("link %q: %w", name, err)
		}
	}
	for _, d := range x.times {
		if err := x.root.Chtimes(d.name, d.mtime, d.mtime); err != nil {
			return err
		}
	}
	return nil
}
