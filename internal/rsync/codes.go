package rsync

import "github.com/reconcile-ml/reconcile/internal/diag"

// Codes returns the explanations of the problem codes of this package.
func Codes() diag.Explanations {
	return diag.Explanations{
		"sync.host":        {Means: "The host is not a name or address that ssh can reach, or the manifest does not have it.", Do: "Write USER@HOST:PATH, or add `ssh: {host: HOST, port: PORT, path: PATH}` to the host in the manifest. For other letters, add an alias to ~/.ssh/config."},
		"sync.port":        {Means: "The port is not valid.", Do: "Give a number from 1 to 65535."},
		"sync.path":        {Means: "The remote path is missing, does not exist, or has characters that a shell could interpret.", Do: "Use letters, digits and / . - _ only; clone the project there first. Only the folder that is pushed is created, so that a wrong path fills no disk."},
		"sync.file":        {Means: "--file does not name one file below the folder of the entry.", Do: "Give its path inside the project, such as data/processed/train.jsonl."},
		"sync.key":         {Means: "The path of the key or of the ssh configuration has characters at which rsync splits.", Do: "Set it as IdentityFile in ~/.ssh/config."},
		"sync.folder":      {Means: "The local folder or file does not exist, has another type, or has a path that cannot be transferred.", Do: "Check it with `ls -ld`; `reconcile apply` creates the folders of the manifest."},
		"sync.proxy":       {Means: "The proxy of RunPod provides a shell and no file transfer.", Do: "Expose TCP port 22 of the pod, and use root@IP with the port that RunPod shows."},
		"sync.shell":       {Means: "The remote shell prints something when it starts, or does not answer like a shell; rsync cannot separate that from data.", Do: "Let its .bashrc print only in a terminal: `[ -t 1 ] && echo hello`."},
		"sync.host-key":    {Means: "The host key of the remote machine is unknown on this machine, or has changed.", Do: "Connect once with `ssh` and compare the fingerprint. Addresses of rented machines are reused: in that case run `ssh-keygen -R HOST` first."},
		"sync.denied":      {Means: "The remote machine rejects the key.", Do: "Name the key with `--identity FILE` or in ~/.ssh/config, or load it with `ssh-add`."},
		"sync.refused":     {Means: "No ssh server listens at that address and port.", Do: "Check that the machine runs. The port of a pod changes with each start."},
		"sync.unreachable": {Means: "The name of the machine cannot be resolved, or the machine does not answer.", Do: "Check the name and the network; try `ssh HOST`."},
		"sync.full":        {Means: "The destination disk is full. No file is incomplete under its own name.", Do: "Free some space there, and run the same command again."},
		"sync.read-only":   {Means: "The destination file system is read-only.", Do: "Choose another path on the remote machine."},
		"sync.io":          {Means: "rsync could not read or write a file and gave no reason; often the disk is full. No file is incomplete under its own name.", Do: "Check `df -h` on the remote machine, and run the same command again."},
		"sync.no-rsync":    {Means: "rsync is not installed on this machine or on the remote one.", Do: "Install it: `apt-get install rsync`, `brew install rsync`. A single file uses scp: `--file PATH`."},
		"sync.no-sftp":     {Means: "The remote machine has no sftp, which scp uses.", Do: "Transfer the folder instead, or run the printed scp with -O."},
		"sync.option":      {Means: "One of the two rsync programs lacks an option of a safe transfer or its preview.", Do: "Install GNU rsync on that machine, 2.6.9 or newer."},
		"sync.lost":        {Means: "The connection was lost. No file is incomplete under its own name.", Do: "Run the same command again: it continues where it stopped."},
		"sync.partial":     {Means: "Some files were not transferred; the others were.", Do: "Fix the errors that rsync reports, and run the same command again."},
		"sync.failed":      {Means: "rsync, ssh or scp failed for a reason without a code of its own.", Do: "Read its output; `-v` shows the commands. It is safe to run the same command again."},
	}
}
