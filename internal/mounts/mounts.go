// Package mounts finds the mounted file systems of this machine.
package mounts

import "strings"

// A Mount is one mounted file system.
type Mount struct {
	Point string // directory at which it is mounted, absolute
	Type  string // "ext4", "tmpfs", "nfs4", "fuse.sshfs", "apfs"
}

// networkTypes are the types of file systems that other machines, or the host of a virtual
// machine, may write to at the same time. Those of FUSE are without their prefix.
const networkTypes = " nfs nfs4 cifs smb3 smbfs afpfs webdav lustre beegfs gpfs ceph ceph-fuse glusterfs orangefs pvfs2 wekafs panfs afs" +
	" 9p virtiofs vboxsf prl_fs vmhgfs vmhgfs-fuse sshfs s3fs gcsfuse rclone juicefs moosefs mfs "

// IsNetwork reports whether other machines may write to a file system of this type.
func IsNetwork(fileSystem string) bool {
	name := strings.TrimPrefix(fileSystem, "fuse.")
	return name != "" && strings.Contains(networkTypes, " "+name+" ")
}
