// Package pybuild finds changes of a Python that was unpacked from a pinned archive. When it is
// unpacked, Seal writes a list of its files with their digests, and the digest of the archive.
//
// Bytecode that Python writes beside the sources of the list is no change: it depends on the
// source and the interpreter, and does not exist before the first start.
package pybuild

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/plural"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// SealName is the file with the list, in the top directory.
const SealName = "reconcile.seal"

// header begins a list. The number is the version of its format.
const header = "reconcile-python 1 "

// maxSeal is the maximum size of a list in bytes.
const maxSeal = 64 << 20

// ErrNoSeal means that a directory has no intact list: it was not unpacked by Seal's caller, or
// not completely.
var ErrNoSeal = errors.New("it has no intact list of its files")

// A Digest is a SHA-256.
type Digest = [sha256.Size]byte

// A Build is an unpacked Python.
type Build struct {
	Dir     string // absolute
	Archive Digest // of the archive
	files   map[string]file
}

// A file is a regular file, or a symbolic link if target is not "".
type file struct {
	sum          Digest
	mode         uint32
	size         int64
	mtime, ctime int64 // ns since 1970
	target       string
}

// Seal writes the list of the files below dir, which were unpacked from an archive. sums are
// their digests by slash-separated path.
func Seal(dir string, archive Digest, sums map[string]Digest) error {
	var lines []string
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		if d.Type() == fs.ModeSymlink {
			target, err := os.Readlink(name)
			lines = append(lines, fmt.Sprintf("link %q %q", rel, target))
			return err
		}
		sum, ok := sums[filepath.ToSlash(rel)]
		if !ok {
			return fmt.Errorf("%s is not from the archive", name)
		}
		var st unix.Stat_t
		if err := rawfile.Lstat(name, &st); err != nil {
			return err
		}
		lines = append(lines, fmt.Sprintf("file %x %o %d %d %d %q", sum, uint32(st.Mode)&0o7777, st.Size, unix.TimespecToNsec(st.Mtim), unix.TimespecToNsec(st.Ctim), rel))
		return nil
	})
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(dir, SealName), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(header + hex.EncodeToString(archive[:]) + "\n" + strings.Join(lines, "\n") + "\n")
	return errors.Join(err, f.Close())
}

// Open reads the list in dir. The error wraps ErrNoSeal if there is no intact one.
func Open(dir string) (*Build, error) {
	text, err := rawfile.ReadFile(filepath.Join(dir, SealName), maxSeal, rawfile.NoFollow)
	if rawfile.IsAbsent(err) {
		return nil, ErrNoSeal
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoSeal, err)
	}
	b := &Build{Dir: dir, files: map[string]file{}}
	first, rest, _ := strings.Cut(string(text), "\n")
	digest, ok := strings.CutPrefix(first, header)
	if !ok || !parseDigest(digest, &b.Archive) || !strings.HasSuffix(rest, "\n") {
		return nil, ErrNoSeal
	}
	for line := range strings.Lines(rest) {
		if !b.parse(strings.TrimSuffix(line, "\n")) {
			return nil, ErrNoSeal
		}
	}
	return b, nil
}

func parseDigest(text string, to *Digest) bool {
	if len(text) != 2*len(to) {
		return false
	}
	_, err := hex.Decode(to[:], []byte(text))
	return err == nil
}

// parse adds a line of the list.
func (b *Build) parse(line string) bool {
	var f file
	kind, rest, _ := strings.Cut(line, " ")
	switch kind {
	case "link":
		quoted, err := strconv.QuotedPrefix(rest)
		if err != nil || !strings.HasPrefix(rest[len(quoted):], " ") {
			return false
		}
		if f.target, err = strconv.Unquote(rest[len(quoted)+1:]); err != nil || f.target == "" {
			return false
		}
		rest = quoted
	case "file":
		words := strings.SplitN(rest, " ", 6)
		if len(words) != 6 || !parseDigest(words[0], &f.sum) {
			return false
		}
		mode, errMode := strconv.ParseUint(words[1], 8, 32)
		size, errSize := strconv.ParseInt(words[2], 10, 64)
		mtime, errMTime := strconv.ParseInt(words[3], 10, 64)
		ctime, errCTime := strconv.ParseInt(words[4], 10, 64)
		if errors.Join(errMode, errSize, errMTime, errCTime) != nil {
			return false
		}
		f.mode, f.size, f.mtime, f.ctime = uint32(mode), size, mtime, ctime
		rest = words[5]
	default:
		return false
	}
	name, err := strconv.Unquote(rest)
	if _, twice := b.files[name]; err != nil || twice || !filepath.IsLocal(name) {
		return false
	}
	b.files[name] = f
	return true
}

