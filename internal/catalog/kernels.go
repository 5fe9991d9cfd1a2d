package catalog

import "strings"

// Kernels are the compute capabilities that a program is compiled for.
type Kernels struct {
	Compute []string `json:"compute,omitempty"` // ascending: "8.0", "9.0"
	PTX     bool     `json:"ptx,omitempty"`     // the last one can be compiled for any newer GPU
}

// RunOn reports whether a GPU runs one of the kernels. A kernel runs on the same major version
// with the same or a newer minor one, and PTX on everything newer. Source: NVIDIA, CUDA C++
// Programming Guide, binary compatibility and PTX compatibility.
func (k Kernels) RunOn(compute string) bool {
	for i, c := range k.Compute {
		order, ok := Compare(c, compute)
		if ok && order <= 0 && (major(c) == major(compute) || k.PTX && i == len(k.Compute)-1) {
			return true
		}
	}
	return false
}

// RunOnAll reports whether each of the GPUs runs one of the kernels.
func (k Kernels) RunOnAll(compute []string) bool {
	for _, c := range compute {
		if !k.RunOn(c) {
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
