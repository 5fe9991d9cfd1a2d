package apply

import "github.com/reconcile-ml/reconcile/internal/diag"

// Codes explains the codes of problems that this package reports.
func Codes() diag.Explanations {
	const unchanged = " The active generation was not changed."
	return diag.Explanations{
		"apply.blocked": {
			Means: "A change was blocked when apply came to it.",
			Do:    "`reconcile plan` prints the reason.",
		},
		"apply.changed": {
			Means: "The machine changed between the plan and this step, so the step did not run: apply executes the plan and nothing else.",
			Do:    "Make a new plan: `reconcile plan`.",
		},
		"apply.skipped": {
			Means: "A change was not made, because one that it depends on failed.",
			Do:    "Fix the cause, which is in the message, and run `reconcile apply` again.",
		},
		"apply.interrupted": {
			Means: "The run was stopped by a signal, or killed, before the change was done.",
			Do:    "Run `reconcile apply` again; it continues from the current state of the machine.",
		},
		"apply.not-seen": {
			Means: "A fact that a step needs cannot be read, so nothing was changed.",
			Do:    "Make it readable, see the reason in the message, and run `reconcile apply` again.",
		},
		"apply.not-settled": {
			Means: "All steps of a change ran, and the machine still differs from the manifest.",
			Do:    "Another program may be changing it at the same time. `reconcile plan` shows the current difference; if it stays, please report a bug.",
		},
		"apply.error": {
			Means: "A step failed with a system error without its own code.",
			Do:    "See the system error in the message.",
		},
		"apply.disk-full": {
			Means: "The file system is full, or has no inodes left (`df -i`). Existing files were not changed.",
			Do:    "Free some space there and run `reconcile apply` again.",
		},
		"apply.quota": {
			Means: "Your quota on the file system is used up.",
			Do:    "Remove files that you no longer need there, or ask for a larger quota: `quota -s`.",
		},
		"apply.read-only": {
			Means: "The file system is mounted read-only.",
			Do:    "Mount it for writing, or move the project. Linux remounts a file system read-only after a disk error: check `dmesg`.",
		},
		"apply.denied": {
			Means: "Your user has no permission for the step.",
			Do:    "Check the owner of the folder, with the command of the hint. reconcile never needs root for a project of your own.",
		},
		"apply.descriptors": {
			Means: "Too many files are open, in this process or on the machine.",
			Do:    "Raise the limit: `ulimit -n 1024`.",
		},
		"apply.device": {
			Means: "The device reports an error when it is read or written.",
			Do:    "Check `dmesg` first; the disk may be failing.",
		},
		"apply.program": {
			Means: "A program that a step started failed. The end of its output is in the message, all of it in the record of the run below .reconcile.",
			Do:    "Read the output; `-v` prints all of it. Then run `reconcile apply` again.",
		},
		"apply.program-changed": {
			Means: "The SHA-256 of a pinned helper program has changed since it was installed. It was not started.",
			Do:    "Move it away, with the command of the hint; the next apply installs it again.",
		},
		"apply.fetch": {
			Means: "No source provides a file with the pinned SHA-256. The message has the error of each.",
			Do:    "Check the network and the proxy of this machine, and run `reconcile apply` again.",
		},
		"apply.index": {
			Means: "The package index could not be reached." + unchanged,
			Do:    "`reconcile doctor` prints the request and the error; `reconcile facts` prints the settings under \"index\". A package in the cache needs no index.",
		},
		"apply.channel": {
			Means: "A conda channel could not be reached." + unchanged,
			Do:    "Check the network. A mirror of all channels is set in .reconcile/local.yaml as `conda_alias`, or in RECONCILE_CONDA_ALIAS.",
		},
		"apply.hash": {
			Means: "A file of the index differs from the lock, and was not installed: it was changed at its source or in transit." + unchanged,
			Do:    "Ask the operator of the index, or use another one. Run `reconcile lock` only if you know why the file changed.",
		},
		"apply.prove": {
			Means: "A module that the manifest lists under `smoke_test` cannot be imported in the new generation." + unchanged,
			Do:    "The message contains the error of the import. Often a package is missing, or two are incompatible: change the pins, run `reconcile lock`, and apply again.",
		},
		"apply.prove.cuda": {
			Means: "torch finds no CUDA in the new generation, or is built for a CUDA version that the driver does not support." + unchanged,
			Do:    "`reconcile doctor` compares driver, GPU and torch.",
		},
		"apply.prove.qlora": {
			Means: "A 4-bit layer of bitsandbytes does not work in the new generation." + unchanged,
			Do:    "Compare the pins of torch and bitsandbytes; `reconcile plan` warns of incompatible pairs.",
		},
		"apply.reuse": {
			Means: "A package of the active generation is damaged, and cannot be reused in the new one.",
			Do:    "Run `reconcile verify --deep`, then `reconcile apply`, which installs damaged packages again.",
		},
		"apply.seal": {
			Means: "The installed files differ from the lock, so the generation was not sealed." + unchanged,
			Do:    "Run `reconcile apply` again. If that fails, the cache is damaged: remove .reconcile/cache and apply once more.",
		},
		"apply.twice": {
			Means: "Two distributions of the lock contain the same files, and one overwrote the other." + unchanged,
			Do:    "Remove the package from `packages` or from `conda_packages`, then run `reconcile lock`.",
		},
		"apply.occupied": {
			Means: "A package contains a file that reconcile writes." + unchanged,
			Do:    "Remove that package from the manifest.",
		},
		"apply.unsealed": {
			Means: "A generation cannot be activated: it has no seal, or was moved here.",
			Do:    "Run `reconcile apply` again; it builds a new one.",
		},
		"apply.remove-refused": {
			Means: "A path was not removed, because it is not, or not only, from reconcile.",
			Do:    "If you want to remove it, do so yourself.",
		},
		"apply.other-file-system": {
			Means: "A path cannot be renamed to its new place, which is on another file system. apply never copies.",
			Do:    "Move it yourself with the command of the hint, and apply again.",
		},
	}
}
