package rsync

import "github.com/reconcile-ml/reconcile/internal/diag"

// Codes explains the codes of problems of this package.
func Codes() diag.Explanations {
	return diag.Explanations{
		"sync.host":        {Means: "The word names no machine that ssh could reach, or the manifest does not know it.", Do: "Write USER@HOST:PATH, or give the host of the manifest `ssh: {host: HOST, port: PORT, path: PATH}`. What has other letters gets an alias in ~/.ssh/config."},
		"sync.port":        {Means: "The port is none.", Do: "Give a number from 1 to 65535."},
		"sync.path":        {Means: "The path over there is missing, is not there, or could be more than a path to a shell.", Do: "Use letters, digits and / . - _ alone; clone the project there first. Only the folder that travels is made, so that a mistyped path fills no disk."},
		"sync.file":        {Means: "--file does not name one file below the folder of the entry.", Do: "Give its path inside the project, such as data/processed/train.jsonl."},
		"sync.key":         {Means: "The path of the key or of ssh's configuration holds what rsync would cut at.", Do: "Give it as IdentityFile in ~/.ssh/config."},
		"sync.folder":      {Means: "The folder or file here is not there, is something else, or has a path that cannot travel.", Do: "Look at it with `ls -ld`; `reconcile apply` makes the folders of the manifest."},
		"sync.proxy":       {Means: "The proxy of RunPod gives a shell and carries no files.", Do: "Expose TCP port 22 of the pod, and use root@IP with the port that RunPod shows."},
		"sync.shell":       {Means: "The shell over there prints something when it starts, or does not answer as one; rsync cannot tell that from data.", Do: "Let its .bashrc print only in a terminal: `[ -t 1 ] && echo hello`."},
		"sync.host-key":    {Means: "The host key of the machine over there is not known here, or is another one than before.", Do: "Connect once with `ssh` and compare the fingerprint. Addresses of rented machines are used again: then `ssh-keygen -R HOST` first."},
		"sync.denied":      {Means: "The machine over there does not take the key.", Do: "Name the key with `--identity FILE` or in ~/.ssh/config, or load it with `ssh-add`."},
		"sync.refused":     {Means: "Nothing listens over there at that address and port.", Do: "Look whether the machine runs. The port of a pod changes with each start."},
		"sync.unreachable": {Means: "The name of the machine is not known, or it does not answer.", Do: "Check the name and the network; try `ssh HOST`."},
		"sync.full":        {Means: "The disk that is written to is full. No file was cut.", Do: "Free some space there, and run the same again."},
		"sync.read-only":   {Means: "The file system that is written to is read-only.", Do: "Choose another path over there."},
		"sync.io":          {Means: "rsync could not read or write a file and did not say why; often the disk is full. No file was cut.", Do: "Look at `df -h` over there, and run the same again."},
		"sync.no-rsync":    {Means: "There is no rsync here or over there.", Do: "Install it: `apt-get install rsync`, `brew install rsync`. One file goes by scp: `--file PATH`."},
		"sync.no-sftp":     {Means: "The machine over there has no sftp, which scp uses.", Do: "Move the folder instead, or type the printed scp with -O."},
		"sync.option":      {Means: "One of the two rsyncs cannot do what a safe transfer or its preview needs.", Do: "Install GNU rsync at that end; 2.6.9 is the oldest that will do."},
		"sync.lost":        {Means: "The connection was lost. No file was cut.", Do: "Run the same again: what came so far is used."},
		"sync.partial":     {Means: "Some files were not transferred; the others were.", Do: "Mend what is said of them, and run the same again."},
		"sync.failed":      {Means: "rsync, ssh or scp ended for a reason that has no words of its own here.", Do: "Read what it said; `-v` shows what was run. Running it again does no harm."},
	}
}
