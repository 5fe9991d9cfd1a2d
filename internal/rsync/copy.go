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
func (t Transfer) FarFile() string { return path.Join(t.FarFolder(), t.File) }

// HereFile returns the file on this machine.
func (t Transfer) HereFile() string { return t.Here + "/" + t.File }

// Part returns the name under which a file is written until it is whole.
func Part(file string) string {
	dir, name := path.Split(file)
	return dir + "." + name + partSuffix
}

// copies are the calls that move one file.
func (t Transfer) copies() []Call {
	if t.Push {
		first := t.remote("test -d " + t.Far.Path + " && mkdir -p " + path.Dir(t.FarFile()))
		return []Call{first, t.Copy(), t.Finish()}
	}
	first := Call{"mkdir", []string{"-p", path.Dir(t.HereFile())}}
	return []Call{first, t.Copy(), {"mv", []string{"-f", Part(t.HereFile()), t.HereFile()}}}
}

// Copy is the call of scp, to a name that is not the file's own. With -p the file keeps
// its time, so that a later rsync sees that it is there.
func (t Transfer) Copy() Call {
	words := []string{"-p"}
	if t.Far.Port != 0 {
		words = append(words, "-P", strconv.Itoa(t.Far.Port))
	}
	if t.Limit > 0 {
		words = append(words, "-l", strconv.Itoa(8*t.Limit)) // kbit a second
	}
	words = append(words, t.SSH.options()...)
	if t.Push {
		return Call{"scp", append(words, t.HereFile(), t.Far.word(Part(t.FarFile())))}
	}
	return Call{"scp", append(words, t.Far.word(t.FarFile()), Part(t.HereFile()))}
}

// Finish is the call that gives a pushed file its name. A folder of that name is left
// alone: mv would move into it.
func (t Transfer) Finish() Call {
	file := t.FarFile()
	return t.remote("test ! -d " + file + " && mv -f " + Part(file) + " " + file)
}
