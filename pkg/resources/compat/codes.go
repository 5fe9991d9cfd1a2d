package compat

import "github.com/reconcile-ml/reconcile/internal/diag"

// codes explains the codes of the problems that this kind reports.
func codes() diag.Explanations {
	return diag.Explanations{
		"compat.no-cuda": {
			Means: "The driver does not work, or CUDA is not usable, so torch would find no GPU and silently compute on the CPU.",
			Do:    "Fix the driver first: run `reconcile doctor`.",
		},
		"compat.on-cpu": {
			Means: "torch is built for a newer major version of CUDA than the driver supports. It would find no GPU and silently compute on the CPU.",
			Do:    "Install a newer driver, or pin a torch that is built for an older CUDA.",
		},
		"compat.limits": {
			Means: "torch is built for a newer CUDA than the driver supports, of the same major version. It runs (NVIDIA calls that minor-version compatibility), but code that is compiled at run time may fail.",
			Do:    "Install a newer driver when you can. Nothing is required until then.",
		},
		"compat.cpu-build": {
			Means: "The locked torch is a CPU build, and the manifest requires GPUs.",
			Do:    "Pin a version whose wheel for linux-x86_64 is built for CUDA, without `+cpu`, and run `reconcile lock`.",
		},
		"compat.no-kernels": {
			Means: "torch is compiled for certain compute capabilities. It has no kernels for a GPU of another major version, unless the build contains PTX.",
			Do:    "Pin a torch that is compiled for this GPU, or use another GPU.",
		},
		"compat.bitsandbytes": {
			Means: "bitsandbytes loads a library with the CUDA version of torch in its name. Its wheel does not contain that one, so quantized layers fail.",
			Do:    "Pin a bitsandbytes for that CUDA; the hint names one if it is known.",
		},
		"compat.model": {
			Means: "A model of the manifest needs a newer package than the locked one.",
			Do:    "Pin that version or a newer one, or assign the model to another environment: `environments` of the model.",
		},
		"compat.bfloat16": {
			Means: "The GPU has no bfloat16, which needs compute capability 8.0.",
			Do:    "Set `compute_dtype: float16`, or use a GPU of Ampere or later.",
		},
		"compat.unknown": {
			Means: "The driver does not report a value that is compared. This is only a warning.",
			Do:    "Compare it yourself: `nvidia-smi`, and the version of torch in the lock.",
		},
	}
}
