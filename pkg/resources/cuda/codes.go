package cuda

import "github.com/reconcile-ml/reconcile/internal/diag"

// codes explains the codes of problems that this kind reports.
func codes() diag.Explanations {
	return diag.Explanations{
		"cuda.no-driver": {
			Means: "There is no NVIDIA driver on this machine. It belongs to the machine and is never installed by reconcile; wheels bring all else that CUDA needs.",
			Do:    "Install the driver that the hint names, or start the container with its GPUs (`--gpus all`). On a machine that is to have none, choose another environment, or `severity: warn`.",
		},
		"cuda.broken": {
			Means: "There is an NVIDIA driver and it does not answer as it should: its module is not loaded, its libraries are of another version than its module, or this user may not ask it.",
			Do:    "After an update of the driver a restart mends it. Else `reconcile doctor` and `dmesg` say more.",
		},
		"cuda.unusable": {
			Means: "The driver shows its GPUs, and programs cannot use them because libcuda is missing.",
			Do:    "In containers that is the driver capability `compute`: set NVIDIA_DRIVER_CAPABILITIES=compute,utility. Else install the libraries of the driver.",
		},
		"cuda.too-old": {
			Means: "The driver offers an older CUDA than the manifest asks for. torch would find no GPU, or run with limits.",
			Do:    "Install a newer driver; nothing else mends that. The hint names the least one.",
		},
		"cuda.unknown": {
			Means: "The driver answers, and not which CUDA it offers. That is no failure.",
			Do:    "Look at the head of `nvidia-smi`.",
		},
	}
}
