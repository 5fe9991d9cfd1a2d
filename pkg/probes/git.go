package probes

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// maxIndex is the largest size in bytes of a git index that is searched.
const maxIndex = 256 << 20

// tracked reports whether git tracks a file in a directory of the project. Such a file
// came with a clone and was not built on this machine.
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

// gitDir returns the directory itself, or the one that the .git file of a linked worktree
// names, or "".
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

// indexHolds searches a git index, which contains every tracked path. Version 4 omits the
// prefix that two neighbours share, so only the end of prefix is searched there.
func indexHolds(index, prefix string) bool {
	head, err := rawfile.Head(index, make([]byte, 8))
	if err != nil || len(head) < 8 {
		return false
	}
	if head[7] == 4 {
		prefix = filepath.Base(prefix) + "/"
	}
	f, err := rawfile.OpenFile(index, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	kept, buf := 0, make([]byte, searchWindow+len(prefix))
	for from := io.LimitReader(f, maxIndex); ; {
		n, err := from.Read(buf[kept:])
		if bytes.Contains(buf[:kept+n], []byte(prefix)) {
			return true
		}
		if err != nil {
			return false
		}
		kept = copy(buf, buf[max(0, kept+n-len(prefix)):kept+n])
	}
}
