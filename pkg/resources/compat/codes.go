package compat

import "github.com/reconcile-ml/reconcile/internal/diag"

// codes explains the codes of problems that this kind reports.
func codes() diag.Explanations {
	return diag.Explanations{
		"compat.no-cuda": {
			Means: "The driver does not answer, or CUDA cannot be used, so that torch would find no GPU and compute on the CPU. It says nothing about that.",
			Do:    "Mend the driver first: `reconcile doctor` says what it answers.",
		},
		"compat.on-cpu": {
			Means: "torch is built for a newer major version of CUDA than the driver offers. It would find no GPU and compute on the CPU, without a word.",
			Do:    "Install a newer driver, or pin a torch that is built for an older CUDA.",
		},
		"compat.limits": {
			Means: "torch is built for a newer CUDA than the driver offers, of the same major version. It runs (NVIDIA calls that minor-version compatibility); what is compiled while it runs may fail.",
			Do:    "Install a newer driver when you can. Until then nothing needs to be done.",
		},
		"compat.cpu-build": {
			Means: "torch is locked in a build without CUDA, while the manifest asks for GPUs.",
			Do:    "Pin a version whose wheel for linux-x86_64 brings CUDA, without `+cpu`, and run `reconcile lock`.",
		},
		"compat.no-kernels": {
			Means: "torch is compiled for certain compute capabilities. A GPU of another major version has no kernels to run, unless the build holds PTX.",
			Do:    "Pin a torch that is compiled for this GPU, or use another GPU.",
		},
		"compat.bitsandbytes": {
			Means: "bitsandbytes loads a library with the number of torch's CUDA in its name. Its wheel does not have that one, so that quantised layers cannot be made.",
			Do:    "Pin a bitsandbytes that was made for that CUDA; the hint names one where it is known.",
		},
		"compat.model": {
			Means: "A model of the manifest needs a newer package than is locked.",
			Do:    "Pin that version or a newer one, or leave the model to another environment: `environments` of the model.",
		},
		"compat.bfloat16": {
			Means: "The GPU has no bfloat16. It came with compute capability 8.0.",
			Do:    "Write `compute_dtype: float16`, or use a GPU of Ampere or later.",
		},
		"compat.unknown": {
			Means: "The driver does not tell what would have to be compared. That is no failure.",
			Do:    "Compare by hand: `nvidia-smi`, and the version of torch in the lock.",
		},
	}
}
