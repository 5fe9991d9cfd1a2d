// Package inuse finds the processes of this machine that use a directory tree,
// so that it is not removed while a job runs in it.
package inuse

import "strings"

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
