package main

import (
	"cmp"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/pyenv"
	"github.com/reconcile-ml/reconcile/pkg/diag"
	"github.com/reconcile-ml/reconcile/pkg/facts"
	"github.com/reconcile-ml/reconcile/pkg/nvidia"
	"github.com/reconcile-ml/reconcile/pkg/report"
)

// nvidia returns what the driver says.
func (p *patient) nvidia() (facts.Nvidia, bool) {
	return facts.Find[facts.Nvidia](p.facts, facts.NvidiaKey)
}

// wantsGPU reports whether the environment asks for a GPU.
func (p *patient) wantsGPU() bool {
	return p.env != nil && (p.env.GPU != nil || p.env.CUDA != nil || p.env.ProveCUDA || p.env.QLoRA != nil)
}

// needsGPU reports whether apply would refuse a machine without a GPU.
func (p *patient) needsGPU() bool {
	return p.env != nil && (p.env.GPU != nil && p.env.GPU.Severity != diag.Warn || p.env.CUDA != nil && p.env.CUDA.Severity != diag.Warn)
}

// driver keeps three answers apart: there is none, there is one that does not work,
// and nobody could ask.
func (p *patient) driver() []report.Finding {
	n, ok := p.nvidia()
	card, _ := facts.Find[facts.GPU](p.facts, facts.GPUKey)
	switch {
	case !ok && card.Vendor == "nvidia":
		return unknown("an NVIDIA GPU is there (%s), and its driver was not asked: %s", card.Source, p.why(facts.NvidiaKey))
	case !ok:
		return unknown("not asked: %s", p.why(facts.NvidiaKey))
	case n.State == facts.DriverBroken:
		return sick(p.driverRemedy(n), "%s", brokenText(n))
	case n.State == facts.NoDriver && card.Vendor == "nvidia":
		return sick("install the NVIDIA driver of this system; in a container, start it with its GPUs (docker run --gpus all)", "an NVIDIA GPU is there (%s), and no driver", card.Source)
	case n.State == facts.NoDriver && p.needsGPU():
		return sick("use a machine with an NVIDIA GPU, or another environment with --env", "no NVIDIA driver and no GPU, and environment %s needs one", p.env.Name)
	case n.State == facts.NoDriver && p.wantsGPU():
		return doubtful("use a machine with an NVIDIA GPU for what needs one", "no NVIDIA driver and no GPU; environment %s is for one, and works without", p.env.Name)
	case n.State == facts.NoDriver:
		return well("none, and no NVIDIA GPU")
	case n.Kernel != "" && n.Driver != "" && n.Kernel != n.Driver:
		return doubtful("restart the machine", "libraries %s, kernel module %s: the driver was updated since the machine started", n.Driver, n.Kernel)
	}
	return well("%s (said by %s)", n.Driver, n.Source)
}

func brokenText(n facts.Nvidia) string {
	text := "it does not answer: " + n.Reason
	if n.Code != 0 {
		text += fmt.Sprintf(" (NVML %d)", n.Code)
	}
	if n.Driver != "" {
		text += "; libraries " + n.Driver
	}
	if n.Kernel != "" {
		text += "; kernel module " + n.Kernel
	}
	return text
}

// driverRemedy says how a broken driver is mended, as far as its code tells.
func (p *patient) driverRemedy(n facts.Nvidia) string {
	h, _ := facts.Find[facts.Host](p.facts, facts.HostKey)
	inside := h.Container != "" && h.Container != "wsl"
	switch {
	case n.Code == facts.NVMLMismatch && inside:
		return "start the container anew: it has the libraries of a driver that its host no longer runs"
	case n.Code == facts.NVMLMismatch:
		return "restart the machine: the driver was updated, and the kernel still has the old module"
	case n.Code == facts.NVMLNoPermission || n.Code == facts.NVMLBlocked:
		return "this user or container may not use the GPU: look at `ls -l /dev/nvidia*`; start a container with --gpus all"
	case n.Code == facts.NVMLNotLoaded && inside, n.Code == facts.NVMLNoLibrary && inside:
		return "start the container with its GPUs (docker run --gpus all)"
	case n.Code == facts.NVMLNotLoaded:
		return "load the module: sudo modprobe nvidia; if that fails, it was not built for this kernel: dmesg, `dkms status`"
	case n.Code == facts.NVMLNoLibrary:
		return "install the driver's libraries of the same version as its kernel module"
	case n.Code == facts.NVMLLost || n.Code == facts.NVMLReset:
		return "restart the machine; if it comes again, the GPU or its power supply is failing: dmesg | grep Xid"
	}
	return "look at `nvidia-smi` and dmesg; restart the machine"
}

// nodes looks at the files through which a GPU is used.
func (p *patient) nodes() []report.Finding {
	n, ok := p.nvidia()
	if !ok || n.State == facts.NoDriver {
		return nil
	}
	switch t := nvidia.Nodes(n); {
	case t == nil:
		return well("all there, and this user may open them")
	case t.Code == "denied":
		return sick(t.Hint, "%s\n%s", t.Summary, t.Found)
	default:
		return doubtful(t.Hint, "%s\n%s", t.Summary, t.Found)
	}
}

