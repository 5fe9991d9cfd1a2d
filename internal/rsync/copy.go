package rsync

import (
	"path"
	"strconv"
)

// scp writes into the file as it is named, so that a broken copy leaves half of it. It
// is given another name, in the same folder, and the file gets its own by one rename.
// scp and not rsync: it is there where rsync is not, as on many images of rented
// machines, and one file needs no comparing.

// FarFile returns the file over there.
func (t Transfer) RemoteFile() string { return path.Join(t.RemoteDir(), t.File) }

// HereFile returns the file on this machine.
func (t Transfer) LocalFile() string { return t.LocalDir + "/" + t.File }

// Part returns the name under which a file is written until it is whole.
func PartialFile(file string) string {
	dir, name := path.Split(file)
	return dir + "." + name + partSuffix
}

// copies are the calls that move one file.
func (t Transfer) fileCommands() []Call {
	if t.Push {
		first := t.remote("test -d " + t.Remote.Path + " && mkdir -p " + path.Dir(t.RemoteFile()))
		return []Call{first, t.Copy(), t.Finish()}
	}
	first := Call{"mkdir", []string{"-p", path.Dir(t.LocalFile())}}
	return []Call{first, t.Copy(), {"mv", []string{"-f", PartialFile(t.LocalFile()), t.LocalFile()}}}
}

// Copy is the call of scp, to a name that is not the file's own. With -p the file keeps
// its time, so that a later rsync sees that it is there.
func (t Transfer) Copy() Call {
	words := []string{"-p"}
	if t.Remote.Port != 0 {
		words = append(words, "-P", strconv.Itoa(t.Remote.Port))
	}
	if t.Limit > 0 {
		words = append(words, "-l", strconv.Itoa(8*t.Limit)) // kbit a second
	}
	words = append(words, t.SSH.options()...)
	if t.Push {
		return Call{"scp", append(words, t.LocalFile(), t.Remote.target(PartialFile(t.RemoteFile())))}
	}
	return Call{"scp", append(words, t.Remote.target(t.RemoteFile()), PartialFile(t.LocalFile()))}
}

// Finish is the call that gives a pushed file its name. A folder of that name is left
// alone: mv would move into it.
func (t Transfer) Finish() Call {
	file := t.RemoteFile()
	return t.remote("test ! -d " + file + " && mv -f " + PartialFile(file) + " " + file)
}
