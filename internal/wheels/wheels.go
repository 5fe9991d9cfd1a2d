// Package wheels unpacks wheels into a store, once for all environments, and assembles
// the unpacked wheels into a Python environment. It uses no network and starts no program.
//
//	<entry>/files/…                        the files of the archive
//	<entry>/bytecode/cpython-310/…         bytecode that was compiled from them, see Source.Keep
//	<entry>/entry.json                     written last; without it the entry is ignored
//
// Unpack checks every file once, with the digests in the wheel's RECORD. Afterwards an
// entry is trusted as long as size, modification time, mode and type of its files remain
// the same. Assemble makes hard links or clones, so that an environment needs no space of
// its own. A program that writes into a hard-linked file changes the entry and all
// environments with it: Assemble then reports a ChangedError, and Unpack replaces the
// entry. Python and editors that replace files by renaming do not.
//
// The format of wheels: https://packaging.python.org/en/latest/specifications/binary-distribution-format/
package wheels

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/pep"
	"github.com/reconcile-ml/reconcile/internal/pyenv"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// bytecodeDir is a directory of an entry; layout.DistFiles and layout.DistEntry name the rest.
const bytecodeDir = "bytecode"

// entryFormat is the version of entry.json. An entry of another version is damaged.
const entryFormat = 1

// maxEntryFile is the maximum size of an entry.json in bytes.
const maxEntryFile = 256 << 20

// ErrDamaged means that an entry.json is not one that Unpack wrote. Unpack replaces the
// entry.
var ErrDamaged = errors.New("the unpacked wheel is damaged")

// An Entry is an unpacked wheel.
type Entry struct {
	Dir     string       `json:"-"` // absolute
	Format  int          `json:"format"`
	Boot    string       `json:"boot,omitempty"` // identifies the start of the kernel since which it exists
	SHA256  facts.SHA256 `json:"sha256"`         // of the archive
	Name    string       `json:"name"`           // normalised
	Version string       `json:"version"`        // as in METADATA
	InfoDir string       `json:"info_dir"`       // "tqdm-4.66.2.dist-info"
	Pure    bool         `json:"pure"`           // Root-Is-Purelib
	Console []EntryPoint `json:"console_scripts,omitempty"`
	GUI     []EntryPoint `json:"gui_scripts,omitempty"`
	Files   []File       `json:"files"` // by path
}

// An EntryPoint is a script that calls a function.
type EntryPoint struct {
	Name   string `json:"name"`   // file name of the script
	Module string `json:"module"` // "tqdm.cli"
	Object string `json:"object"` // "main", "Class.method"
}

// A File is a file of a wheel.
type File struct {
	Path   string       `json:"path"` // in the archive, clean and slash-separated
	Size   int64        `json:"size"`
	SHA256 facts.SHA256 `json:"sha256"`
	Mode   facts.Mode   `json:"mode"`  // 0644 or 0755
	MTime  int64        `json:"mtime"` // ns since 1970, in whole seconds
}

// A ChangedError means that a file of an entry is no longer the one that was unpacked.
// Unpack replaces the entry.
type ChangedError struct {
	Dir, Name, Version string
	Path               string // of the file, in the wheel
}

func (e *ChangedError) Error() string {
	return fmt.Sprintf("%s of %s %s, unpacked in %s, was changed", e.Path, e.Name, e.Version, e.Dir)
}

// Open reads an entry. The error wraps fs.ErrNotExist if Unpack did not complete it, and
// ErrDamaged if its description is invalid.
func Open(dir string) (*Entry, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	b, err := rawfile.ReadFile(layout.DistEntry(dir), maxEntryFile, rawfile.NoFollow)
	if rawfile.IsAbsent(err) {
		return nil, &fs.PathError{Op: "open", Path: dir, Err: fs.ErrNotExist}
	}
	if err != nil {
		return nil, err
	}
	e := &Entry{Dir: dir}
	if err := e.decode(b); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", dir, ErrDamaged, err)
	}
	return e, nil
}

// checksumKey separates the checksum of an entry.json from the text that it covers.
const checksumKey = `,"checksum":"`

