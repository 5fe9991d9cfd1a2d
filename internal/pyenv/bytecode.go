package pyenv

import (
	"encoding/binary"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// magics are the first two bytes of bytecode files by line of Python, little
// endian, as importlib.util.MAGIC_NUMBER says them; "\r\n" follows.
var magics = map[string]uint16{
	"3.8": 3413, "3.9": 3425, "3.10": 3439, "3.11": 3495, "3.12": 3531, "3.13": 3571, "3.14": 3627,
}

// pycHeader is the length of what stands before the code, in bytes (PEP 552).
const pycHeader = 16

// Uncompiled lists the sources of all distributions of a generation for which
// Python would write bytecode on import: .py files in site-packages whose .pyc
// is absent or does not carry their time and size. Paths are relative to the
// generation. A file that is not valid Python is listed for ever.
func Uncompiled(genDir string) ([]string, error) {
	sitePackages, line, err := SitePackages(genDir)
	if err != nil {
		return nil, err
	}
	records, err := readRecords(genDir, sitePackages)
	if err != nil {
		return nil, err
	}
	var sources []string
	for _, r := range records.dists {
		for _, e := range r.entries {
			if strings.HasSuffix(e.Path, ".py") && strings.HasPrefix(e.Path, sitePackages+"/") {
				sources = append(sources, e.Path)
			}
		}
	}
	for _, r := range records.conda { // the standard library too
		for _, p := range r.paths {
			if strings.HasSuffix(p.Path, ".py") && strings.HasPrefix(p.Path, "lib/python"+line+"/") {
				sources = append(sources, p.Path)
			}
		}
	}
	slices.Sort(sources)
	return stale(genDir, line, slices.Compact(sources))
}

// StillUncompiled is Uncompiled for files that it listed before.
func StillUncompiled(genDir string, sources []string) ([]string, error) {
	_, line, err := SitePackages(genDir)
	if err != nil {
		return nil, err
	}
	return stale(genDir, line, sources)
}

// stale returns those of the sources that lack good bytecode.
func stale(genDir, line string, sources []string) ([]string, error) {
	stale := make([]bool, len(sources))
	err := each(len(sources), func(_, i int) error {
		var err error
		stale[i], err = isStale(filepath.Join(genDir, sources[i]), line)
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

// BytecodePath returns where Python looks for the bytecode of a source.
func BytecodePath(source, line string) string {
	dir, base := filepath.Split(source)
	tag := "cpython-" + strings.ReplaceAll(line, ".", "")
	return filepath.Join(dir, "__pycache__", strings.TrimSuffix(base, ".py")+"."+tag+".pyc")
}

// isStale reports whether a source that is there lacks good bytecode.
func isStale(source, line string) (bool, error) {
	var st unix.Stat_t
	if err := lstat(source, &st); gone(err) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	var head [pycHeader]byte
	b, err := readHead(BytecodePath(source, line), head[:])
	if gone(err) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return !current(b, line, unix.TimespecToNsec(st.Mtim)/1e9, st.Size), nil
}

// current reports whether the head of a bytecode file says that it was made from
// a source of that time (s) and size. Bytecode that carries a hash in their
// place was made on purpose and counts.
func current(head []byte, line string, mtime, size int64) bool {
	if len(head) < pycHeader || head[2] != '\r' || head[3] != '\n' {
		return false
	}
	if magic, known := magics[line]; known && binary.LittleEndian.Uint16(head) != magic {
		return false
	}
	if flags := binary.LittleEndian.Uint32(head[4:]); flags != 0 {
		return flags&1 != 0
	}
	return binary.LittleEndian.Uint32(head[8:]) == uint32(mtime) && binary.LittleEndian.Uint32(head[12:]) == uint32(size)
}
