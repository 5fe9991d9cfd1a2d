package scan

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Limits of what is read.
const (
	maxFile     = 1 << 20 // bytes of one file
	maxFiles    = 64      // that one environment includes
	maxPackages = 2000    // of one environment
	maxShown    = 120     // characters of a name in a comment
)

// A place is where something was said.
type place struct {
	file string
	line int // 0 where there is none
}

func (p place) String() string {
	if p.line == 0 {
		return printable(p.file)
	}
	return fmt.Sprintf("%s:%d", printable(p.file), p.line)
}

// said is a value and what said so; the zero value is not known.
type said struct{ value, by string }

// text reads a file of the folder. It says why it could not; "" for one that is not
// there.
func (s *scanner) text(name string) (text, why string, ok bool) {
	info, err := fs.Stat(s.fsys, name)
	switch {
	case isAbsent(s.fsys, name):
		return "", "", false
	case err != nil:
		return "", "it cannot be opened, or is a link that leads out of the folder", false
	case !info.Mode().IsRegular():
		return "", "it is no file", false
	case info.Size() > maxFile:
		return "", fmt.Sprintf("it has more than %d bytes", maxFile), false
	}
	f, err := s.fsys.Open(name)
	if err != nil {
		return "", "it cannot be opened", false
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil || len(b) > maxFile {
		return "", "it cannot be read", false
	}
	return decode(b), "", true
}

// isAbsent reports whether nothing stands at a name, not even a link.
func isAbsent(fsys fs.FS, name string) bool {
	if !fs.ValidPath(name) {
		return true
	}
	_, err := fs.Lstat(fsys, name)
	return errors.Is(err, fs.ErrNotExist)
}

// decode makes text of bytes: a byte order mark is left out, UTF-16, which PowerShell
// writes, is read, and what is no text becomes U+FFFD.
func decode(b []byte) string {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(b, []byte{0xff, 0xfe}):
		order = binary.LittleEndian
	case bytes.HasPrefix(b, []byte{0xfe, 0xff}):
		order = binary.BigEndian
	default:
		return strings.ToValidUTF8(strings.TrimPrefix(string(b), "\ufeff"), "\ufffd")
	}
	units := make([]uint16, 0, len(b)/2)
	for i := 2; i+1 < len(b); i += 2 {
		units = append(units, order.Uint16(b[i:]))
	}
	return string(utf16.Decode(units))
}

// printable makes a text fit for a comment of the manifest: one line of letters that
// do nothing to a terminal, not too long.
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

// lineOf returns the line of the first place in a text where a value stands between
// quotes, 0 if it does not: parsers of TOML do not tell.
func lineOf(text, value string) int {
	for _, quote := range []string{`"`, `'`} {
		if i := strings.Index(text, quote+value+quote); i >= 0 {
			return 1 + strings.Count(text[:i], "\n")
		}
	}
	return 0
}

// beside returns the path that a file names relative to itself; false for one that
// leads out of the folder.
func beside(file, named string) (string, bool) {
	if named == "" || path.IsAbs(named) || strings.ContainsAny(named, "\\\x00") || strings.Contains(named, "://") {
		return "", false
	}
	name := path.Join(path.Dir(file), named)
	return name, fs.ValidPath(name) && name != "."
}
