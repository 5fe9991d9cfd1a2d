package doctor

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/nvidia"
	"github.com/reconcile-ml/reconcile/internal/pyenv"
	"github.com/reconcile-ml/reconcile/internal/report"
)

// nvidia returns what the driver says.
func (p *patient) nvidia() (facts.Nvidia, bool) {
	return facts.Find[facts.Nvidia](p.facts, facts.NvidiaKey)
}

// wantsGPU reports whether the environment asks for a GPU.
func (p *patient) wantsGPU() bool {
	return p.env != nil && p.env.RequiresGPU()
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
	trouble := nvidia.DriverTrouble(n, p.leastDriver())
	switch {
	case !ok && card.Vendor == "nvidia":
		return unknown("an NVIDIA GPU is there (%s), and its driver was not asked: %s", card.Source, p.why(facts.NvidiaKey))
	case !ok:
		return unknown("not asked: %s", p.why(facts.NvidiaKey))
	case n.State == facts.NoDriver && card.Vendor == "nvidia":
		return sick(trouble.Hint, "an NVIDIA GPU is there (%s), and no driver", card.Source)
	case n.State == facts.NoDriver && p.needsGPU():
		return sick("use a machine with an NVIDIA GPU, or another environment with --env", "no NVIDIA driver and no GPU, and environment %s needs one", p.env.Name)
	case n.State == facts.NoDriver && p.wantsGPU():
		return doubtful("use a machine with an NVIDIA GPU for what needs one", "no NVIDIA driver and no GPU; environment %s is for one, and works without", p.env.Name)
	case n.State == facts.NoDriver:
		return well("none, and no NVIDIA GPU")
	case trouble != nil:
		return ailing(p.needsGPU() || !p.wantsGPU(), trouble.Hint, "%s", join(trouble.Summary, trouble.Found))
	case n.Kernel != "" && n.Driver != "" && n.Kernel != n.Driver:
		return doubtful("restart the machine", "libraries %s, kernel module %s: the driver was updated since the machine started", n.Driver, n.Kernel)
	}
	return well("%s (said by %s)", n.Driver, n.Source)
}

// leastDriver is the driver to install where there is none, "" for any.
func (p *patient) leastDriver() string {
	if p.env == nil || p.env.CUDA == nil {
		return ""
	}
	return nvidia.Driver(p.env.CUDA.Minimum)
}

// join puts two texts on lines of their own, of which the second may be none.
func join(first, second string) string {
	return strings.TrimSuffix(first+"\n"+second, "\n")
}

// asked is how many GPUs there must be, and whether apply refuses with fewer.
func (p *patient) asked() (count int, refuses bool) {
	if p.env == nil || p.env.GPU == nil {
		return 1, true
	}
	return int(p.env.GPU.Count), p.env.GPU.Severity != diag.Warn
}

// ailing is a failure, or a warning where apply does no more than warn.
func ailing(fails bool, remedy, format string, args ...any) []report.Finding {
	if fails {
		return sick(remedy, format, args...)
	}
	return doubtful(remedy, format, args...)
}

// nodes looks at the files through which a GPU is used.
func (p *patient) nodes() []report.Finding {
	n, ok := p.nvidia()
	if !ok || n.State == facts.NoDriver {
		return nil
	}
	t := nvidia.NodeTrouble(n)
	if t == nil {
		return well("all there, and this user may open them")
	}
	_, refuses := p.asked()
	return ailing(refuses && t.Code == "denied", t.Hint, "%s", join(t.Summary, t.Found))
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
	enough := p.enough(n)
	var list []report.Finding
	for i := range n.Devices {
		d := &n.Devices[i]
		f := p.device(d)[0]
		if t := nvidia.DeviceTrouble(*d); t != nil {
			f = ailing(!enough, t.Hint, "%s", t.Summary)[0]
		}
		f.Code, f.Name = "gpu.device."+strconv.Itoa(d.Index), "GPU "+strconv.Itoa(d.Index)
		list = append(list, f)
	}
	return list
}

// enough reports whether apply would go ahead with the GPUs that a program sees and
// that answer.
func (p *patient) enough(n facts.Nvidia) bool {
	v := nvidia.VisibleUnits(n)
	ail := 0
	for _, u := range v.Units {
		if u.Trouble() != nil {
			ail++
		}
	}
	asked, refuses := p.asked()
	return !refuses || v.Count-ail >= asked
}

