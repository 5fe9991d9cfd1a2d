package cuda

// codes explains the codes of problems that this kind reports.
var codes = map[string]string{
	"cuda.no-driver": "There is no NVIDIA driver on this machine. It belongs to the machine and is never installed by reconcile; wheels bring all else that CUDA needs.",
	"cuda.broken":    "There is an NVIDIA driver and it does not answer as it should: its module is not loaded, its libraries are of another version than its module, or this user may not ask it.",
	"cuda.unusable":  "The driver shows its GPUs, and programs cannot use them because libcuda is missing. In containers that is the driver capability `compute`.",
	"cuda.too-old":   "The driver offers an older CUDA than the manifest asks for. torch would find no GPU, or run with limits. Only a newer driver mends that.",
	"cuda.unknown":   "The driver answers, and not which CUDA it offers. That is no failure; look at `nvidia-smi`.",
}

// Explain returns what a code of this kind means, "" for others.
func Explain(code string) string { return codes[code] }
