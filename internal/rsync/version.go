package rsync

import (
	"fmt"
	"strconv"
)

// A Flavor is an implementation of rsync.
type Flavor string

const (
	Absent    Flavor = ""          // not installed
	Unknown   Flavor = "unknown"   // its version is unknown
	GNU       Flavor = "rsync"     // of rsync.samba.org, including Apple's 2.6.9
	OpenRsync Flavor = "openrsync" // of OpenBSD, and of macOS since 15.4
)

// A Version is the version of an rsync.
type Version struct {
	Flavor              Flavor
	Major, Minor, Patch int // of GNU rsync
	Protocol            int // 0 if unknown
}

var (
	gnuVersion  = lazy(`(?m)^rsync +version v?([0-9]{1,4})\.([0-9]{1,4})(?:\.([0-9]{1,4}))?[^ ]* +protocol version ([0-9]{1,4})`)
	openVersion = lazy(`(?m)^openrsync: protocol version ([0-9]{1,4})`)
)

// ParseVersion parses the output of `rsync --version`.
func ParseVersion(text string) Version {
	number := func(digits string) int {
		n, _ := strconv.Atoi(digits) // none is 0
		return n
	}
	if m := openVersion().FindStringSubmatch(text); m != nil {
		return Version{Flavor: OpenRsync, Protocol: number(m[1])}
	}
	if m := gnuVersion().FindStringSubmatch(text); m != nil {
		return Version{GNU, number(m[1]), number(m[2]), number(m[3]), number(m[4])}
	}
	return Version{Flavor: Unknown}
}

// String returns a form such as "rsync 3.5.0" or "openrsync (protocol 29)".
func (v Version) String() string {
	switch v.Flavor {
	case Absent:
		return "no rsync"
	case GNU:
		return fmt.Sprintf("rsync %d.%d.%d", v.Major, v.Minor, v.Patch)
	case OpenRsync:
		return fmt.Sprintf("openrsync (protocol %d)", v.Protocol)
	}
	return "an rsync of an unknown version"
}

// ConfinesPaths reports whether this release keeps everything that a remote rsync sends
// inside the folder: GNU rsync since 3.4.0, which fixed CVE-2024-12087 and -12088. A system
// may have patched an older one without changing its number. No such fault is known of
// openrsync.
func (v Version) ConfinesPaths() bool { return v.Flavor != GNU || v.atLeast(3, 4) }

// HasTotalProgress reports whether it can show the progress of the complete transfer.
func (v Version) HasTotalProgress() bool { return v.atLeast(3, 1) }

// HasSecludedArgs reports whether it has -s, which hides paths from the remote shell.
func (v Version) HasSecludedArgs() bool { return v.atLeast(3, 0) }

// HasDelayUpdates reports whether it has --delay-updates and --safe-links. The openrsync of
// OpenBSD has not; its protocol is older than that of macOS.
func (v Version) HasDelayUpdates() bool {
	return v.atLeast(2, 6) || v.Flavor == OpenRsync && v.Protocol >= 28 || v.Flavor == Unknown
}

func (v Version) atLeast(major, minor int) bool {
	return v.Flavor == GNU && (v.Major > major || v.Major == major && v.Minor >= minor)
}
