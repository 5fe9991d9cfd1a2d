package wheels

import (
	"context"
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
	"time"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/pyenv"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// A bytecode is the bytecode of a source in an entry. The name of its file has its size and
// SHA-256, and its modification time is that of the source, so that a file that was written in
// place differs:
//
//	<entry>/bytecode/cpython-310/tqdm/cli.<size>.<64 digits>.pyc
//
// It is in no __pycache__, so that Python does not use it by itself.
type bytecode struct {
	source *File
	size   int64
	sum    facts.SHA256
}

// name returns the path below the directory of a Python.
func (b *bytecode) name() string {
	return fmt.Sprintf("%s.%d.%x.pyc", strings.TrimSuffix(b.source.Path, ".py"), b.size, b.sum[:])
}

// parseBytecode returns the bytecode that a name means; false for another file, such as a
// temporary one.
func (e *Entry) parseBytecode(name string) (bytecode, bool) {
	rest, ok := strings.CutSuffix(name, ".pyc")
	i := strings.LastIndexByte(rest, '.')
	if !ok || i < 0 {
		return bytecode{}, false
	}
	rest, sum := rest[:i], rest[i+1:]
	i = strings.LastIndexByte(rest, '.')
	if i < 0 {
		return bytecode{}, false
	}
	b := bytecode{source: e.file(rest[:i] + ".py")}
	size, err := strconv.ParseInt(rest[i+1:], 10, 64)
	digest, err2 := hex.DecodeString(sum)
	if b.source == nil || err != nil || err2 != nil || len(digest) != len(b.sum) {
		return bytecode{}, false
	}
	b.size, b.sum = size, facts.SHA256(digest)
	return b, b.name() == name
}

// matches reports whether a file has the attributes that it had when it was kept.
func (b *bytecode) matches(st *unix.Stat_t) bool {
	return st.Mode&unix.S_IFMT == unix.S_IFREG && st.Size == b.size && unix.TimespecToNsec(st.Mtim) == b.source.MTime
}

// bytecodeRoot returns the directory for the bytecode of a Python minor version.
func (e *Entry) bytecodeRoot(minor string) string {
	return filepath.Join(e.Dir, bytecodeDir, "cpython-"+strings.ReplaceAll(minor, ".", ""))
}

// bytecode adds the bytecode that the entries have, and returns the number of its files. It
// replaces that of a wheel, which may be outdated and is not compared with RECORD.
func (a *assembly) bytecode(entries []*Entry) (n int, err error) {
	installed := sources(a.minor, entries)
	for _, e := range entries {
		if err := e.eachBytecode(e.bytecodeRoot(a.minor), func(name string, b bytecode) error {
			p, err := e.place(b.source.Path)
			if err != nil || p.scheme != "lib" {
				return err
			}
			source := a.scheme.path(e, p)
			var st unix.Stat_t
			if installed[source].entry != e || rawfile.Lstat(name, &st) != nil || !b.matches(&st) {
				return nil // it is that of another distribution, or was changed
			}
			t := target{path: pyenv.BytecodePath(source, a.minor), entry: e, code: b, from: name, mode: 0o644}
			switch i, ok := a.taken[t.path]; {
			case !ok:
				a.target(t)
			case a.targets[i].code.source != nil:
				return nil
			default:
				a.targets[i] = t
			}
			n++
			return nil
		}); err != nil {
			return 0, err
		}
	}
	return n, nil
}

// eachBytecode calls do for the bytecode of an entry below root; name is absolute.
func (e *Entry) eachBytecode(root string, do func(name string, b bytecode) error) error {
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			if name != root && rawfile.IsAbsent(err) {
				return nil // another process removes it
			}
			return err
		}
		b, ok := e.parseBytecode(filepath.ToSlash(strings.TrimPrefix(name, root+string(filepath.Separator))))
		if !ok {
			return nil
		}
		return do(name, b)
	})
	if rawfile.IsAbsent(err) {
		return nil
	}
	return err
}

// VerifyBytecode returns the sources in the wheel whose bytecode in the entry, for any Python,
// has another content than it was kept with. known is as in Verify.
func (e *Entry) VerifyBytecode(ctx context.Context, known pyenv.Hashed) ([]string, error) {
	var damaged []string
	root := filepath.Join(e.Dir, bytecodeDir)
	tags, err := os.ReadDir(root)
	if err != nil && !rawfile.IsAbsent(err) {
		return nil, err
	}
	for _, tag := range tags {
		if err := e.eachBytecode(filepath.Join(root, tag.Name()), func(name string, b bytecode) error {
			var st unix.Stat_t
			if rawfile.Lstat(name, &st) == nil && known[pyenv.IDOf(&st)] == b.sum {
				return nil
			}
			sum, err := hashFile(ctx, name)
			switch {
			case rawfile.IsAbsent(err):
				return nil // it was replaced or removed meanwhile
			case err != nil:
				return err
			case sum != b.sum:
				damaged = append(damaged, b.source.Path)
			}
			return nil
		}); err != nil {
			return nil, err
		}
	}
	slices.Sort(damaged)
	return slices.Compact(damaged), nil
}

// RemoveBytecode removes all bytecode of the entry at dir. Absent bytecode is no error.
func RemoveBytecode(dir string) error {
	return removeBy(filepath.Join(dir, bytecodeDir), filepath.Dir(dir))
}

// A Source is a Python source of an entry in an environment.
type Source struct {
	entry *Entry
	path  string // in the wheel
	minor string
}

// Keep keeps a copy of the bytecode of the source in its entry, for other environments. name is
// its complete file, which Keep gives the mode and time of kept bytecode, and sum its digest.
// Several processes may keep the same at once.
func (s *Source) Keep(name string, size int64, sum facts.SHA256) error {
	b := bytecode{s.entry.file(s.path), size, sum}
	modified := time.Unix(0, b.source.MTime)
	if err := errors.Join(os.Chmod(name, 0o644), os.Chtimes(name, modified, modified)); err != nil {
		return err
	}
	to := filepath.Join(s.entry.bytecodeRoot(s.minor), filepath.FromSlash(b.name()))
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	temporary := filepath.Join(filepath.Dir(to), atomicfile.TempName())
	if err := Put(name, temporary); err != nil {
		return err
	}
	if err := os.Rename(temporary, to); err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	return nil
}

// Sources returns the sources that Assemble puts into site-packages, by their paths in the
// environment.
func Sources(minor string, entries []*Entry) map[string]Source { return sources(minor, entries) }

func sources(minor string, entries []*Entry) map[string]Source {
	s := scheme{site: layout.SitePackages("", minor)}
	found := map[string]Source{}
	for _, e := range entries {
		for i := range e.Files {
			name := e.Files[i].Path
			p, err := e.place(name)
			if err != nil || p.scheme != "lib" || !strings.HasSuffix(name, ".py") {
				continue
			}
			if to := s.path(e, p); found[to].entry == nil { // the first one is installed
				found[to] = Source{e, path.Clean(name), minor}
			}
		}
	}
	return found
}
