package probes

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// readSystem reads the system from the kernel. gopsutil's host.Info reads many more files
// and lacks some of these values.
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
