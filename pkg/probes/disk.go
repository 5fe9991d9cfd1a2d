package probes

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/shirou/gopsutil/v3/disk"
	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/mounts"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// readOnlyMount is the statfs flag of a read-only file system, the same on Linux
// (ST_RDONLY) and macOS (MNT_RDONLY).
const readOnlyMount = 1

// disk measures the file system of the nearest existing parent of a path. Free is the space
// that this user can use: without the reserve of root, and within a quota.
func (p *Prober) disk(path string) (facts.Disk, error) {
	d := facts.Disk{Path: path, FreeInodes: -1}
	at, info, err := nearest(p.abs(path))
	if err != nil {
		return d, err
	}
	usage, err := disk.Usage(at)
	if err != nil {
		return d, fmt.Errorf("statfs %s: %w", at, err)
	}
	d.FileSystem, d.Total, d.Free = usage.Fstype, int64(usage.Total), int64(usage.Free)
	if m, err := mounts.Of(at); err == nil {
		d.FileSystem, d.MountPoint = m.Type, m.Point
	}
	d.Network = mounts.IsNetwork(d.FileSystem)
	if limit, left, ok := quota(at); ok {
		d.Quota, d.Free = limit, min(d.Free, left)
	}
	if usage.InodesTotal > 0 { // 0 for btrfs and others without a limit
		d.FreeInodes = int64(usage.InodesFree)
	}
	var st unix.Stat_t
	if err := unix.Stat(at, &st); err != nil {
		return d, &fs.PathError{Op: "stat", Path: at, Err: err}
	}
	d.Device = fmt.Sprintf("%d:%d", unix.Major(uint64(st.Dev)), unix.Minor(uint64(st.Dev)))
	var flags unix.Statfs_t
	if err := unix.Statfs(at, &flags); err != nil {
		return d, &fs.PathError{Op: "statfs", Path: at, Err: err}
	}
	d.ReadOnly, d.NoExec = flags.Flags&readOnlyMount != 0, flags.Flags&noExecMount != 0
	mode := uint32(unix.W_OK)
	if info.IsDir() {
		mode |= unix.X_OK
	}
	d.Writable = unix.Access(at, mode) == nil
	return d, nil
}

// nearest returns the path or its nearest existing parent. Links are followed.
func nearest(at string) (string, fs.FileInfo, error) {
	for {
		info, err := os.Stat(at)
		if err == nil {
			return at, info, nil
		}
		up := filepath.Dir(at)
		if !rawfile.IsAbsent(err) || up == at {
			return "", nil, err
		}
		at = up
	}
}
