package scan

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

const (
	maxFile     = 1 << 20 // bytes of one file
	maxFiles    = 64      // included by one environment
	maxPackages = 2000    // of one environment
	maxEntries  = 10_000  // of one folder
	maxShown    = 120     // characters of a name in a comment
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

// sourced is a value and its source; the zero value is unknown.
type sourced struct{ value, by string }

// readText returns the text of a file, or why it cannot be read. Both are empty for a file
// that does not exist.
func (s *scanner) readText(name string) (text, why string, ok bool) {
	if isAbsent(s.fsys, name) {
		return "", "", false
	}
	b, err := rawfile.ReadFS(s.fsys, name, maxFile)
	if refused, ok := errors.AsType[*rawfile.Error](err); ok {
		return "", "it " + refused.Reason(), false
	}
	if err != nil {
		return "", "it cannot be opened, or is a link out of the folder", false
	}
	return decode(b), "", true
}

// decode returns the text of a file by its byte order mark. PowerShell writes UTF-16.
func decode(b []byte) string {
	if !bytes.HasPrefix(b, []byte{0xff, 0xfe}) {
		return strings.ToValidUTF8(strings.TrimPrefix(string(b), "\ufeff"), "\ufffd")
	}
	units := make([]uint16, len(b)/2-1)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(b[2+2*i:])
	}
	return string(utf16.Decode(units))
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
func printable(s string) string {
	var b strings.Builder
	for i, r := range s {
		if i >= maxShown {
			b.WriteString("…")
			break
		}
		if r == utf8.RuneError || !unicode.IsPrint(r) || unicode.Is(unicode.Cf, r) {
			r = '?'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// lineOf returns the line of the first quoted occurrence of a value in a text, or 0: TOML
// parsers do not return positions.
func lineOf(text, value string) int {
	for _, quote := range []string{`"`, `'`} {
		if i := strings.Index(text, quote+value+quote); i >= 0 {
			return 1 + strings.Count(text[:i], "\n")
		}
	}
	return 0
}

// beside returns the path that a file names relative to itself, or false for one outside of
// the folder.
func beside(file, named string) (string, bool) {
	if named == "" || path.IsAbs(named) || strings.ContainsAny(named, "\\\x00") || strings.Contains(named, "://") {
		return "", false
	}
	name := path.Join(path.Dir(file), named)
	return name, fs.ValidPath(name) && name != "."
}
