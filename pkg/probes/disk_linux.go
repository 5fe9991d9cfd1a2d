package probes

import (
	"math"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// noExecMount is the statfs flag of a mount from which no program can be started
// (ST_NOEXEC).
const noExecMount = 8

// quota returns the smallest limit of the quotas of this user and its group on the file
// system of an existing path, and the bytes left of it; ok is false if there is none. Free
// space of a file system (statfs) includes the quotas of directories (project quotas), but
// not these. A server of NFS applies quotas that the kernel cannot report.
func quota(path string) (limit, left int64, ok bool) {
	if os.Geteuid() == 0 {
		return 0, 0, false // root may exceed quotas
	}
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, 0, false
	}
	defer unix.Close(fd)
	left = math.MaxInt64
	for quotaType, id := range []int{os.Geteuid(), os.Getegid()} { // USRQUOTA, GRPQUOTA
		q, err := getQuota(fd, quotaType, id)
		hard := int64(q.hard)
		if hard == 0 {
			hard = int64(q.soft)
		}
		if err != nil || hard == 0 {
			continue
		}
		hard <<= 10
		if rest := max(0, hard-int64(q.used)); rest < left {
			limit, left, ok = hard, rest, true
		}
	}
	return limit, left, ok
}

// A diskQuota is struct if_dqblk of linux/quota.h.
type diskQuota struct {
	hard, soft uint64 // in KiB; 0 for no limit
	used       uint64 // bytes
	_          [5]uint64
	_          uint32
	_          uint32
}

// getQuota asks the kernel, Linux 5.14 or newer, for one quota.
func getQuota(fd, quotaType, id int) (diskQuota, error) {
	const getQuota = 0x800007 // Q_GETQUOTA
	var q diskQuota
	_, _, errno := unix.Syscall6(unix.SYS_QUOTACTL_FD, uintptr(fd), uintptr(getQuota<<8|quotaType), uintptr(id), uintptr(unsafe.Pointer(&q)), 0, 0)
	if errno != 0 {
		return q, errno
	}
	return q, nil
}