// devices looks at each GPU.
func (p *patient) devices() []report.Finding {
	n, ok := p.nvidia()
	if !ok || n.State != facts.DriverOK {
		return nil
	}
	if len(n.Devices) == 0 {
		return sick("look at `lspci | grep -i nvidia` and dmesg; in a container, start it with --gpus all", "the driver shows no GPU")
	}
	var list []report.Finding
	for i := range n.Devices {
		d := &n.Devices[i]
		f := p.device(d)[0]
		f.Code, f.Name = "gpu.device."+strconv.Itoa(d.Index), "GPU "+strconv.Itoa(d.Index)
		list = append(list, f)
	}
	return list
}

func (p *patient) device(d *facts.Device) []report.Finding {
	text := deviceText(d)
	switch {
	case d.Problem != "":
		return sick("restart the machine; if it comes again, the GPU is failing: dmesg | grep Xid", "%s: %s", d.Name, d.Problem)
	case d.MIG == "enabled" && len(d.Slices) == 0:
		return sick("make one: sudo nvidia-smi mig -cgi 0 -C; or switch MIG off: sudo nvidia-smi -mig 0", "%s: there is no slice, and the whole cannot be used", text)
	case d.Memory > 0 && d.Used > d.Memory/10*9:
		return doubtful("wait for what runs on it, or end it: nvidia-smi", "%s: little memory is free", text)
	case p.env != nil && p.env.QLoRA != nil && p.env.QLoRA.ComputeDtype == "bfloat16" && before(d.Compute, "8.0"):
		return doubtful("use compute_dtype: float16 on it", "%s: bfloat16 needs 8.0", text)
	}
	return well("%s", text)
}

// deviceText is such as "NVIDIA H100 80GB HBM3, 85.5 GB, 600 MB used by 1 process,
// compute capability 9.0, MIG disabled".
func deviceText(d *facts.Device) string {
	words := []string{d.Name}
	if d.Memory > 0 {
		words = append(words, bytesize.Format(d.Memory))
	}
	switch used := bytesize.Format(d.Used) + " used"; {
	case d.Memory == 0: // nor is what is used of it known
	case d.Processes > 1:
		words = append(words, fmt.Sprintf("%s, %d processes compute", used, d.Processes))
	case d.Processes == 1:
		words = append(words, used+", 1 process computes")
	case d.Processes == 0:
		words = append(words, used+", no process computes")
	default:
		words = append(words, used)
	}
	if d.Compute != "" {
		words = append(words, "compute capability "+d.Compute)
	}
	if d.MIG != "" {
		words = append(words, "MIG "+d.MIG)
	}
	for _, s := range d.Slices {
		words = append(words, fmt.Sprintf("slice %s %s", s.Name, bytesize.Format(s.Memory)))
	}
	return strings.Join(words, ", ")
}

// visible compares CUDA_VISIBLE_DEVICES, which CUDA obeys, with what the driver shows.
func (p *patient) visible() []report.Finding {
	n, ok := p.nvidia()
	if !ok || n.State != facts.DriverOK {
		return nil
	}
	if n.Visible == nil {
		return well("every GPU (CUDA_VISIBLE_DEVICES is not set)")
	}
	set := "CUDA_VISIBLE_DEVICES=" + *n.Visible
	var there []string
	for word := range strings.SplitSeq(*n.Visible, ",") {
		word = strings.TrimSpace(word)
		if word == "" || word == "-1" || word == "NoDevFiles" {
			break // CUDA stops at the first that is none
		}
		name, ok := visibleDevice(n.Devices, word)
		if !ok {
			return sick("correct it, or unset it; `nvidia-smi -L` lists the GPUs", "%s: there is no GPU %q, and CUDA stops there", set, word)
		}
		there = append(there, name)
	}
	if len(there) == 0 {
		return doubtful("unset CUDA_VISIBLE_DEVICES", "%s hides every GPU", set)
	}
	if n.VisibleOrder != "PCI_BUS_ID" && len(n.Devices) > 1 {
		set += " (CUDA counts from the fastest; CUDA_DEVICE_ORDER=PCI_BUS_ID counts as the driver does)"
	}
	return well("%s of %d: %s", strings.Join(there, ", "), len(n.Devices), set)
}

// visibleDevice finds the GPU that a word of CUDA_VISIBLE_DEVICES names: a number, or
// how an UUID of a GPU or slice begins.
func visibleDevice(devices []facts.Device, word string) (string, bool) {
	if i, err := strconv.Atoi(word); err == nil {
		return "GPU " + word, 0 <= i && i < len(devices)
	}
	for _, d := range devices {
		if d.UUID != "" && strings.HasPrefix(d.UUID, word) {
			return "GPU " + strconv.Itoa(d.Index), true
		}
		for _, s := range d.Slices {
			if s.UUID != "" && strings.HasPrefix(s.UUID, word) {
				return "slice " + s.Name, true
			}
		}
	}
	return "", false
}

