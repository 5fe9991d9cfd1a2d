package scan

import (
	"slices"
	"strconv"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/pep"
)

// wheelCUDA is the CUDA that the wheel of torch in the public index is built for, for
// Linux on x86_64, by line of torch: the version of nvidia-cuda-runtime that it requires
// in its metadata.
var wheelCUDA = map[string]string{
	"1.13": "11.7", "2.0": "11.7",
	"2.1": "12.1", "2.2": "12.1", "2.3": "12.1", "2.4": "12.1",
	"2.5": "12.4", "2.6": "12.4",
	"2.7": "12.6",
	"2.8": "12.8", "2.9": "12.8", "2.10": "12.8",
}

// needsGPU are packages that a machine with a GPU has for its sake.
var needsGPU = []string{"torch", "pytorch", "pytorch-gpu", "bitsandbytes", "vllm", "flash-attn", "xformers", "deepspeed", "triton", "unsloth", "tensorflow", "tensorflow-gpu"}

// isCUDA reports whether a text is a version of CUDA as a manifest takes it: "12.1".
func isCUDA(v string) bool {
	major, minor, ok := strings.Cut(v, ".")
	for _, part := range []string{major, minor} {
		n, err := strconv.ParseUint(part, 10, 8)
		if err != nil || strconv.FormatUint(n, 10) != part {
			return false
		}
	}
	return ok
}

// wantsGPU decides whether an environment is for machines with a GPU of NVIDIA, and
// says why: "" if it is not.
func (e *environment) wantsGPU(in Input) string {
	if e.cuda.value != "" {
		return e.cuda.by + " asks for CUDA " + e.cuda.value
	}
	for _, p := range []*packages{&e.pip, &e.conda} {
		for i := range p.list {
			a := &p.list[i]
			name := pep.Normalize(a.name)
			if cuda := labelCUDA(a.version); cuda != "" {
				return a.at.String() + " asks for a build for CUDA " + cuda
			}
			ofDriver := strings.HasPrefix(name, "nvidia-c") && strings.Contains(name, "-cu1") && a.doubt == ""
			if ofDriver && (in.Nvidia || strings.HasPrefix(in.Platform, "macos")) || in.Nvidia && slices.Contains(needsGPU, name) {
				return a.at.String() + " asks for " + printable(a.name)
			}
		}
	}
	return ""
}

// labelCUDA returns the CUDA in a version such as 2.1.2+cu121, "" for none.
func labelCUDA(version string) string {
	_, label, _ := strings.Cut(version, "+")
	digits, ok := strings.CutPrefix(label, "cu")
	if !ok || len(digits) < 3 || len(digits) > 4 {
		return ""
	}
	if v := digits[:len(digits)-1] + "." + digits[len(digits)-1:]; isCUDA(v) {
		return v
	}
	return ""
}

// leastCUDA is what the driver must offer for the environment's torch, and what says
// so: the build that is asked for goes before what is installed, and both before what
// the public index has.
func (e *environment) leastCUDA() said {
	if e.cuda.value != "" {
		return e.cuda
	}
	for i := range e.pip.list {
		a := &e.pip.list[i]
		if cuda := labelCUDA(a.version); cuda != "" {
			return said{cuda, a.at.String() + " names the build"}
		}
	}
	for i := range e.pip.list {
		a := &e.pip.list[i]
		if strings.HasPrefix(pep.Normalize(a.name), "nvidia-cuda-runtime") && a.version != "" {
			if cuda := pep.MajorMinor(a.version); isCUDA(cuda) {
				return said{cuda, a.at.String() + " pins " + printable(a.name) + " " + a.version}
			}
		}
	}
	torch := e.pip.pin("torch")
	if e.installed != nil && e.installed.CUDA != "" && (torch == "" || torch == e.installed.Packages["torch"]) {
		return said{e.installed.CUDA, "the torch in " + printable(e.installed.Path) + " is built for it"}
	}
	if cuda := wheelCUDA[pep.MajorMinor(torch)]; cuda != "" {
		return said{cuda, "the wheel of torch " + torch + " in the public index is built for it"}
	}
	return said{}
}
