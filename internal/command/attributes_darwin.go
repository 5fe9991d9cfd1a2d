package command

import "syscall"

// attributes puts a child into its own process group. macOS has no parent-death signal;
// the inherited lock excludes a later run while the child runs.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// canIsolate is always false: macOS has no network namespaces, and sandbox-exec is
// deprecated.
func canIsolate() bool { return false }

func isolate(*syscall.SysProcAttr, bool) {}
