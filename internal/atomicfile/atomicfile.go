// Package atomicfile writes files atomically and durably.
//
//  1. A temporary file is created in the directory of the target, with O_EXCL and mode
//     0600.
//  2. It is written, gets its mode, owner and extended attributes, is synced and
//     closed. An error of any of these is a failed write.
//  3. It is renamed to the target. A reader sees the old file or the new one.
//  4. The directory is synced, so that the name survives a power failure.
//
// Every operation uses an open directory below an os.Root, so that no symlink leads
// outside the root. Many files share flushes through a Flusher.
package atomicfile

import (
	"crypto/rand"
	"encoding/hex"
	"io/fs"
	"os"
	"path"
	"strings"
)

// prefix is the prefix of every temporary file, by which the next run finds those of a
// killed one.
const prefix = ".reconcile-tmp-"

// TempName returns a random name for a temporary file.
func TempName() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails, see its documentation
	return prefix + hex.EncodeToString(b[:])
}

// IsTemp reports whether name has the form of TempName.
func IsTemp(name string) bool {
	digits, ok := strings.CutPrefix(name, prefix)
	if !ok || len(digits) != 16 {
		return false
	}
	_, err := hex.DecodeString(digits)
	return err == nil
}

// Write writes the file at name, a slash-separated path below root whose directory
// exists, and returns when content and name are durable. It keeps the owner and the
// extended attributes of an existing file.
func Write(root *os.Root, name string, mode fs.FileMode, content []byte) error {
	dir, err := OpenDir(root, path.Dir(name))
	if err != nil {
		return err
	}
	defer dir.Close()
	base := path.Base(name)
	old, err := dir.Stat(base)
	if err != nil {
		return err
	}
	temp, err := dir.Stage(base, mode, content, old)
	if err != nil {
		return err
	}
	if err := dir.Commit(temp, base, nil); err != nil {
		dir.Discard(temp)
		return err
	}
	return dir.Sync()
}
