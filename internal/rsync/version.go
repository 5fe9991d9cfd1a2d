package rsync

import (
	"fmt"
	"regexp"
	"strconv"
)

// A Flavor is whose rsync it is. Only differences that matter here are told.
type Flavor string

const (
	Absent    Flavor = ""          // there is none
	Unknown   Flavor = "unknown"   // a program of that name whose version is not told
	GNU       Flavor = "rsync"     // of rsync.samba.org, with Apple's 2.6.9
	OpenRsync Flavor = "openrsync" // of OpenBSD, and of macOS from 15.4
)

// A Version is what an rsync says of itself.
type Version struct {
	Flavor              Flavor
	Major, Minor, Patch int // of GNU rsync
	Protocol            int // 0 where it is not told
}

var (
	gnuVersion  = regexp.MustCompile(`(?m)^rsync +version v?([0-9]{1,4})\.([0-9]{1,4})(?:\.([0-9]{1,4}))?[^ ]* +protocol version ([0-9]{1,4})`)
	openVersion = regexp.MustCompile(`(?m)^openrsync: protocol version ([0-9]{1,4})`)
)

// ParseVersion reads what `rsync --version` prints.
func ParseVersion(text string) Version {
	if m := openVersion.FindStringSubmatch(text); m != nil {
		return Version{Flavor: OpenRsync, Protocol: number(m[1])}
	}
	if m := gnuVersion.FindStringSubmatch(text); m != nil {
		return Version{GNU, number(m[1]), number(m[2]), number(m[3]), number(m[4])}
	}
	return Version{Flavor: Unknown}
}

// Confines reports whether this rsync, as its authors released it, keeps what a far one
// sends inside the folder: GNU rsync since 3.4.0 (CVE-2024-12087 and -12088 before that).
// A system may have mended an older one without another number. Of openrsync no such
// fault is known here.
func (v Version) ConfinesPaths() bool {
	return v.Flavor != GNU || v.Major > 3 || v.Major == 3 && v.Minor >= 4
}

// number reads a few digits; none is 0.
func number(digits string) int {
	n, _ := strconv.Atoi(digits)
	return n
}

// String is such as "rsync 3.5.0" or "openrsync (protocol 29)".
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

// ShowsTotal reports whether it can show the progress of a transfer as a whole.
func (v Version) HasTotalProgress() bool { return v.atLeast(3, 1) }

// Secludes reports whether it knows -s, with which no shell over there reads a word.
func (v Version) HasSecludedArgs() bool { return v.atLeast(3, 0) }

// Delays reports whether it knows --delay-updates and --safe-links. The openrsync of
// OpenBSD does not; its protocol is older than that of macOS.
func (v Version) HasDelayUpdates() bool {
	return v.atLeast(2, 6) || v.Flavor == OpenRsync && v.Protocol >= 28 || v.Flavor == Unknown
}

func (v Version) atLeast(major, minor int) bool {
	return v.Flavor == GNU && (v.Major > major || v.Major == major && v.Minor >= minor)
}
