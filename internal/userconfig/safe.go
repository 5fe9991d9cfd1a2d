package userconfig

import (
	"path/filepath"
	"strings"
)

// Covers reports whether one of patterns names dir, as git's safe.directory does: an absolute
// path names itself, DIR/* everything below DIR, and * every directory. Other patterns name
// nothing. dir is absolute with links resolved; links in patterns are resolved.
func Covers(patterns []string, dir string) bool {
	for _, pattern := range patterns {
		if pattern == "*" {
			return true
		}
		if !filepath.IsAbs(pattern) {
			continue
		}
		parent, below := strings.CutSuffix(pattern, "/*")
		parent = filepath.Clean("/" + parent)
		if resolved, err := filepath.EvalSymlinks(parent); err == nil {
			parent = resolved
		}
		if !below && dir == parent || below && strings.HasPrefix(dir, strings.TrimSuffix(parent, "/")+"/") && dir != "/" {
			return true
		}
	}
	return false
}
