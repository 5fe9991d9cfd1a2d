package pyenv

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// magics maps a Python minor version to the first two bytes of its bytecode files
// (importlib.util.MAGIC_NUMBER), little endian; "\r\n" follows.
var magics = sync.OnceValue(func() map[string]uint16 {
	return map[string]uint16{"3.8": 3413, "3.9": 3425, "3.10": 3439, "3.11": 3495, "3.12": 3531, "3.13": 3571, "3.14": 3627}
})

// pycHeader is the length of the header of a bytecode file in bytes (PEP 552).
const pycHeader = 16

// Sources lists the recorded sources of a generation for which Python writes bytecode on
// import: .py files in site-packages, and in the standard library of a conda environment.
// Paths are relative to the generation and sorted. minor is as of SitePackages.
func Sources(genDir string) (sources []string, minor string, err error) {
	records, err := readRecords(genDir)
	if err != nil {
		return nil, "", err
	}
	return records.sources(), records.minor, nil
}

func (r *records) sources() []string {
	var sources []string
	add := func(name, dir string) {
		if strings.HasSuffix(name, ".py") && strings.HasPrefix(name, dir) {
			sources = append(sources, name)
		}
	}
	for _, d := range r.dists {
		for _, e := range d.entries {
			add(e.Path, r.sitePackages+"/")
		}
	}
	for _, c := range r.conda {
		for _, p := range c.paths {
			add(p.Path, "lib/python"+r.minor+"/")
		}
	}
	slices.Sort(sources)
	return slices.Compact(sources)
}

// Uncompiled lists the sources without current bytecode: it is absent, or has another time
// or size. A file that is not valid Python is always listed.
func Uncompiled(genDir string) ([]string, error) {
	sources, minor, err := Sources(genDir)
	if err != nil {
		return nil, err
	}
	return stale(genDir, minor, sources)
}

// MakeCaches creates the missing __pycache__ directories of a generation, so that later
// imports, which write bytecode there, do not change stamped directories.
func MakeCaches(genDir string) error {
	sources, _, err := Sources(genDir)
	if err != nil {
		return err
	}
	last := ""
	for _, s := range sources {
		cache := path.Join(path.Dir(s), "__pycache__")
		if cache == last {
			continue
		}
		last = cache
		switch err := os.Mkdir(filepath.Join(genDir, cache), 0o755); {
		case errors.Is(err, fs.ErrExist):
		case err != nil:
			return err
		}
	}
	return nil
}

// stale returns the sources that have no current bytecode.
func stale(genDir, minor string, sources []string) ([]string, error) {
	stale := make([]bool, len(sources))
	err := each(len(sources), func(_, i int) (err error) {
		stale[i], err = isStale(filepath.Join(genDir, sources[i]), minor)
		return err
	})
	var out []string
	for i, s := range sources {
		if stale[i] {
			out = append(out, s)
		}
	}
	return out, err
}

// BytecodePath returns the path of the bytecode of a source for a Python minor version.
func BytecodePath(source, minor string) string {
	dir, base := filepath.Split(source)
	tag := "cpython-" + strings.ReplaceAll(minor, ".", "")
	return filepath.Join(dir, "__pycache__", strings.TrimSuffix(base, ".py")+"."+tag+".pyc")
}

// isStale reports whether a source exists and has no current bytecode.
func isStale(source, minor string) (bool, error) {
	var st unix.Stat_t
	if err := rawfile.Lstat(source, &st); err != nil {
		return false, ignoreAbsent(err)
	}
	var head [pycHeader]byte
	b, err := rawfile.Head(BytecodePath(source, minor), head[:])
	if err != nil {
		return rawfile.IsAbsent(err), ignoreAbsent(err)
	}
	return !isCurrent(b, minor, unix.TimespecToNsec(st.Mtim)/1e9, st.Size), nil
}

// isCurrent reports whether the head of a bytecode file names a source of that time (s)
// and size. Bytecode with a hash instead was compiled on purpose and is current.
func isCurrent(head []byte, minor string, mtime, size int64) bool {
	if len(head) < pycHeader || head[2] != '\r' || head[3] != '\n' {
		return false
	}
	if magic, known := magics()[minor]; known && binary.LittleEndian.Uint16(head) != magic {
		return false
	}
	if flags := binary.LittleEndian.Uint32(head[4:]); flags != 0 {
		return flags&1 != 0
	}
	return binary.LittleEndian.Uint32(head[8:]) == uint32(mtime) && binary.LittleEndian.Uint32(head[12:]) == uint32(size)
}