// device looks at a GPU that answers.
func (p *patient) device(d *facts.Device) []report.Finding {
	text := deviceText(d)
	switch {
	case d.Memory > 0 && d.Used > d.Memory/10*9:
		return doubtful("wait for what runs on it, or end it: nvidia-smi", "%s: little memory is free", text)
	case p.env != nil && p.env.SmokeTest.QLoRA != nil && p.env.SmokeTest.QLoRA.ComputeDtype == "bfloat16" && before(d.Compute, "8.0"):
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

// visible is what one program will see of the GPUs that the driver shows.
func (p *patient) visible() []report.Finding {
	n, ok := p.nvidia()
	if !ok || n.State != facts.DriverOK || len(n.Devices) == 0 {
		return nil
	}
	v := nvidia.VisibleUnits(n)
	asked, refuses := p.asked()
	refuses = refuses && p.env != nil && p.env.GPU != nil
	switch text := visibleText(n, v); {
	case v.Count == 0 && v.Invalid == "":
		return ailing(refuses, "unset CUDA_VISIBLE_DEVICES", "%s hides every GPU", v.Setting)
	case v.Setting != "" && v.Count < asked:
		return ailing(refuses, "correct it, or unset it; `nvidia-smi -L` lists the GPUs", "%s", text)
	case v.Invalid != "":
		return doubtful("correct it, or unset it; `nvidia-smi -L` lists the GPUs", "%s", text)
	case v.Count < asked && v.Named >= asked:
		return ailing(refuses, "run one process for each slice, with its UUID in CUDA_VISIBLE_DEVICES; `nvidia-smi -L` lists them", "%s", text)
	default:
		return well("%s", text)
	}
}

// visibleText is such as "GPU 1 of 2: CUDA_VISIBLE_DEVICES="1"", with what is to be
// said of it.
func visibleText(n facts.Nvidia, v nvidia.Visible) string {
	why := []string{cmp.Or(v.Setting, "CUDA_VISIBLE_DEVICES is not set")}
	if n.Visible != nil && n.VisibleOrder != "PCI_BUS_ID" && len(n.Devices) > 1 {
		why[0] += " (CUDA counts from the fastest; CUDA_DEVICE_ORDER=PCI_BUS_ID counts as the driver does)"
	}
	why = slices.DeleteFunc(append(why, v.Invalid, v.Note), func(s string) bool { return s == "" })
	reasons := strings.Join(why, "; ")
	if v.Setting == "" && v.Note == "" {
		return "every GPU (" + reasons + ")"
	}
	if v.Ambiguous() {
		return fmt.Sprintf("%d of %d, not known which: %s", v.Count, v.All, reasons)
	}
	var names []string
	for _, u := range v.Units {
		name := "GPU " + strconv.Itoa(u.Index)
		if u.Slice != "" {
			name += " MIG " + u.Slice
		}
		names = append(names, name)
	}
	return fmt.Sprintf("%s of %d: %s", cmp.Or(strings.Join(names, ", "), "none"), v.All, reasons)
}

// requirements are what the environment asks of GPUs that answer, judged as the plan
// judges it: their number, memory and age, and what is locked against them.
func (p *patient) requirements() []report.Finding {
	n, ok := p.nvidia()
	if !ok || n.State != facts.DriverOK || p.env == nil {
		return nil
	}
	// A problem elsewhere in the manifest is told by validate and plan.
	list, _ := p.manifest.Resources(p.selected, p.env)
	var found []report.Finding
	for _, r := range list {
		if r.Addr.Kind != "gpu" && r.Addr.Kind != "compat" || !p.knows(r.Spec.Reads()) {
			continue
		}
		c := r.Spec.Diff(facts.NewView(p.facts, r.Spec.Reads()))
		f := well("%s", c.Summary)
		if c.Problem != nil {
			f = ofProblem(c.Problem)
		}
		if f[0].Code = "gpu.asked"; r.Addr.Kind == "compat" {
			f[0].Code, f[0].Name = "gpu.compat", "locked packages"
		}
		found = append(found, f...)
	}
	return found
}

// knows reports whether all facts are known.
func (p *patient) knows(keys []facts.Key) bool {
	for _, k := range keys {
		if _, _, ok := p.facts.Lookup(k); !ok {
			return false
		}
	}
	return true
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
	refuses := p.env == nil || p.env.CUDA == nil || p.env.CUDA.Severity != diag.Warn
	if t := nvidia.CUDATrouble(n); t != nil {
		return ailing(refuses, t.Hint, "%s", t.Summary)
	}
	if n.CUDA == "" {
		return unknown("the driver answers, and not which CUDA it offers: %s", cmp.Or(n.CUDAReason, "no reason given"))
	}
	if p.env != nil && p.env.CUDA != nil && before(n.CUDA, p.env.CUDA.Minimum) {
		remedy := "update the NVIDIA driver"
		if least := p.leastDriver(); least != "" {
			remedy += " to " + least + " or newer"
		}
		return ailing(refuses, remedy, "%s; environment %s needs %s", n.CUDA, p.env.Name, p.env.CUDA.Minimum)
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
	runs, full := nvidia.Runs(n.CUDA, torch.CUDA)
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
	case before(n.CUDA, torch.CUDA) && !runs:
		return sick("update the NVIDIA driver, or pin a torch that is built for CUDA "+strings.Split(n.CUDA, ".")[0], "%s (torch %s), the driver offers %s", torch.CUDA, torch.Version, n.CUDA)
	case runs && !full:
		return doubtful("update the NVIDIA driver", "%s (torch %s), the driver offers %s: that works by minor-version compatibility, with limits", torch.CUDA, torch.Version, n.CUDA)
	}
	return well("%s (torch %s)", torch.CUDA, torch.Version)
}

// shadowed are libraries that torch brings or the driver has, and that another
// version of them in the search path would take the place of.
var shadowed = []string{"libcuda.so*", "libcudart.so*", "libcublas.so*", "libcudnn.so*", "libcusparse.so*", "libnccl.so*", "libnvJitLink.so*"}

// shadows looks for libraries of CUDA in LD_LIBRARY_PATH, which goes before what torch
// brings.
func (p *patient) shadows() []report.Finding {
	if p.isRecorded() {
		return omitted("a recorded machine")
	}
	value := p.config.Getenv("LD_LIBRARY_PATH")
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
