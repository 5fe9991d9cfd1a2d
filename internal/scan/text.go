package scan

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/declared"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

const (
	maxFile    = 1 << 20  // bytes of one file
	maxLock    = 64 << 20 // bytes of a lock
	maxFiles   = 64       // named in the manifest
	maxOmitted = 500      // things that are not taken over
	maxEntries = 10_000   // of one folder
	maxShown   = 200      // characters of a name in a comment
)

// A place is a line in a file.
type place struct {
	file string
	line int // 0 if unknown
}

func (p place) String() string {
	if p.line == 0 {
		return printable(p.file)
	}
	return fmt.Sprintf("%s:%d", printable(p.file), p.line)
}

// placeOf returns the place of a position.
func placeOf(pos diag.Pos) place { return place{pos.File, pos.Line} }

// sourced is a value and its source; the zero value is unknown.
type sourced struct {
	value string
	by    string // in words
	at    place
}

// readText returns the text of a file, or why it cannot be read. Both are empty for a file
// that does not exist.
func (s *scanner) readText(name string) (text, why string, ok bool) {
	return s.readLimited(name, maxFile)
}

// readLong is readText for a lock.
func (s *scanner) readLong(name string) (text, why string, ok bool) {
	return s.readLimited(name, maxLock)
}

func (s *scanner) readLimited(name string, limit int64) (text, why string, ok bool) {
	if isAbsent(s.fsys, name) {
		return "", "", false
	}
	b, err := rawfile.ReadFS(s.fsys, name, limit)
	if refused, ok := errors.AsType[*rawfile.Error](err); ok {
		return "", "it " + refused.Reason(), false
	}
	if err != nil {
		return "", "it cannot be opened, or is a link out of the folder", false
	}
	return string(b), "", true
}

// isAbsent reports whether a name does not exist, not even as a link.
func isAbsent(fsys fs.FS, name string) bool {
	if !fs.ValidPath(name) {
		return true
	}
	_, err := fs.Lstat(fsys, name)
	return errors.Is(err, fs.ErrNotExist)
}

// readDir returns at most maxEntries entries of a folder, sorted by name.
func (s *scanner) readDir(dir string) []fs.DirEntry {
	f, err := s.fsys.Open(dir)
	if err != nil {
		return nil
	}
	defer f.Close()
	d, ok := f.(fs.ReadDirFile)
	if !ok {
		return nil
	}
	entries, _ := d.ReadDir(maxEntries) // uses the entries before an error
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries
}

// printable makes a text safe for a comment in the manifest: one line of limited length
// without control characters.
func printable(s string) string { return declared.Printable(s, maxShown) }