// driverCUDA is the newest CUDA that the driver offers, against what is asked for.
func (p *patient) driverCUDA() []report.Finding {
	n, ok := p.nvidia()
	switch {
	case !ok:
		return unknown("the driver was not asked")
	case n.State == facts.NoDriver:
		return omitted("no NVIDIA driver")
	case n.State == facts.DriverBroken:
		return unknown("the driver does not answer")
	}
	if t := nvidia.Unusable(n); t != nil {
		return sick(t.Hint, "%s", t.Summary)
	}
	if n.CUDA == "" {
		return unknown("the driver answers, and not which CUDA it offers: %s", cmp.Or(n.CUDAReason, "no reason given"))
	}
	if p.env != nil && p.env.CUDA != nil && before(n.CUDA, p.env.CUDA.Minimum) {
		found := sick("update the NVIDIA driver", "%s; environment %s needs %s", n.CUDA, p.env.Name, p.env.CUDA.Minimum)
		if p.env.CUDA.Severity == diag.Warn {
			found[0].State = report.Doubtful
		}
		return found
	}
	return well("%s", n.CUDA)
}

// toolkit is the CUDA that programs are compiled with, which wheels do not need.
func (p *patient) toolkit() []report.Finding {
	t, ok := facts.Find[facts.Toolkit](p.facts, facts.ToolkitKey)
	switch {
	case !ok:
		return unknown("%s", p.why(facts.ToolkitKey))
	case t.Version == "":
		return well("none; wheels bring their own libraries, only compiling needs it")
	}
	return well("%s (%s)", t.Version, t.Source)
}

// torchCUDA is the CUDA that the torch of the environment was built for, from its
// files, against that of the driver.
func (p *patient) torchCUDA() []report.Finding {
	if p.isRecorded() {
		return omitted("a recorded machine")
	}
	if p.generation == "" {
		return omitted("no environment is built")
	}
	torch, ok, err := pyenv.ReadTorch(p.library)
	n, asked := p.nvidia()
	switch {
	case err != nil:
		return unknown("%v", err)
	case !ok:
		return omitted("there is no torch in environment %s", p.env.Name)
	case torch.CUDA == "" && torch.ROCm != "":
		return doubtful("pin a torch that is built for CUDA", "torch %s is built for ROCm %s", torch.Version, torch.ROCm)
	case torch.CUDA == "" && (p.wantsGPU() || n.State == facts.DriverOK):
		return sick("pin a torch that is built for CUDA", "torch %s is built for the CPU alone", torch.Version)
	case torch.CUDA == "":
		return well("torch %s is built for the CPU alone", torch.Version)
	case !asked || n.CUDA == "":
		return well("%s (torch %s)", torch.CUDA, torch.Version)
	case before(n.CUDA, major(torch.CUDA)):
		return sick("update the NVIDIA driver, or pin a torch that is built for CUDA "+strings.Split(n.CUDA, ".")[0], "%s (torch %s), the driver offers %s", torch.CUDA, torch.Version, n.CUDA)
	case before(n.CUDA, torch.CUDA):
		return doubtful("update the NVIDIA driver", "%s (torch %s), the driver offers %s: that works by minor-version compatibility, with limits", torch.CUDA, torch.Version, n.CUDA)
	}
	return well("%s (torch %s)", torch.CUDA, torch.Version)
}

// major is the first version of the same major: "12.0" of "12.1".
func major(version string) string { return strings.Split(version, ".")[0] + ".0" }

// shadowed are libraries that torch brings or the driver has, and that another
// version of them in the search path would take the place of.
var shadowed = []string{"libcuda.so*", "libcudart.so*", "libcublas.so*", "libcudnn.so*", "libcusparse.so*", "libnccl.so*", "libnvJitLink.so*"}

// shadows looks for libraries of CUDA in LD_LIBRARY_PATH, which goes before what torch
// brings.
func (p *patient) shadows() []report.Finding {
	if p.isRecorded() {
		return omitted("a recorded machine")
	}
	value := p.getenv("LD_LIBRARY_PATH")
	if value == "" {
		return well("not set")
	}
	var found []string
	for _, dir := range filepath.SplitList(value) {
		for _, pattern := range shadowed {
			// The only error is a bad pattern, of a folder with a bracket in its name.
			if names, _ := filepath.Glob(filepath.Join(dir, pattern)); len(names) > 0 {
				found = append(found, names[0])
			}
		}
	}
	if len(found) > 0 {
		return doubtful("unset it for training: torch brings its own libraries", "these go before the libraries of torch and the driver\n%s", strings.Join(withoutDoubles(found), "\n"))
	}
	return well("no library of CUDA in it")
}
