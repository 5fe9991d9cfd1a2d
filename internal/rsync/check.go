package rsync

import (
	"path"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
)

// Check tells why a transfer cannot be one. Without a problem every word of it is safe
// for the programs of both machines and for the shell over there, whatever their age.
func (t Transfer) Check() *diag.Problem {
	if p := t.Remote.check(); p != nil {
		return p
	}
	if p := checkPath(t.Path); p != nil {
		return p
	}
	if t.File != "" {
		if p := t.checkFile(); p != nil {
			return p
		}
	}
	if t.BackupDir != "" && !isWord(t.BackupDir, "._-/") {
		return refuse("sync.folder", "the path of this folder may hold letters, digits and / . - _ alone where it lies outside the project", t.BackupDir, "rename the folder that it leads to")
	}
	for _, file := range []string{t.SSH.Identity, t.SSH.Config} {
		if file != "" && !isWord(file, "/._-+=,@%") {
			return refuse("sync.key", "rsync cuts the command of ssh at blanks, so this path cannot be given", file, "give it as IdentityFile in ~/.ssh/config, or copy it to a path of letters, digits and / . - _")
		}
	}
	return nil
}

func (t Transfer) checkFile() *diag.Problem {
	if p := checkPath(t.File); p != nil {
		return p
	}
	if path.IsAbs(t.File) || path.Clean(t.File) != t.File || t.File == "." || t.File == ".." || strings.HasPrefix(t.File, "../") {
		return refuse("sync.file", "--file takes one file below "+t.Path, t.File, "give its path inside the project, such as "+path.Join(t.Path, "train.jsonl"))
	}
	return nil
}

// CheckLocal tells what the rsync of this machine cannot do for the transfer.
func (t Transfer) CheckLocal(local Version) *diag.Problem {
	if t.File == "" && t.Remote.isIPv6() && local.Flavor == OpenRsync {
		return refuse("sync.host", "openrsync does not take an address with colons", t.Remote.Host, "give it a name: Host NAME and HostName "+t.Remote.Host+" in ~/.ssh/config")
	}
	return nil
}
