package pyenv

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// Stamps are the times of directories, which change when an entry is added, removed or
// replaced. The text is a header, a line for each directory (mtime in ns, ctime minus
// mtime, path) and a checksum:
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

// errStampsDamaged means that the stamps have a wrong checksum or format. They are then
// not used.
var errStampsDamaged = errors.New("the stamps are damaged")

// TakeStamps returns the stamps of the directories of a generation, except its folder
// reconcile, into which the stamps and the seal are still written, and __pycache__, where
// Python may add bytecode. Call it after all other changes.
func TakeStamps(genDir string) ([]byte, error) {
	dirs, err := stampedDirs(genDir)
	if err != nil {
		return nil, err
	}
	out := append(make([]byte, 0, len(dirs)*80), stampsHeader...)
	for _, dir := range dirs {
		var st unix.Stat_t
		if err := rawfile.Lstat(filepath.Join(genDir, dir), &st); err != nil {
			return nil, err
		}
		s := stampOf(dir, &st)
		if strings.ContainsAny(dir, "\n\"") {
			dir = strconv.Quote(dir)
		}
		out = fmt.Appendf(out, "%d %d %s\n", s.mtime, s.ctime-s.mtime, dir)
	}
	sum := sha256.Sum256(out)
	return fmt.Appendf(out, "sha256 %x\n", sum), nil
}

// stampedDirs lists the directories that are stamped, parents first.
func stampedDirs(genDir string) ([]string, error) {
	dirs, err := walkDirs(genDir, func(string) bool { return true })
	return slices.DeleteFunc(dirs, func(dir string) bool { return dir == path.Dir(layout.Seal("")) }), err
}

func stampOf(path string, st *unix.Stat_t) stamp {
	return stamp{mtime: unix.TimespecToNsec(st.Mtim), ctime: unix.TimespecToNsec(st.Ctim), path: path}
}

// parseStamps reads stamps exactly as TakeStamps writes them.
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
	m, err1 := strconv.ParseInt(mtime, 10, 64)
	l, err2 := strconv.ParseInt(later, 10, 64)
	var err3 error
	if strings.HasPrefix(path, `"`) {
		path, err3 = strconv.Unquote(path)
	}
	if err := cmp.Or(err1, err2, err3); err != nil {
		return stamp{}, err
	}
	if !filepath.IsLocal(path) {
		return stamp{}, errStampsDamaged
	}
	return stamp{mtime: m, ctime: m + l, path: path}, nil
}

// readStamps reads the stamps of a generation and the time in ns, by the clock of the file
// system, at which they were written.
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
	if err := rawfile.Lstat(name, &st); err != nil {
		return nil, 0, err
	}
	return stamps, unix.TimespecToNsec(st.Mtim), nil
}

// tickOf returns the interval in ns after which a file system certainly gives another
// time, judged by one of its times.
func tickOf(time int64) int64 {
	if time%1e9 == 0 {
		return 2e9 // the file system stores seconds
	}
	return 20e6
}

// changedDirs returns the directories that differ from their stamps or have an unreliable
// one, and those that are missing.
//
// A stamp is unreliable if it is less than a tick older than the stamps file, since a
// later change could have the same time. git treats its index in the same way.
func changedDirs(genDir string, stamps []stamp, written int64) (changed, missing []string, err error) {
	tick := tickOf(written)
	root, err := rawfile.Open(genDir, unix.O_DIRECTORY) // lstat is faster with short paths
	if err != nil {
		return nil, nil, err
	}
	defer unix.Close(root)
	const same, differs, absent = 0, 1, 2
	state := make([]byte, len(stamps))
	err = each(len(stamps), func(_, i int) error {
		var st unix.Stat_t
		err := rawfile.LstatAt(root, stamps[i].path, &st)
		switch {
		case err != nil && !rawfile.IsAbsent(err):
			return err
		case err != nil || st.Mode&unix.S_IFMT != unix.S_IFDIR:
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
