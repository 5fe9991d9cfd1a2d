package rsync

import (
	"path"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
)

// Check reports why a transfer is impossible. If it returns nil, every argument is safe for
// the programs of both machines and for the remote shell, whatever their age.
func (t Transfer) Check() *diag.Problem {
	if p := t.Remote.check(); p != nil {
		return p
	}
	if p := checkPath(t.Path); p != nil {
		return p
	}
	if t.File != "" {
		if p := checkPath(t.File); p != nil {
			return p
		}
		if path.IsAbs(t.File) || path.Clean(t.File) != t.File || t.File == "." || t.File == ".." || strings.HasPrefix(t.File, "../") {
			return refuse("sync.file", "--file takes one file below "+t.Path, t.File, "give its path inside the project, such as "+path.Join(t.Path, "train.jsonl"))
		}
	}
	if t.BackupDir != "" && !isWord(t.BackupDir, "._-/") {
		return refuse("sync.folder", "outside the project, the path of this folder must consist of letters, digits and / . - _", t.BackupDir, "rename the folder that it leads to")
	}
	for _, file := range []string{t.SSH.Identity, t.SSH.Config} {
		if file != "" && !isWord(file, "/._-+=,@%") {
			return refuse("sync.key", "rsync splits the ssh command at spaces and cannot use this path", file, "set it as IdentityFile in ~/.ssh/config, or copy the file to a path of letters, digits and / . - _")
		}
	}
	return nil
}

// CheckLocal reports why the local rsync cannot do the transfer.
func (t Transfer) CheckLocal(local Version) *diag.Problem {
	if t.File == "" && t.Remote.isIPv6() && local.Flavor == OpenRsync {
		return refuse("sync.host", "openrsync does not accept an IPv6 address", t.Remote.Host, "give it a name: Host NAME and HostName "+t.Remote.Host+" in ~/.ssh/config")
	}
	return nil
}

func refuse(code, summary, found, hint string) *diag.Problem {
	return &diag.Problem{Code: code, Summary: summary, Found: found, Hint: hint}
}