// encode returns the text of entry.json, with a checksum over every byte before it. The
// checksum finds accidental changes: who may write in the store can compute another one.
func (e *Entry) encode() ([]byte, error) {
	b, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	b = bytes.TrimSuffix(b, []byte("}"))
	sum := sha256.Sum256(b)
	b = append(b, checksumKey...)
	b = hex.AppendEncode(b, sum[:])
	return append(b, "\"}"...), nil
}

// decode reads a text that encode returned.
func (e *Entry) decode(b []byte) error {
	i := bytes.LastIndex(b, []byte(checksumKey))
	if i < 0 {
		return errors.New("it has no checksum")
	}
	sum := sha256.Sum256(b[:i])
	if string(b[i+len(checksumKey):]) != hex.EncodeToString(sum[:])+"\"}" {
		return errors.New("its checksum differs")
	}
	if err := json.Unmarshal(b, e); err != nil {
		return err
	}
	return e.validate()
}

// validate returns an error for an entry that could not be assembled, or that would write
// outside its environment.
func (e *Entry) validate() error {
	stem, ok := strings.CutSuffix(e.InfoDir, infoSuffix)
	switch {
	case e.Format != entryFormat:
		return fmt.Errorf("its format is %d, not %d", e.Format, entryFormat)
	case e.SHA256.IsZero():
		return errors.New("it has no digest of the archive")
	case !ok || stem == "" || strings.Contains(stem, "/") || checkName(e.InfoDir) != nil || e.Name == "" || e.Name != pep.Normalize(e.Name) || e.Version == "":
		return errors.New("it has no name")
	}
	for i, f := range e.Files {
		if err := checkName(f.Path); err != nil {
			return err
		}
		if i > 0 && e.Files[i-1].Path >= f.Path {
			return errors.New("its files are not sorted")
		}
		if f.Size < 0 || f.Mode != 0o644 && f.Mode != 0o755 {
			return fmt.Errorf("%q has the size %d and the mode %s", f.Path, f.Size, f.Mode)
		}
		if _, err := e.place(f.Path); err != nil {
			return err
		}
	}
	for _, p := range slices.Concat(e.Console, e.GUI) {
		if err := p.check(); err != nil {
			return err
		}
	}
	return nil
}

// Size returns the total size of the files in bytes.
func (e *Entry) Size() int64 {
	var total int64
	for _, f := range e.Files {
		total += f.Size
	}
	return total
}

// file returns a file by its path, or nil.
func (e *Entry) file(name string) *File {
	i, ok := slices.BinarySearchFunc(e.Files, name, func(f File, name string) int { return strings.Compare(f.Path, name) })
	if !ok {
		return nil
	}
	return &e.Files[i]
}

// FilePath returns the absolute path of a file of the wheel in the entry.
func (e *Entry) FilePath(name string) string {
	return filepath.Join(layout.DistFiles(e.Dir), filepath.FromSlash(name))
}

// Changed returns the files whose size, modification time, mode or type differ from those
// that were unpacked, and the missing ones. It does not read their contents.
func (e *Entry) Changed() ([]string, error) {
	var changed []string
	for i := range e.Files {
		f := &e.Files[i]
		differs, err := f.isChanged(e.FilePath(f.Path))
		if err != nil {
			return nil, err
		}
		if differs {
			changed = append(changed, f.Path)
		}
	}
	return changed, nil
}

// isChanged reports whether the file at name is missing or differs.
func (f *File) isChanged(name string) (bool, error) {
	var st unix.Stat_t
	err := rawfile.Lstat(name, &st)
	if rawfile.IsAbsent(err) {
		return true, nil
	}
	return err == nil && !f.matches(&st), err
}

// matches reports whether a file has the attributes that it had after unpacking.
func (f *File) matches(st *unix.Stat_t) bool {
	return st.Mode&unix.S_IFMT == unix.S_IFREG && facts.Mode(st.Mode&0o7777) == f.Mode &&
		st.Size == f.Size && unix.TimespecToNsec(st.Mtim) == f.MTime
}