// Changed returns the files that are missing, were changed or were added, sorted. It compares
// size, mode, modification time and the time of the last change of the metadata, which no
// program can set, and the digest only of files whose times differ: a copied or restored
// directory is intact.
func (b *Build) Changed(ctx context.Context) ([]string, error) { return b.compare(ctx, false) }

// Verify is the same as Changed, but compares the digest of every file.
func (b *Build) Verify(ctx context.Context) ([]string, error) { return b.compare(ctx, true) }

func (b *Build) compare(ctx context.Context, deep bool) ([]string, error) {
	c := comparison{Build: b, ctx: ctx, deep: deep, seen: make(map[string]bool, len(b.files))}
	if err := c.directory("."); err != nil {
		return nil, err
	}
	for name := range b.files {
		if !c.seen[name] {
			c.changed = append(c.changed, name)
		}
	}
	slices.Sort(c.changed)
	return c.changed, nil
}

// A comparison is one call of Changed or Verify.
type comparison struct {
	*Build
	ctx     context.Context
	deep    bool
	seen    map[string]bool
	changed []string
}

// directory compares the files in a directory and below it.
func (c *comparison) directory(dir string) error {
	entries, err := os.ReadDir(filepath.Join(c.Dir, dir))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		name := path.Join(dir, e.Name())
		if e.IsDir() {
			if err := c.directory(name); err != nil {
				return err
			}
			continue
		}
		f, listed := c.files[name]
		if !listed {
			if name != SealName && !(e.Type().IsRegular() && c.isBytecode(name)) {
				c.changed = append(c.changed, name)
			}
			continue
		}
		c.seen[name] = true
		same, err := c.isSame(name, f)
		if err != nil {
			return err
		}
		if !same {
			c.changed = append(c.changed, name)
		}
	}
	return nil
}

// isBytecode reports whether Python writes a file at the path beside a source of the list:
// lib/python3.10/__pycache__/os.cpython-310.pyc, or the temporary file for it.
func (c *comparison) isBytecode(name string) bool {
	dir, base := path.Split(name)
	stem, rest, ok := strings.Cut(base, ".cpython-")
	if !ok || path.Base(dir) != "__pycache__" || !strings.Contains(rest, ".pyc") {
		return false
	}
	_, listed := c.files[path.Join(path.Dir(path.Clean(dir)), stem+".py")]
	return listed
}

// isSame reports whether a file is the one that was unpacked.
func (c *comparison) isSame(name string, f file) (bool, error) {
	full := filepath.Join(c.Dir, name)
	if f.target != "" {
		target, err := os.Readlink(full)
		return err == nil && target == f.target, nil
	}
	var st unix.Stat_t
	if err := rawfile.Lstat(full, &st); err != nil {
		return false, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || uint32(st.Mode)&0o7777 != f.mode || st.Size != f.size {
		return false, nil
	}
	if !c.deep && unix.TimespecToNsec(st.Mtim) == f.mtime && unix.TimespecToNsec(st.Ctim) == f.ctime {
		return true, nil
	}
	open, err := rawfile.OpenFile(full, rawfile.NoFollow)
	if err != nil {
		return false, err
	}
	defer open.Close()
	sum, err := rawfile.SHA256(c.ctx, open)
	return sum == f.sum, err
}

// Forget removes the list in dir, if there is one, so that the build is fetched again.
func Forget(dir string) error {
	if err := os.Remove(filepath.Join(dir, SealName)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// ChangedText describes changed files, of which there is at least one: "os.py and 2 other files
// were changed since it was unpacked".
func ChangedText(changed []string) string {
	if len(changed) == 1 {
		return changed[0] + " was changed since it was unpacked"
	}
	return fmt.Sprintf("%s and %s were changed since it was unpacked", changed[0], plural.Count(len(changed)-1, "other file"))
}
