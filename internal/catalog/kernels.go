package catalog

import "strings"

// Kernels are the compute capabilities that a program is compiled for.
type Kernels struct {
	Compute []string `json:"compute,omitempty"` // ascending: "8.0", "9.0"
	PTX     bool     `json:"ptx,omitempty"`     // the last one can be compiled for any newer GPU
}

// RunOn reports whether a GPU runs one of the kernels, which are built with a CUDA version. A
// kernel runs on the same major version with the same or a newer minor one, and PTX on
// everything newer. GPUs of Jetson run only their own, until CUDA 13.2 some of them. Source:
// NVIDIA, CUDA C++ Programming Guide, binary compatibility; torch/cuda/__init__.py of 2.15.0,
// DEVICE_REQUIREMENT.
func (k Kernels) RunOn(compute, cuda string) bool {
	for i, c := range k.Compute {
		order, ok := Compare(c, compute)
		switch {
		case !ok || order > 0:
		case order == 0 || k.PTX && i == len(k.Compute)-1:
			return true
		case major(c) == major(compute) && !isSeparate(c, cuda) && !isSeparate(compute, cuda):
			return true
		}
	}
	return false
}

// isSeparate reports whether an architecture is not compatible with others of its major version.
func isSeparate(compute, cuda string) bool {
	switch compute {
	case "5.3", "6.2", "10.1":
		return true
	case "7.2", "8.7":
		order, ok := Compare(cuda, "13.2")
		return !ok || order < 0
	}
	return false
}

// runOnAll reports whether each of the GPUs runs one of the kernels.
func (k Kernels) runOnAll(compute []string, cuda string) bool {
	for _, c := range compute {
		if !k.RunOn(c, cuda) {
			return false
		}
	}
	return true
}

func (k Kernels) String() string {
	if k.PTX {
		return strings.Join(k.Compute, ", ") + " and newer"
	}
	return strings.Join(k.Compute, ", ")
}
