package apply

import "github.com/reconcile-ml/reconcile/internal/diag"

// untouched is what holds of every environment that could not be built.
const untouched = " The environment that is in use was not touched."

// Codes explains the codes of problems that this package reports.
func Codes() diag.Explanations {
	return diag.Explanations{
		"apply.blocked": {
			Means: "A change was found to be blocked when its turn came.",
			Do:    "`reconcile plan` says why.",
		},
		"apply.changed": {
			Means: "The machine changed between the plan and this step, so that the step was not done: apply does what the plan shows, and no more.",
			Do:    "Look at a new plan: `reconcile plan`.",
		},
		"apply.skipped": {
			Means: "A change was not tried, because one that it depends on failed.",
			Do:    "Mend the cause, which the message names, and run `reconcile apply` again.",
		},
		"apply.interrupted": {
			Means: "The run was stopped by a signal, or died, before the change was done.",
			Do:    "Run `reconcile apply` again; it goes on from what is there.",
		},
		"apply.not-seen": {
			Means: "Something that a step needs to know could not be looked at. What cannot be seen is not changed.",
			Do:    "Make it readable, as the reason says, and run `reconcile apply` again.",
		},
		"apply.not-settled": {
			Means: "The steps of a change ran, and the machine is still not as the manifest says.",
			Do:    "Something else may be changing it at the same time. `reconcile plan` shows what differs now; if it stays so, that is a bug to report.",
		},
		"apply.error": {
			Means: "The system refused a step, in words that have no explanation of their own.",
			Do:    "Read the words of the system in the message.",
		},
		"apply.disk-full": {
			Means: "The file system became full, or has no inodes left (`df -i`). What stood there before is untouched.",
			Do:    "Make room there and run `reconcile apply` again.",
		},
		"apply.quota": {
			Means: "Your quota on the file system is used up.",
			Do:    "Remove what you no longer need there, or ask for more: `quota -s`.",
		},
		"apply.read-only": {
			Means: "The file system is mounted read-only.",
			Do:    "Mount it for writing, or put the project elsewhere. After an error of the disk Linux remounts a file system so: look at `dmesg`.",
		},
		"apply.denied": {
			Means: "This user may not do what the step does.",
			Do:    "Look at who owns the folder, with the command of the hint. reconcile never needs root for a project of your own.",
		},
		"apply.descriptors": {
			Means: "There are too many open files, in this process or on the machine.",
			Do:    "Allow more: `ulimit -n 1024`.",
		},
		"apply.device": {
			Means: "The device reports an error when it is read or written.",
			Do:    "Look at `dmesg` before anything else; the disk may be failing.",
		},
		"apply.program": {
			Means: "A program that a step started ended with an error. Its last words are in the message, all of them in the record of the run below .reconcile.",
			Do:    "Read them; `-v` shows all that started programs print. Then run `reconcile apply` again.",
		},
		"apply.program-changed": {
			Means: "A pinned helper program is not the one that was installed: its SHA-256 differs. It was not started.",
			Do:    "Move it away, with the command of the hint; the next apply installs it anew.",
		},
		"apply.fetch": {
			Means: "No source delivers a file whose SHA-256 is pinned. The message says what each answered.",
			Do:    "Check the network and the proxy of this machine, and run `reconcile apply` again.",
		},
		"apply.index": {
			Means: "The package index could not be reached." + untouched,
			Do:    "`reconcile doctor` says what was asked and what came back; `reconcile facts` shows the settings under \"index\". A package that is in the cache needs no index.",
		},
		"apply.channel": {
			Means: "A channel of conda could not be reached." + untouched,
			Do:    "Check the network. A mirror of all channels goes into .reconcile/local.yaml as `conda_alias`, or into RECONCILE_CONDA_ALIAS.",
		},
		"apply.hash": {
			Means: "What the index delivers differs from the lock, and was not installed: the file was changed at its source, or on the way." + untouched,
			Do:    "Ask whoever runs the index, or name another one. Run `reconcile lock` only if you know why the file changed.",
		},
		"apply.prove": {
			Means: "A module that the manifest lists under `smoke_test` cannot be imported in the new generation." + untouched,
			Do:    "The message has what Python said. Often a package is missing, or two do not fit: change the pins, run `reconcile lock`, and apply again.",
		},
		"apply.prove.cuda": {
			Means: "torch finds no CUDA in the new generation, or is built for one that the driver does not run." + untouched,
			Do:    "`reconcile doctor` compares driver, GPU and torch.",
		},
		"apply.prove.qlora": {
			Means: "A 4-bit layer of bitsandbytes does not compute in the new generation." + untouched,
			Do:    "Compare the pins of torch and bitsandbytes; `reconcile plan` warns of pairs that are known not to fit.",
		},
		"apply.reuse": {
			Means: "A package of the environment in use is damaged, and cannot be taken over into the new generation.",
			Do:    "Run `reconcile verify --deep`, then `reconcile apply`: what is damaged is installed anew.",
		},
		"apply.seal": {
			Means: "What was installed is not what the lock names, file by file, so that the generation was not sealed." + untouched,
			Do:    "Run `reconcile apply` again. If it stays so, the cache is damaged: remove .reconcile/cache and apply once more.",
		},
		"apply.twice": {
			Means: "Two distributions of the lock bring the same files, and one replaced the other." + untouched,
			Do:    "Take the package from one side: leave it out of `packages` or of `conda_packages`, then run `reconcile lock`.",
		},
		"apply.occupied": {
			Means: "A package brings a file where reconcile writes its own." + untouched,
			Do:    "Leave that package out.",
		},
		"apply.unsealed": {
			Means: "The generation that is to become visible is not one that can be used: it has no seal, or not its own.",
			Do:    "Run `reconcile apply` again; it builds a new one.",
		},
		"apply.remove-refused": {
			Means: "Something is not removed, because reconcile did not make it, or not alone.",
			Do:    "If it is really to go, remove it yourself.",
		},
		"apply.other-file-system": {
			Means: "A thing cannot be renamed to its new place, since that is another file system. Nothing is ever copied by a rename.",
			Do:    "Move it yourself with the command of the hint, and apply again.",
		},
	}
}
