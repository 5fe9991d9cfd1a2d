// Package inuse finds the processes of this machine that use a directory tree,
// so that a tree is not removed from under a running job.
package inuse

import "strings"

// A Process is one that uses a tree.
type Process struct {
	PID  int
	Name string // of its program
	How  string // the file inside the tree that gave it away
}

// below reports whether file lies in dir or is dir itself.
func below(file, dir string) bool {
	return file == dir || strings.HasPrefix(file, dir+"/")
}
