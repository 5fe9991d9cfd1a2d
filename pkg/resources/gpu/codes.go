package gpu

import "github.com/reconcile-ml/reconcile/internal/diag"

// codes explains the codes of problems that this kind reports.
func codes() diag.Explanations {
	return diag.Explanations{
		"gpu.no-driver": {
			Means: "Without an NVIDIA driver no GPU can be seen. It belongs to the machine and is never installed by reconcile.",
			Do:    "Install it, or start the container with its GPUs (`--gpus all`).",
		},
		"gpu.broken": {
			Means: "There is an NVIDIA driver and it does not answer as it should, so nothing is known of its GPUs.",
			Do:    "After an update of the driver a restart mends it. Else `reconcile doctor` and `dmesg` say more.",
		},
		"gpu.unusable": {
			Means: "The driver shows its GPUs, and programs cannot use them because libcuda is missing.",
			Do:    "In containers set NVIDIA_DRIVER_CAPABILITIES=compute,utility. Else install the libraries of the driver.",
		},
		"gpu.missing": {
			Means: "Device files of a GPU are missing below /dev, so that programs cannot open it.",
			Do:    "In a container, start it with the GPU; on a machine, `sudo nvidia-modprobe -c 0 -u` makes them.",
		},
		"gpu.none": {
			Means: "The driver answers and shows no GPU: none was given to this container or job, or the hardware is not seen.",
			Do:    "Ask for one where the job or container is started. Else `lspci | grep -i nvidia` shows whether the machine sees it.",
		},
		"gpu.too-few": {
			Means: "The machine has fewer GPUs than the manifest asks for. Slices that MIG makes count, the whole that they are cut from does not.",
			Do:    "Use a machine with more, or change `count` in the manifest.",
		},
		"gpu.slices": {
			Means: "MIG cuts a GPU into more slices than one program sees: before driver 570 it sees one, and no whole GPU beside it; since then, one of each GPU instance.",
			Do:    "Ask for fewer GPUs, make larger slices, or turn MIG off.",
		},
		"gpu.hidden": {
			Means: "CUDA_VISIBLE_DEVICES hides GPUs. CUDA reads it up to the first entry that names none; an empty value, -1, or a GPU that is named twice hides all.",
			Do:    "Unset it, or correct it where it is set.",
		},
		"gpu.too-small": {
			Means: "A GPU has less memory than the manifest asks for. A size in GB is met by 95 % of it, one in GiB by that and no less.",
			Do:    "Use a larger GPU, or change `memory` or `by_model` in the manifest.",
		},
		"gpu.too-old": {
			Means: "A GPU has a lower compute capability than the manifest asks for. bfloat16 needs 8.0.",
			Do:    "Use a newer GPU, or change `compute` in the manifest.",
		},
		"gpu.lost": {
			Means: "A GPU does not answer and cannot be used: it has fallen off the bus, needs a reset, or has failed.",
			Do:    "Look at `dmesg` for Xid, and restart the machine. If it comes again, the hardware is failing.",
		},
		"gpu.denied": {
			Means: "A GPU is there and not for this user or process, such as another user's on a shared machine.",
			Do:    "Ask for it where jobs are started, or look at who may open /dev/nvidia*.",
		},
		"gpu.mig": {
			Means: "MIG is enabled on a GPU and no slice is made. Then neither the whole nor a part can be used.",
			Do:    "Make slices with `sudo nvidia-smi mig -cgi … -C`, or turn MIG off: `sudo nvidia-smi -mig 0`.",
		},
		"gpu.nodes": {
			Means: "Device files below /dev are missing, or this user may not open them. CUDA needs them to start.",
			Do:    "In a container, start it with its GPUs; on a machine, `sudo nvidia-modprobe -c 0 -u` makes them.",
		},
		"gpu.order": {
			Means: "CUDA_VISIBLE_DEVICES names GPUs by index, and CUDA counts them the fastest first unless CUDA_DEVICE_ORDER is PCI_BUS_ID. Where GPUs differ it is not known which are meant.",
			Do:    "Set CUDA_DEVICE_ORDER=PCI_BUS_ID, or name GPUs by UUID (`nvidia-smi -L`).",
		},
		"gpu.unknown": {
			Means: "The driver does not tell what is asked for, such as the memory of a GPU that shares that of the machine. That is no failure.",
			Do:    "Compare by hand.",
		},
	}
}
