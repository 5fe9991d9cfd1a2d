// Package inuse finds the processes of this machine that use a directory tree,
// so that it is not removed while a job runs in it.
package inuse

import (
	"path/filepath"
	"strings"
)

// A Process uses a tree.
type Process struct {
	PID  int
	Name string // of the program
	How  string // the path, argument or variable that refers to the tree
}

// below reports whether file is dir or is inside it.
func below(file, dir string) bool {
	return file == dir || strings.HasPrefix(file, dir+"/")
}

// trees are directories whose users are sought.
type trees struct {
	dirs  map[string]bool
	found map[string]Process
}

func newTrees(dirs []string) trees {
	t := trees{map[string]bool{}, map[string]Process{}}
	for _, dir := range dirs {
		t.dirs[dir] = true
	}
	return t
}

// holding returns the directory that holds file, "" for none.
func (t trees) holding(file string) string {
	for ; len(file) > 1 && file[0] == '/'; file = filepath.Dir(file) {
		if t.dirs[file] {
			return file
		}
	}
	return ""
}
