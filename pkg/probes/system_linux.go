package probes

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// readSystem asks the kernel. gopsutil's host.Info reads a dozen files more and
// tells less of what is needed here.
func readSystem() (system, error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return system{}, err
	}
	return system{
		os: runtime.GOOS, arch: unix.ByteSliceToString(u.Machine[:]),
		hostname: firstLabel(unix.ByteSliceToString(u.Nodename[:])),
	}, nil
}