// Verify returns the files whose content or attributes differ from those that were
// unpacked, and the missing ones. It reads every file except those in known, which may be
// nil: an environment with hard links has the same files.
func (e *Entry) Verify(ctx context.Context, known pyenv.Hashed) ([]string, error) {
	damaged, err := e.Changed()
	if err != nil {
		return nil, err
	}
	bad := make(map[string]bool, len(damaged))
	for _, name := range damaged {
		bad[name] = true
	}
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range e.Files {
		f := &e.Files[i]
		if bad[f.Path] {
			continue
		}
		group.Go(func() error {
			var st unix.Stat_t
			if rawfile.Lstat(e.FilePath(f.Path), &st) == nil && known[pyenv.IDOf(&st)] == f.SHA256 {
				return nil
			}
			sum, err := hashFile(ctx, e.FilePath(f.Path))
			if err != nil && !rawfile.IsAbsent(err) {
				return err
			}
			if err != nil || sum != f.SHA256 {
				mu.Lock()
				damaged = append(damaged, f.Path)
				mu.Unlock()
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	slices.Sort(damaged)
	return damaged, nil
}

// openRegular opens a regular file for reading. It follows no link and does not block.
// Unlike rawfile.OpenFile it needs one system call less, and returns the attributes.
func openRegular(name string, st *unix.Stat_t) (fd int, err error) {
	fd, err = rawfile.Open(name, rawfile.NoFollow)
	if err != nil {
		return -1, err
	}
	if err := rawfile.Fstat(fd, name, st); err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// bufferSize is the number of bytes that are read, hashed and written at a time.
const bufferSize = 256 << 10

var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// hashFile returns the digest of a regular file.
func hashFile(ctx context.Context, name string) (sum facts.SHA256, err error) {
	var st unix.Stat_t
	fd, err := openRegular(name, &st)
	if err != nil {
		return sum, err
	}
	defer unix.Close(fd)
	buf := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(buf)
	h := sha256.New()
	for {
		n, err := rawfile.Read(fd, name, buf[:], len(buf))
		if err != nil {
			return sum, err
		}
		h.Write(buf[:n])
		if n < len(buf) {
			h.Sum(sum[:0])
			return sum, nil
		}
		if err := ctx.Err(); err != nil {
			return sum, err
		}
	}
}

// writeNew creates a file, which must not exist, with content, mode and modification time
// in ns; 0 leaves the current time.
func writeNew(name string, mode facts.Mode, mtime int64, content func(w io.Writer) error) (err error) {
	fd, err := createNew(name)
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, unix.Close(fd))
	}()
	if err := content(fdWriter{fd, name}); err != nil {
		return err
	}
	if size, _ := unix.Seek(fd, 0, io.SeekCurrent); size >= writebackSize {
		startWriteback(fd)
	}
	return setAttributes(fd, name, mode, mtime)
}

func createNew(name string) (fd int, err error) {
	for {
		fd, err = unix.Open(name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
		switch err {
		case nil:
			return fd, nil
		case unix.EINTR:
		default:
			return -1, &fs.PathError{Op: "create", Path: name, Err: err}
		}
	}
}

// setAttributes sets the mode, whatever the umask is, and the modification time.
func setAttributes(fd int, name string, mode facts.Mode, mtime int64) error {
	if err := unix.Fchmod(fd, uint32(mode)); err != nil {
		return &fs.PathError{Op: "chmod", Path: name, Err: err}
	}
	if mtime == 0 {
		return nil
	}
	t := unix.NsecToTimeval(mtime)
	if err := unix.Futimes(fd, []unix.Timeval{t, t}); err != nil {
		return &fs.PathError{Op: "set the time of", Path: name, Err: err}
	}
	return nil
}

// An fdWriter writes to a file descriptor, without the cost of an os.File.
type fdWriter struct {
	fd   int
	name string
}

func (w fdWriter) Write(b []byte) (int, error) {
	written := 0
	for written < len(b) {
		n, err := unix.Write(w.fd, b[written:])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return written, &fs.PathError{Op: "write", Path: w.name, Err: err}
		}
		written += n
	}
	return written, nil
}

// parents returns the directories of slash-separated paths, parents first, without ".".
func parents(paths func(yield func(string) bool)) []string {
	seen := map[string]bool{".": true}
	var dirs []string
	for name := range paths {
		for dir := path.Dir(name); !seen[dir]; dir = path.Dir(dir) {
			seen[dir] = true
			dirs = append(dirs, dir)
		}
	}
	slices.Sort(dirs)
	return dirs
}
