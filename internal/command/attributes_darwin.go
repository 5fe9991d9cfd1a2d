package command

import "syscall"

// attributes puts a child in its own process group. macOS has no signal for the
// death of a parent; the inherited lock keeps a later run from meeting the child.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
