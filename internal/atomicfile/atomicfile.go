// Package atomicfile puts files in place in one rename, durably.
//
//  1. A temporary is made beside the target, new (O_EXCL), never through a link,
//     readable by its owner alone.
//  2. It is written, gets its mode, owner and extended attributes, is synced and
//     closed; an error of any of these is a failed write.
//  3. One rename gives it its name. A reader sees the old file or the new one.
//  4. The directory is synced, so that the name survives a power cut.
//
// Every operation works on an open directory that was reached through an
// os.Root, so that no link leads out of the place that the caller opened. Many
// files share their flushes by a Flusher.
package atomicfile

import (
	"crypto/rand"
	"encoding/hex"
	"io/fs"
	"os"
	"path"
	"strings"
)

// prefix begins the name of every temporary, so that the next run can tell what
// a killed one left behind.
const prefix = ".reconcile-tmp-"

// TempName returns a new name for something that is on its way to its place.
func TempName() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails, by its documentation
	return prefix + hex.EncodeToString(b[:])
}

// IsTemp reports whether name is one that TempName could have given.
func IsTemp(name string) bool {
	digits, ok := strings.CutPrefix(name, prefix)
	if !ok || len(digits) != 16 {
		return false
	}
	_, err := hex.DecodeString(digits)
	return err == nil
}

// Write puts content in place at name, a slash-separated path below root whose
// directory exists, and returns when content and name are durable. What stood
// there is replaced and its owner and extended attributes are kept.
func Write(root *os.Root, name string, mode fs.FileMode, content []byte) error {
	dir, err := OpenDir(root, path.Dir(name))
	if err != nil {
		return err
	}
	defer dir.Close()
	base := path.Base(name)
	was, err := dir.Stat(base)
	if err != nil {
		return err
	}
	temp, err := dir.Stage(base, mode, content, was)
	if err != nil {
		return err
	}
	if err := dir.Commit(temp, base, nil); err != nil {
		dir.Discard(temp)
		return err
	}
	return dir.Sync()
}
