package probes

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// readSystem reads the system from the kernel, without the process sw_vers. Under Rosetta
// uname reports the translated architecture.
func readSystem() (system, error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return system{}, err
	}
	s := system{
		os: runtime.GOOS, arch: unix.ByteSliceToString(u.Machine[:]),
		hostname: firstLabel(unix.ByteSliceToString(u.Nodename[:])),
	}
	if translated, err := unix.SysctlUint32("sysctl.proc_translated"); err == nil && translated == 1 {
		s.arch = "arm64"
	}
	if version, err := unix.Sysctl("kern.osproductversion"); err == nil {
		s.version = "macOS " + version
	}
	s.processor, _ = unix.Sysctl("machdep.cpu.brand_string") // without them the values are not known
	memory, _ := unix.SysctlUint64("hw.memsize")
	s.memory = int64(memory)
	return s, nil
}
