package hub

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// Snapshots returns a pin for every snapshot in a cache, sorted by repository and
// revision. A cache that does not exist has none.
func Snapshots(cache string) ([]Pin, error) {
	folders, err := readDir(cache)
	if err != nil {
		return nil, err
	}
	var pins []Pin
	for _, folder := range folders {
		repo, ok := Repo(folder.Name())
		if !ok {
			continue
		}
		revisions, err := readDir(filepath.Join(cache, folder.Name(), "snapshots"))
		if err != nil {
			return nil, err
		}
		for _, revision := range revisions {
			if IsCommit(revision.Name()) {
				pins = append(pins, Pin{Repo: repo, Revision: revision.Name(), AnyFiles: true})
			}
		}
	}
	return pins, nil
}

// readOthers lists the other revisions that have a snapshot.
func (s *snapshot) readOthers() error {
	entries, err := readDir(filepath.Join(s.repo, "snapshots"))
	for _, e := range entries {
		if e.IsDir() && IsCommit(e.Name()) && e.Name() != s.pin.Revision {
			s.others = append(s.others, e.Name())
		}
	}
	return err
}

// readUnfinished lists the unfinished downloads.
func (s *snapshot) readUnfinished() error {
	blobs := filepath.Join(s.repo, "blobs")
	entries, err := readDir(blobs)
	for _, e := range entries {
		digest, ok := unfinished(e.Name())
		if !ok {
			continue
		}
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue // finished in the meantime
		}
		_, err = os.Lstat(filepath.Join(blobs, digest))
		s.unfinished = append(s.unfinished, facts.ModelUnfinished{Name: e.Name(), Size: info.Size(), Leftover: err == nil})
	}
	return err
}

// unfinished returns the blob that an unfinished download is for. It accepts both forms of
// the name.
func unfinished(name string) (blob string, ok bool) {
	blob, ok = strings.CutSuffix(name, ".incomplete")
	if digest, random, dot := strings.Cut(blob, "."); dot && isHex(random, 8) {
		blob = digest
	}
	return blob, ok && blobDigest(blob) != (Digest{})
}

// readDir lists a folder. One that does not exist is empty.
func readDir(dir string) ([]fs.DirEntry, error) {
	entries, err := os.ReadDir(dir)
	if rawfile.IsAbsent(err) {
		return nil, nil
	}
	if len(entries) > maxFiles {
		return nil, fmt.Errorf("%s: more than %d entries", dir, maxFiles)
	}
	return entries, err
}
