package rsync

import (
	"path"
	"strconv"
)

// A single file is copied with scp, which many images of rented machines have without
// rsync. scp writes in place, so that an interrupted copy leaves half a file. So the file
// is copied under another name in the same folder, and renamed at the end.

// RemoteFile returns the path of the file on the remote machine.
func (t Transfer) RemoteFile() string { return path.Join(t.RemoteDir(), t.File) }

// LocalFile returns the path of the file on this machine.
func (t Transfer) LocalFile() string { return t.LocalDir + "/" + t.File }

// PartialFile returns the name of a file until it is complete.
func PartialFile(file string) string {
	dir, name := path.Split(file)
	return dir + "." + name + partSuffix
}

// fileCommands returns the commands that transfer one file.
func (t Transfer) fileCommands() []Call {
	if t.Push {
		return []Call{t.mkdir(path.Dir(t.RemoteFile())), t.Copy(), t.Finish()}
	}
	return []Call{{"mkdir", []string{"-p", path.Dir(t.LocalFile())}}, t.Copy(), {"mv", []string{"-f", PartialFile(t.LocalFile()), t.LocalFile()}}}
}

// Copy returns the scp command, which writes to PartialFile. -p keeps the time of the file,
// so that a later rsync finds it unchanged.
func (t Transfer) Copy() Call {
	args := []string{"-p"}
	if t.Remote.Port != 0 {
		args = append(args, "-P", strconv.Itoa(t.Remote.Port))
	}
	if t.Limit > 0 {
		args = append(args, "-l", strconv.Itoa(8*t.Limit)) // kbit per second
	}
	args = append(args, t.SSH.options()...)
	if t.Push {
		return Call{"scp", append(args, t.LocalFile(), t.Remote.target(PartialFile(t.RemoteFile())))}
	}
	return Call{"scp", append(args, t.Remote.target(t.RemoteFile()), PartialFile(t.LocalFile()))}
}

// Finish returns the command that renames a pushed file. It fails if the name is a folder,
// because mv would move the file into it.
func (t Transfer) Finish() Call {
	file := t.RemoteFile()
	return t.ssh("test ! -d " + file + " && mv -f " + PartialFile(file) + " " + file)
}
