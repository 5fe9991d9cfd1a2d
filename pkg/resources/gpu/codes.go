package gpu

// codes explains the codes of problems that this kind reports.
var codes = map[string]string{
	"gpu.no-driver": "Without an NVIDIA driver no GPU can be seen. It belongs to the machine and is never installed by reconcile.",
	"gpu.broken":    "There is an NVIDIA driver and it does not answer as it should, so nothing is known of its GPUs.",
	"gpu.none":      "The driver answers and shows no GPU: none was given to this container or job, or the hardware is not seen.",
	"gpu.too-few":   "The machine has fewer GPUs than the manifest asks for. Slices that MIG makes count, the whole that they are cut from does not.",
	"gpu.slices":    "MIG cuts a GPU into more slices than one program sees: before driver 570 it sees one, and no whole GPU beside it; since then, one of each GPU instance.",
	"gpu.hidden":    "CUDA_VISIBLE_DEVICES hides GPUs. CUDA reads it up to the first entry that names none; an empty value, -1, or a GPU that is named twice hides all.",
	"gpu.too-small": "A GPU has less memory than the manifest asks for. A size in GB is met by 95 % of it, one in GiB by that and no less.",
	"gpu.too-old":   "A GPU has a lower compute capability than the manifest asks for. bfloat16 needs 8.0.",
	"gpu.lost":      "A GPU does not answer and cannot be used: it has fallen off the bus, needs a reset, or has failed.",
	"gpu.denied":    "A GPU is there and not for this user or process, such as another user's on a shared machine.",
	"gpu.mig":       "MIG is enabled on a GPU and no slice is made. Then neither the whole nor a part can be used.",
	"gpu.nodes":     "Device files below /dev are missing, or this user may not open them. CUDA needs them to start.",
	"gpu.order":     "CUDA_VISIBLE_DEVICES names GPUs by index, and CUDA counts them the fastest first unless CUDA_DEVICE_ORDER is PCI_BUS_ID. Where GPUs differ it is not known which are meant.",
	"gpu.unknown":   "The driver does not tell what is asked for, such as the memory of a GPU that shares that of the machine. That is no failure; compare it by hand.",
}

// Explain returns what a code of this kind means, "" for others.
func Explain(code string) string { return codes[code] }
