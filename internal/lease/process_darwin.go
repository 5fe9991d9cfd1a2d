package lease

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// namespace returns "": macOS has one namespace of process numbers.
func namespace() string { return "" }

// start returns when a process started, "" if there is none.
func start(pid int) string {
	p, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil || int(p.Proc.P_pid) != pid {
		return ""
	}
	return fmt.Sprintf("%d.%06d", p.Proc.P_starttime.Sec, p.Proc.P_starttime.Usec)
}
