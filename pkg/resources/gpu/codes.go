package gpu

import "github.com/reconcile-ml/reconcile/internal/diag"

// codes explains the codes of the problems that this kind reports.
func codes() diag.Explanations {
	return diag.Explanations{
		"gpu.no-driver": {
			Means: "This machine has no NVIDIA driver, so no GPU is usable. reconcile never installs a driver.",
			Do:    "Install it, or start the container with its GPUs (`--gpus all`).",
		},
		"gpu.broken": {
			Means: "The NVIDIA driver does not work, so its GPUs are unknown.",
			Do:    "After a driver update, restart the machine. Else run `reconcile doctor` and read `dmesg`.",
		},
		"gpu.unusable": {
			Means: "The driver lists its GPUs, but programs cannot use them because libcuda is missing.",
			Do:    "In a container, set NVIDIA_DRIVER_CAPABILITIES=compute,utility. Else install the libraries of the driver.",
		},
		"gpu.missing": {
			Means: "Device files of a GPU are missing below /dev, so programs cannot open it.",
			Do:    "In a container, start it with the GPU; on a machine, `sudo nvidia-modprobe -c 0 -u` creates them.",
		},
		"gpu.none": {
			Means: "The driver works but lists no GPU: this container or job has none, or the machine does not detect it.",
			Do:    "Request one where the job or container is started. Else run `lspci | grep -i nvidia`.",
		},
		"gpu.too-few": {
			Means: "The machine has fewer GPUs than the manifest requires. MIG slices count; the GPU that is divided into them does not.",
			Do:    "Use a machine with more GPUs, or change `count` in the manifest.",
		},
		"gpu.slices": {
			Means: "MIG divides a GPU into more slices than one program can use: before driver 570 one, and no whole GPU besides; since then, one of each GPU instance.",
			Do:    "Require fewer GPUs, create larger slices, or disable MIG.",
		},
		"gpu.hidden": {
			Means: "CUDA_VISIBLE_DEVICES hides GPUs. CUDA reads it up to the first invalid entry; an empty value, -1, or a GPU that is named twice hides all.",
			Do:    "Unset it, or correct it where it is set.",
		},
		"gpu.too-small": {
			Means: "A GPU has less memory than the manifest requires. 95 % of a size in GB is enough; a size in GiB is an exact minimum.",
			Do:    "Use a larger GPU, or change `memory` or `by_model` in the manifest.",
		},
		"gpu.too-old": {
			Means: "A GPU has a lower compute capability than the manifest requires. bfloat16 needs 8.0.",
			Do:    "Use a newer GPU, or change `compute` in the manifest.",
		},
		"gpu.lost": {
			Means: "A GPU does not respond: it has fallen off the bus, needs a reset, or has failed.",
			Do:    "Search `dmesg` for Xid, and restart the machine. If it happens again, the hardware is failing.",
		},
		"gpu.denied": {
			Means: "A GPU exists, but this user or process has no permission, for example on a shared machine.",
			Do:    "Request it where jobs are started, or check the permissions of /dev/nvidia*.",
		},
		"gpu.mig": {
			Means: "MIG is enabled on a GPU that has no slice. Neither the whole nor a part is usable.",
			Do:    "Create slices with `sudo nvidia-smi mig -cgi … -C`, or disable MIG: `sudo nvidia-smi -mig 0`.",
		},
		"gpu.nodes": {
			Means: "Device files below /dev are missing, or this user may not open them. CUDA needs them to start.",
			Do:    "In a container, start it with its GPUs; on a machine, `sudo nvidia-modprobe -c 0 -u` creates them.",
		},
		"gpu.order": {
			Means: "CUDA_VISIBLE_DEVICES names GPUs by index, and CUDA numbers them the fastest first unless CUDA_DEVICE_ORDER is PCI_BUS_ID. With different GPUs it is unknown which ones it names.",
			Do:    "Set CUDA_DEVICE_ORDER=PCI_BUS_ID, or name GPUs by UUID (`nvidia-smi -L`).",
		},
		"gpu.unknown": {
			Means: "The driver does not report a required value, such as the memory of a GPU that shares that of the machine. This is only a warning.",
			Do:    "Compare it yourself.",
		},
	}
}
