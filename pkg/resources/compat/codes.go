package compat

// codes explains the codes of problems that this kind reports.
var codes = map[string]string{
	"compat.no-cuda":      "The driver does not answer, or CUDA cannot be used, so that torch would find no GPU and compute on the CPU. It says nothing about that.",
	"compat.on-cpu":       "torch is built for a newer major version of CUDA than the driver offers. It would find no GPU and compute on the CPU, without a word.",
	"compat.limits":       "torch is built for a newer CUDA than the driver offers, of the same major version. It runs (NVIDIA calls that minor-version compatibility); what is compiled while it runs may fail.",
	"compat.cpu-build":    "torch is locked in a build without CUDA, while the manifest asks for GPUs.",
	"compat.no-kernels":   "torch is compiled for certain compute capabilities. A GPU of another major version has no kernels to run, unless the build holds PTX.",
	"compat.bitsandbytes": "bitsandbytes loads a library with the number of torch's CUDA in its name. Its wheel does not have that one, so that quantised layers cannot be made.",
	"compat.model":        "A model of the manifest needs a newer package than is locked.",
	"compat.bfloat16":     "The GPU has no bfloat16. It came with compute capability 8.0.",
	"compat.unknown":      "The driver does not tell what would have to be compared. That is no failure; compare it by hand.",
}

// Explain returns what a code of this kind means, "" for others.
func Explain(code string) string { return codes[code] }
