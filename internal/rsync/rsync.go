// Package rsync knows what rsync, ssh and scp are asked so that one folder travels
// between two machines, and what their answers mean. It is pure: it makes words and
// reads text, and starts nothing.
//
// What holds for every transfer, with each rsync in use (GNU rsync from 2.6.9, the
// openrsync of macOS):
//
//   - nothing is deleted at either end: no --delete, and a file that is there alone stays
//   - a file gets its name when it is whole: --partial-dir keeps what is not, and
//     --delay-updates keeps the files of one transfer together until all have come
//   - links are carried as links (-l), and those that lead out of the folder are left out
//     at both ends (--safe-links): nothing is read or written through them
//   - owners, modes and devices stay behind: another machine has other users
//   - host, port and paths are made of letters that neither a program takes for an
//     option nor a shell for anything but a word; -s is one lock more, not the lock
package rsync

import (
	"path"
	"strconv"
	"strings"
)

// PartialDir is where an rsync keeps what has not come whole, in the folder of the file.
const PartialDir = ".rsync-partial"

// LeftOut are the patterns of what never travels: what Finder leaves behind, and files
// that are not whole by their own makers' conventions.
var Excluded = []string{
	".DS_Store", "._*", // of macOS
	PartialDir, "*" + partSuffix, // of a transfer that is not at its end; of browsers too
	".reconcile-tmp-*", // of reconcile, in the middle of a write
	"*.incomplete",     // of the hub of Hugging Face
	"tmp-checkpoint-*", // of trainers
	"*.tmp",
}

// partSuffix ends the name under which scp writes a file.
const partSuffix = ".part"

// A Call is one program and its words.
type Call struct {
	Program string   `json:"program"` // "rsync", "ssh", "scp", "mkdir", "mv"
	Args    []string `json:"args"`
}

// Words returns the program and its words.
func (c Call) Argv() []string { return append([]string{c.Program}, c.Args...) }

// A Transfer is one folder, or one file of it, on its way between this machine and
// another. Check tells whether it can be one; the rest holds for those that can.
type Transfer struct {
	Push     bool   // from here to the far machine; else from there to here
	LocalDir string // the folder on this machine, absolute or as seen from where it is typed
	Remote   Remote // the machine and its project
	Path     string // of the folder inside the project, the same on both
	File     string // the one file to move, below the folder; "" for the folder
	SSH      SSH
	// Checksum compares the content of files that have the same size and time too.
	Checksum bool
	// Limit is the most that is sent, in kB a second; 0 for no limit.
	Limit int
	// Replaced is a folder of this machine for what a pull replaces, as seen from the
	// folder, or absolute; "" where the old content is not kept. Old rsyncs name it in the
	// shell over there too, though it means nothing there.
	BackupDir string
	// Secluded asks for -s, which both ends must have.
	SecludedArgs bool
}

// SSH is how ssh and scp are told to connect, beyond what ssh's own configuration says.
type SSH struct {
	Identity string // absolute path of a private key, ssh -i; "" for ssh's own choice
	Config   string // absolute path of a configuration, ssh -F; "" for ssh's own
	Batch    bool   // ask nothing: nobody could answer
}

// options are the words that ssh and scp have in common. A connection that is dead is
// noticed after a minute, one that cannot be made after a quarter of one.
func (s SSH) options() []string {
	var words []string
	if s.Config != "" {
		words = append(words, "-F", s.Config)
	}
	if s.Identity != "" {
		words = append(words, "-i", s.Identity)
	}
	if s.Batch {
		words = append(words, "-o", "BatchMode=yes")
	}
	return append(words, "-o", "ConnectTimeout=15", "-o", "ServerAliveInterval=15")
}

// shell returns the words of ssh up to the machine. Without a port the configuration of
// ssh decides, and 22 where it says nothing.
func (t Transfer) shell() []string {
	words := []string{"ssh"}
	if t.Remote.Port != 0 {
		words = append(words, "-p", strconv.Itoa(t.Remote.Port))
	}
	return append(words, t.SSH.options()...)
}

// remote is a call of ssh that runs a command over there.
func (t Transfer) remote(command string) Call {
	return Call{"ssh", append(t.shell()[1:], t.Remote.Login(), command)}
}

// FarFolder returns the folder over there.
func (t Transfer) RemoteDir() string { return path.Join(t.Remote.Path, t.Path) }

// Printed are the calls that a person can type to do the transfer, in this order, each
// only if the one before has succeeded.
func (t Transfer) Commands() []Call {
	if t.File != "" {
		return t.fileCommands()
	}
	first := Call{"mkdir", []string{"-p", t.LocalDir}}
	if t.Push {
		first = t.remote("test -d " + t.Remote.Path + " && mkdir -p " + t.RemoteDir())
	}
	return []Call{first, t.rsync()}
}

// rsync is the transfer of a folder. The slash at the end of both means: the contents of
// one into the other.
func (t Transfer) rsync(more ...string) Call {
	flags := "-rlt"
	if t.Push {
		flags += "z" // text shrinks to a quarter; weights do not shrink
	}
	if t.SecludedArgs {
		flags += "s"
	}
	words := []string{flags, "--safe-links", "--partial-dir=" + PartialDir, "--delay-updates"}
	for _, pattern := range Excluded {
		words = append(words, "--exclude", pattern)
	}
	if t.Checksum {
		words = append(words, "-c")
	}
	if t.Limit > 0 {
		words = append(words, "--bwlimit="+strconv.Itoa(t.Limit))
	}
	if t.BackupDir != "" && !t.Push {
		words = append(words, "-b", "--backup-dir="+t.BackupDir)
	}
	words = append(words, more...)
	words = append(words, "-e", strings.Join(t.shell(), " "))
	here, there := t.LocalDir+"/", t.Remote.target(t.RemoteDir()+"/")
	if t.Push {
		return Call{"rsync", append(words, here, there)}
	}
	return Call{"rsync", append(words, there, here)}
}

// told makes rsync say what it does, in lines that ParseChange and ParseLeft read.
var verbose = []string{"-v", "--out-format=%i %l %n"}

// Preview is the transfer of a folder that only says what it would do.
func (t Transfer) DryRun() Call { return t.rsync(append([]string{"-n"}, verbose...)...) }

// Run is the transfer of a folder that says what it does while it does it. local is the
// rsync of this machine.
func (t Transfer) Run(local Version) Call {
	progress := "--progress"
	if local.HasTotalProgress() {
		progress = "--info=progress2"
	}
	return t.rsync(append([]string{progress}, verbose...)...)
}
