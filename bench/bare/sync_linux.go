package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// sync flushes the file system of the working directory.
func sync() {
	dir, err := os.Open(".")
	check(err)
	check(unix.Syncfs(int(dir.Fd())))
	check(dir.Close())
}
