package pyenv

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/layout"
)

// Stamps tell whether an entry of a directory came, went or was replaced since
// they were taken: any of that moves the directory's own times. The text is a
// header, a line for each directory (mtime in ns, how much later the ctime is,
// path) and a checksum:
//
//	reconcile stamps 1
//	1764000000000000001 0 bin
//	…
//	sha256 <64 digits>
const stampsHeader = "reconcile stamps 1\n"

// A stamp is the times of one directory, in ns.
type stamp struct {
	mtime, ctime int64
	path         string
}

// errStampsDamaged is what any byte out of place gives; the check by RECORD then
// does the work.
var errStampsDamaged = errors.New("the stamps are damaged")

// TakeStamps returns the stamps of every directory of a generation except two
// sorts: its folder reconcile, into which the stamps and the seal are yet to be
// written, and __pycache__, where a Python with other options may add bytecode
// that harms nobody. Call it when nothing else is to change.
func TakeStamps(genDir string) ([]byte, error) {
	dirs, err := directories(genDir)
	if err != nil {
		return nil, err
	}
	out := append(make([]byte, 0, len(dirs)*80), stampsHeader...)
	for _, dir := range dirs {
		var st unix.Stat_t
		if err := lstat(filepath.Join(genDir, dir), &st); err != nil {
			return nil, err
		}
		out = appendStamp(out, stampOf(dir, &st))
	}
	sum := sha256.Sum256(out)
	return fmt.Appendf(out, "sha256 %x\n", sum), nil
}

// directories lists the directories that are stamped, parents first.
func directories(genDir string) ([]string, error) {
	own := filepath.Dir(layout.Seal(""))
	var dirs []string
	err := filepath.WalkDir(genDir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !d.IsDir() {
			return nil
		}
		if d.Name() == "__pycache__" {
			return fs.SkipDir
		}
		rel, err := filepath.Rel(genDir, name)
		if err == nil && rel != own {
			dirs = append(dirs, filepath.ToSlash(rel))
		}
		return err
	})
	return dirs, err
}

func stampOf(path string, st *unix.Stat_t) stamp {
	return stamp{mtime: unix.TimespecToNsec(st.Mtim), ctime: unix.TimespecToNsec(st.Ctim), path: path}
}

func appendStamp(b []byte, s stamp) []byte {
	b = strconv.AppendInt(b, s.mtime, 10)
	b = append(b, ' ')
	b = strconv.AppendInt(b, s.ctime-s.mtime, 10)
	b = append(b, ' ')
	if strings.ContainsAny(s.path, "\n\"") {
		b = strconv.AppendQuote(b, s.path)
	} else {
		b = append(b, s.path...)
	}
	return append(b, '\n')
}

// parseStamps reads what TakeStamps wrote and nothing else.
func parseStamps(b []byte) ([]stamp, error) {
	const sumLine = len("sha256 ") + 2*sha256.Size + len("\n")
	if len(b) < len(stampsHeader)+sumLine || !bytes.HasPrefix(b, []byte(stampsHeader)) {
		return nil, errStampsDamaged
	}
	body, tail := b[:len(b)-sumLine], b[len(b)-sumLine:]
	sum := sha256.Sum256(body)
	if string(tail) != "sha256 "+hex.EncodeToString(sum[:])+"\n" {
		return nil, errStampsDamaged
	}
	text := string(body[len(stampsHeader):])
	stamps := make([]stamp, 0, strings.Count(text, "\n"))
	for text != "" {
		line, rest, ok := strings.Cut(text, "\n")
		s, err := parseStamp(line)
		if !ok || err != nil {
			return nil, errStampsDamaged
		}
		stamps = append(stamps, s)
		text = rest
	}
	return stamps, nil
}

func parseStamp(line string) (stamp, error) {
	mtime, rest, _ := strings.Cut(line, " ")
	later, path, _ := strings.Cut(rest, " ")
	m, err := strconv.ParseInt(mtime, 10, 64)
	if err != nil {
		return stamp{}, err
	}
	l, err := strconv.ParseInt(later, 10, 64)
	if err != nil {
		return stamp{}, err
	}
	if strings.HasPrefix(path, `"`) {
		if path, err = strconv.Unquote(path); err != nil {
			return stamp{}, err
		}
	}
	if !filepath.IsLocal(path) {
		return stamp{}, errStampsDamaged
	}
	return stamp{mtime: m, ctime: m + l, path: path}, nil
}

// readStamps reads the stamps of a generation and the time, in ns, at which they
// were written by the clock of their file system.
func readStamps(genDir string) ([]stamp, int64, error) {
	name := filepath.Join(genDir, filepath.FromSlash(layout.Stamps("")))
	b, err := readFile(name, nil, maxStamps)
	if err != nil {
		return nil, 0, err
	}
	stamps, err := parseStamps(b)
	if err != nil {
		return nil, 0, err
	}
	var st unix.Stat_t
	if err := lstat(name, &st); err != nil {
		return nil, 0, err
	}
	return stamps, unix.TimespecToNsec(st.Mtim), nil
}

// tickOf returns how far apart two times of a file system are for sure, in ns, by
// one of them.
func tickOf(time int64) int64 {
	if time%1e9 == 0 {
		return 2e9 // a file system with whole seconds
	}
	return 20e6
}

// changedDirs returns the directories that are not as stamped, or for which a
// stamp proves nothing, and those that are gone.
//
// A stamp proves nothing if it is hardly older than the file of stamps: times
// tick every few ms at best, and a later change could carry the same time (the
// rule that git has for its index).
func changedDirs(genDir string, stamps []stamp, written int64) (changed, missing []string, err error) {
	tick := tickOf(written)
	root, err := open(genDir) // the long way to it is then walked once
	if err != nil {
		return nil, nil, err
	}
	defer unix.Close(root)
	const same, differs, absent = 0, 1, 2
	state := make([]byte, len(stamps))
	err = each(len(stamps), func(_, i int) error {
		var st unix.Stat_t
		err := lstatAt(root, stamps[i].path, &st)
		switch {
		case gone(err):
			state[i] = absent
		case err != nil:
			return err
		case st.Mode&unix.S_IFMT != unix.S_IFDIR:
			state[i] = absent
		case stampOf(stamps[i].path, &st) != stamps[i], stamps[i].ctime > written-tick:
			state[i] = differs
		}
		return nil
	})
	for i, s := range state {
		switch s {
		case differs:
			changed = append(changed, stamps[i].path)
		case absent:
			missing = append(missing, stamps[i].path)
		}
	}
	return changed, missing, err
}
