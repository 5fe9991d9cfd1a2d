package probes

// noExecMount is the statfs flag of a mount from which no program can be started
// (MNT_NOEXEC).
const noExecMount = 4

// quota returns false: file systems of macOS have no quotas of users.
func quota(string) (limit, left int64, ok bool) { return 0, 0, false }
