package command

import "syscall"

// attributes puts a child into its own process group. macOS has no parent-death signal;
// the inherited lock excludes a later run while the child runs.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
