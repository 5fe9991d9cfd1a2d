package pyenv

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/facts"
)

// Skeleton lists the files and links of a generation that belong to no distribution, such
// as pyvenv.cfg, activate scripts, links to the interpreter and launchers, and those of
// conda packages without a recorded digest or target, with their content for the seal. A
// file that neither an installer nor reconcile is known to write is an error.
func Skeleton(genDir string) ([]SkeletonFile, error) {
	records, err := readRecords(genDir)
	if err != nil {
		return nil, err
	}
	x := newIndex(records, Seal{}, nil, nil)
	dirs, err := x.knownDirs(genDir)
	if err != nil {
		return nil, err
	}
	var (
		files []SkeletonFile
		h     hasher
	)
	for _, dir := range dirs {
		entries, err := os.ReadDir(filepath.Join(genDir, dir))
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			rel := filepath.ToSlash(filepath.Join(dir, e.Name()))
			c, claimed := x.claims[rel]
			if claimed && !c.unknown() || e.IsDir() || isIgnored(e.Name()) || isFrame(rel, false, true) {
				continue
			}
			if !claimed && !isFrame(rel, false, false) {
				return nil, fmt.Errorf("%s belongs to no distribution", filepath.Join(genDir, rel))
			}
			f, err := skeletonFile(genDir, rel, e, &h)
			if err != nil {
				return nil, err
			}
			files = append(files, f)
		}
	}
	return files, nil
}

func skeletonFile(genDir, rel string, e fs.DirEntry, h *hasher) (SkeletonFile, error) {
	f := SkeletonFile{Path: rel}
	name := filepath.Join(genDir, rel)
	info, err := e.Info()
	if err != nil {
		return f, err
	}
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		f.Target, err = os.Readlink(name)
		return f, err
	case !info.Mode().IsRegular():
		return f, fmt.Errorf("%s is neither a file nor a link", name)
	}
	var st unix.Stat_t
	sum, err := h.file(context.Background(), name, "", &st, nil)
	if err != nil {
		return f, err
	}
	f.Size, f.SHA256 = st.Size, facts.SHA256(sum)
	return f, nil
}
