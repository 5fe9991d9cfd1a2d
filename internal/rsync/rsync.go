// Package rsync builds the rsync, ssh and scp commands that transfer a folder between two
// machines, and parses their output. It is pure and starts nothing.
//
// Every transfer, with each supported rsync (GNU rsync since 2.6.9, the openrsync of macOS):
//
//   - deletes nothing at either end: no --delete, and files without a counterpart stay
//   - gives a file its name when it is complete: --partial-dir keeps incomplete ones, and
//     --delay-updates renames the files of a transfer together at the end
//   - copies links as links (-l), and skips at both ends those that lead out of the folder
//     (--safe-links): nothing is read or written through them
//   - leaves out owners, modes and devices: the other machine has other users
//   - has host, port and paths that no program takes for an option and no shell interprets;
//     -s is a second line of defence
package rsync

import (
	"path"
	"strconv"
	"strings"
)

// PartialDir is the folder, beside a file, in which rsync keeps it while it is incomplete.
const PartialDir = ".rsync-partial"

// Excluded are the patterns of files that are never transferred: those of Finder, and
// incomplete files by the conventions of the programs that write them.
var Excluded = []string{
	".DS_Store", "._*", // of macOS
	PartialDir, "*" + partSuffix, // of an interrupted transfer; also of browsers
	".reconcile-tmp-*", // of reconcile, during a write
	"*.incomplete",     // of huggingface_hub
	".xet",             // its cache of hf-xet, in the directory of models
	"tmp-checkpoint-*", // of trainers
	"*.tmp",
}

// partSuffix ends the name of a file that scp writes.
const partSuffix = ".part"

// A Call is a program and its arguments.
type Call struct {
	Program string   `json:"program"` // "rsync", "ssh", "scp", "mkdir", "mv"
	Args    []string `json:"args"`
}

// Argv returns the program and its arguments.
func (c Call) Argv() []string { return append([]string{c.Program}, c.Args...) }

// A Transfer is the transfer of a folder, or of one file in it, between this machine and
// another. Its other methods may be used if Check returns nil.
type Transfer struct {
	Push     bool   // to the remote machine; otherwise from it
	LocalDir string // absolute, or relative to the working directory of the commands
	Remote   Remote
	Path     string // of the folder inside the project, the same on both machines
	File     string // the file to transfer, below the folder; "" for the folder
	SSH      SSH
	Checksum bool // also compare the content of files with the same size and time
	Limit    int  // kB per second; 0 for no limit
	// BackupDir is a local folder for the files that a pull replaces, absolute or relative
	// to the folder; "" to keep none. Old versions also pass it to the remote shell.
	BackupDir    string
	SecludedArgs bool // use -s, which both ends must support
}

// SSH are options of ssh and scp beyond the ssh configuration.
type SSH struct {
	Identity string // absolute path of a private key, ssh -i; "" for the default
	Config   string // absolute path of a configuration, ssh -F; "" for the default
	Batch    bool   // never prompt
}

// options returns the options that ssh and scp share. A dead connection is detected after a
// minute, a failing one after 15 seconds.
func (s SSH) options() []string {
	var args []string
	if s.Config != "" {
		args = append(args, "-F", s.Config)
	}
	if s.Identity != "" {
		args = append(args, "-i", s.Identity)
	}
	if s.Batch {
		args = append(args, "-o", "BatchMode=yes")
	}
	return append(args, "-o", "ConnectTimeout=15", "-o", "ServerAliveInterval=15")
}

// sshOptions returns the options of ssh. Without a port, the ssh configuration decides.
func (t Transfer) sshOptions() []string {
	if t.Remote.Port != 0 {
		return append([]string{"-p", strconv.Itoa(t.Remote.Port)}, t.SSH.options()...)
	}
	return t.SSH.options()
}

// ssh returns the call that runs a command on the remote machine.
func (t Transfer) ssh(command string) Call {
	return Call{"ssh", append(t.sshOptions(), t.Remote.Login(), command)}
}

// mkdir returns the call that creates a remote folder if the project exists.
func (t Transfer) mkdir(dir string) Call {
	return t.ssh("test -d " + t.Remote.Path + " && mkdir -p " + dir)
}

// RemoteDir returns the path of the folder on the remote machine.
func (t Transfer) RemoteDir() string { return path.Join(t.Remote.Path, t.Path) }

// Commands returns the commands of the transfer for a person to run in this order, each only
// if the one before has succeeded.
func (t Transfer) Commands() []Call {
	if t.File != "" {
		return t.fileCommands()
	}
	if t.Push {
		return []Call{t.mkdir(t.RemoteDir()), t.rsync()}
	}
	return []Call{{"mkdir", []string{"-p", t.LocalDir}}, t.rsync()}
}

// rsync returns the transfer of a folder. Both paths end in a slash: the contents of one go
// into the other.
func (t Transfer) rsync(more ...string) Call {
	flags := "-rlt"
	if t.Push {
		flags += "z" // text shrinks to a quarter; weights do not
	}
	if t.SecludedArgs {
		flags += "s"
	}
	args := []string{flags, "--safe-links", "--partial-dir=" + PartialDir, "--delay-updates"}
	for _, pattern := range Excluded {
		args = append(args, "--exclude", pattern)
	}
	if t.Checksum {
		args = append(args, "-c")
	}
	if t.Limit > 0 {
		args = append(args, "--bwlimit="+strconv.Itoa(t.Limit))
	}
	if t.BackupDir != "" && !t.Push {
		args = append(args, "-b", "--backup-dir="+t.BackupDir)
	}
	args = append(append(args, more...), "-e", strings.Join(append([]string{"ssh"}, t.sshOptions()...), " "))
	local, remote := t.LocalDir+"/", t.Remote.target(t.RemoteDir()+"/")
	if t.Push {
		return Call{"rsync", append(args, local, remote)}
	}
	return Call{"rsync", append(args, remote, local)}
}

// verbose makes rsync print the lines that ParseChange and ParseSkipped parse.
var verbose = []string{"-v", "--out-format=%i %l %n"}

// DryRun returns the transfer of a folder that only prints its changes.
func (t Transfer) DryRun() Call { return t.rsync(append([]string{"-n"}, verbose...)...) }

// Run returns the transfer of a folder that prints its changes. local is the version of the
// local rsync.
func (t Transfer) Run(local Version) Call {
	progress := "--progress"
	if local.HasTotalProgress() {
		progress = "--info=progress2"
	}
	return t.rsync(append([]string{progress}, verbose...)...)
}
