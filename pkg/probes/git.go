package probes

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
)

// mostIndex is the largest index of git that is searched, in bytes.
const mostIndex = 256 << 20

// tracked reports whether git tracks anything below a directory of the project.
// What a clone brings was built by nobody here, whatever it is named.
func (p *Prober) tracked(rel string) bool {
	for dir := p.root; ; dir = filepath.Dir(dir) {
		if git := gitDir(filepath.Join(dir, ".git")); git != "" {
			prefix, err := filepath.Rel(dir, filepath.Join(p.root, rel))
			return err == nil && indexHolds(filepath.Join(git, "index"), filepath.ToSlash(prefix)+"/")
		}
		if dir == filepath.Dir(dir) {
			return false
		}
	}
}

// gitDir returns the repository behind a .git: the directory itself, or the one
// that the file of a linked checkout names; "" for none.
func gitDir(name string) string {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return ""
	case info.IsDir():
		return name
	}
	b, err := readSmall(name)
	target, ok := strings.CutPrefix(strings.TrimSpace(string(b)), "gitdir: ")
	if err != nil || !ok {
		return ""
	}
	if !filepath.IsAbs(target) {
		target = filepath.Join(filepath.Dir(name), target)
	}
	return target
}

// indexHolds searches the index of git, which holds every tracked path as it is
// (version 4 leaves out what two neighbours share, so there the end of the prefix
// must do).
func indexHolds(index, prefix string) bool {
	info, err := os.Stat(index)
	if err != nil || !info.Mode().IsRegular() || info.Size() > mostIndex {
		return false
	}
	b, err := os.ReadFile(index)
	if err != nil || len(b) < 8 {
		return false
	}
	if b[7] == 4 {
		prefix = filepath.Base(prefix) + "/"
	}
	return bytes.Contains(b, []byte(prefix))
}
