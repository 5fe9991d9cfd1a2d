//go:build !linux

package main

import "golang.org/x/sys/unix"

// sync flushes every file system: there is no call for a single one here.
func sync() { check(unix.Sync()) }
