package doctor

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/catalog"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/internal/nvidia"
	"github.com/reconcile-ml/reconcile/internal/pyenv"
)

// nvidia returns the fact of the NVIDIA driver. A machine that was recorded without it has none if it
// has no NVIDIA GPU.
func (d *diagnosis) nvidia() (facts.Nvidia, bool) {
	n, ok := facts.Find[facts.Nvidia](d.facts, facts.NvidiaKey)
	if vendor := d.gpu().Vendor; !ok && d.prober == nil && vendor != "" && vendor != "nvidia" {
		return facts.Nvidia{State: facts.NoDriver}, true
	}
	return n, ok
}

// gpu returns the fact of the graphics card, which is known without a driver.
func (d *diagnosis) gpu() facts.GPU {
	card, _ := facts.Find[facts.GPU](d.facts, facts.GPUKey)
	return card
}

// usesGPU reports whether the environment uses a GPU, and enforced whether apply fails
// without one.
func (d *diagnosis) usesGPU() (uses, enforced bool) {
	if d.env == nil {
		return false, false
	}
	return d.env.RequiresGPU(), d.env.GPU != nil && d.env.GPU.Severity != diag.Warn || d.env.CUDA != nil && d.env.CUDA.Severity != diag.Warn
}

// requiredGPUs returns how many GPUs the environment requires, and whether apply fails
// with fewer.
func (d *diagnosis) requiredGPUs() (count int, enforced bool) {
	if d.env == nil || d.env.GPU == nil {
		return 1, true
	}
	return int(d.env.GPU.Count), d.env.GPU.Severity != diag.Warn
}

// minimumDriver returns the oldest driver for the environment's CUDA, "" if any will do.
func (d *diagnosis) minimumDriver() string {
	if d.env == nil || d.env.CUDA == nil {
		return ""
	}
	return catalog.Driver(d.env.CUDA.Minimum)
}

// trouble returns what the driver reports as a failure, or as a warning if fail is false.
func trouble(fail bool, t *nvidia.Trouble) findings {
	return failIf(fail, t.Hint, "%s", lines(t.Summary, t.Found))
}

// driver tells a missing driver, a broken one and one that could not be probed apart.
func (d *diagnosis) driver() findings {
	n, ok := d.nvidia()
	card := d.gpu()
	uses, enforced := d.usesGPU()
	broken := nvidia.DriverTroubleOn(card, n, d.minimumDriver())
	switch {
	case !ok && card.Vendor == "nvidia":
		return unknownf("an NVIDIA GPU is present (%s), but its driver was not probed: %s", card.Source, d.reason(facts.NvidiaKey))
	case !ok:
		return d.notProbed(facts.NvidiaKey)
	case n.State == facts.NoDriver && card.Vendor == "nvidia":
		return failf(broken.Hint, "an NVIDIA GPU is present (%s), but no driver was found", card.Source)
	case n.State == facts.NoDriver && enforced:
		return failf(broken.Hint, "%s; environment %s needs one", broken.Summary, d.env.Name)
	case n.State == facts.NoDriver && uses:
		return warnf(broken.Hint, "%s; environment %s uses one, but works without it", broken.Summary, d.env.Name)
	case n.State == facts.NoDriver:
		return okf("no NVIDIA driver and no NVIDIA GPU")
	case broken != nil:
		return trouble(enforced || !uses, broken)
	case n.Kernel != "" && n.Driver != "" && n.Kernel != n.Driver:
		return warnf("reboot this machine", "libraries %s, kernel module %s: the driver was updated after the machine started", n.Driver, n.Kernel)
	}
	return okf("%s (from %s)", n.Driver, n.Source)
}

// otherGPUs lists the GPUs of other vendors than NVIDIA, which are not checked.
func (d *diagnosis) otherGPUs() findings {
	var list findings
	gpu := d.gpu()
	for i, g := range gpu.Others {
		text := g.String()
		if g.Vendor == "amd" {
			text += ", ROCm " + cmp.Or(gpu.ROCm, "not found in /opt")
		}
		if g.Bus != "" {
			text += " (" + g.Bus + ")"
		}
		f := skippedf("%s; not checked: reconcile checks NVIDIA GPUs only", text)[0]
		index := strconv.Itoa(i)
		f.Code, f.Name = "gpu.other."+index, map[string]string{"amd": "AMD", "intel": "Intel", "apple": "Apple"}[g.Vendor]+" GPU "+index
		list = append(list, f)
	}
	return list
}

// deviceFiles checks the files in /dev through which programs use a GPU.
func (d *diagnosis) deviceFiles() findings {
	n, ok := d.nvidia()
	if !ok || n.State == facts.NoDriver {
		return nil
	}
	t := nvidia.NodeTrouble(n)
	if t == nil {
		return okf("all exist, and this user can open them")
	}
	_, enforced := d.requiredGPUs()
	return trouble(enforced && t.Code == "denied", t)
}

// devices checks each GPU. A GPU that cannot be used is a failure if apply would fail
// without it.
func (d *diagnosis) devices() findings {
	n, ok := d.nvidia()
	if !ok || n.State != facts.DriverOK {
		return nil
	}
	if len(n.Devices) == 0 {
		return failf("check `lspci | grep -i nvidia` and `sudo dmesg`; start a container with `--gpus all`", "the driver reports no GPU")
	}
	visible := nvidia.VisibleUnits(n)
	usable := visible.Count
	for _, u := range visible.Units {
		if u.Trouble() != nil {
			usable--
		}
	}
	required, enforced := d.requiredGPUs()
	var list findings
	for _, device := range n.Devices {
		f := d.device(device)[0]
		if t := nvidia.DeviceTrouble(device); t != nil {
			f = trouble(enforced && usable < required, t)[0]
		}
		index := strconv.Itoa(device.Index)
		f.Code, f.Name = "gpu.device."+index, "GPU "+index
		list = append(list, f)
	}
	return list
}

// device checks a GPU that responds.
func (d *diagnosis) device(device facts.Device) findings {
	text := deviceText(device)
	switch {
	case device.Memory > 0 && device.Used > device.Memory/10*9:
		return warnf("wait for the processes that use it, or stop them; `nvidia-smi` lists them", "%s: little memory is free", text)
	case d.env != nil && d.env.SmokeTest.QLoRA != nil && d.env.SmokeTest.QLoRA.ComputeDtype == "bfloat16" && older(device.Compute, "8.0"):
		return warnf("set `compute_dtype: float16` for this GPU", "%s: bfloat16 needs compute capability 8.0", text)
	}
	return okf("%s", text)
}

// older reports whether version a is older than b; false if one of them is not a version.
func older(a, b string) bool {
	order, ok := catalog.Compare(a, b)
	return ok && order < 0
}

// deviceText returns text such as "NVIDIA H100 80GB HBM3, 85.5 GB, 600 MB used,
// compute processes: 1, compute capability 9.0, MIG disabled".
func deviceText(d facts.Device) string {
	words := []string{d.Name}
	if d.Memory > 0 { // if it is not known, neither is Used
		words = append(words, bytesize.Format(d.Memory), bytesize.Format(d.Used)+" used")
		if d.Processes >= 0 {
			words = append(words, fmt.Sprintf("compute processes: %d", d.Processes))
		}
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

// visible checks which of the GPUs a program can use.
func (d *diagnosis) visible() findings {
	n, ok := d.nvidia()
	if !ok || n.State != facts.DriverOK || len(n.Devices) == 0 {
		return nil
	}
	v := nvidia.VisibleUnits(n)
	required, enforced := d.requiredGPUs()
	enforced = enforced && d.env != nil && d.env.GPU != nil
	text := visibleText(n, v)
	switch {
	case v.Count == 0 && v.Invalid == "":
		return failIf(enforced, "unset CUDA_VISIBLE_DEVICES", "%s hides every GPU", v.Setting)
	case v.Invalid != "" || v.Setting != "" && v.Count < required:
		return failIf(enforced && v.Count < required, "correct or unset CUDA_VISIBLE_DEVICES; `nvidia-smi -L` lists the GPUs", "%s", text)
	case v.Count < required && v.Named >= required:
		return failIf(enforced, "run one process per slice, with its UUID in CUDA_VISIBLE_DEVICES; `nvidia-smi -L` lists the UUIDs", "%s", text)
	}
	return okf("%s", text)
}

// visibleText returns text such as `GPU 1 of 2: CUDA_VISIBLE_DEVICES="1"`.
func visibleText(n facts.Nvidia, v nvidia.Visible) string {
	setting := cmp.Or(v.Setting, "CUDA_VISIBLE_DEVICES is not set")
	if n.Visible != nil && n.VisibleOrder != "PCI_BUS_ID" && len(n.Devices) > 1 {
		setting += " (CUDA numbers GPUs from the fastest; CUDA_DEVICE_ORDER=PCI_BUS_ID numbers them as the driver does)"
	}
	reasons := strings.Join(slices.DeleteFunc([]string{setting, v.Invalid, v.Note}, func(s string) bool { return s == "" }), "; ")
	switch {
	case v.Setting == "" && v.Note == "":
		return "every GPU (" + reasons + ")"
	case v.Ambiguous():
		return fmt.Sprintf("%d of %d, unknown which: %s", v.Count, v.All, reasons)
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

// requirements compares the GPUs with the environment's requirements and locked packages,
// as a plan does.
func (d *diagnosis) requirements() findings {
	n, ok := d.nvidia()
	if !ok || n.State != facts.DriverOK || d.env == nil {
		return nil
	}
	list, _ := d.manifest.Resources(d.selection, []*manifest.Environment{d.env}) // validate and plan report its problems
	var found findings
	for _, r := range list {
		if r.Addr.Kind != "gpu" && r.Addr.Kind != "compat" || !d.facts.HasAll(r.Spec.Reads()) {
			continue
		}
		c := r.Spec.Diff(facts.NewView(d.facts, r.Spec.Reads()))
		f := okf("%s", c.Summary)
		if c.Problem != nil {
			f = problemFinding(c.Problem)
		}
		if r.Addr.Kind == "compat" {
			f[0].Code, f[0].Name = "gpu.compat", "locked packages"
		}
		found = append(found, f...)
	}
	return found
}

// driverCUDA compares the newest CUDA that the driver supports with the environment's
// minimum.
func (d *diagnosis) driverCUDA() findings {
	n, ok := d.nvidia()
	switch {
	case !ok:
		return unknownf("the driver was not probed")
	case n.State == facts.NoDriver:
		return skippedf("no NVIDIA driver")
	case n.State == facts.DriverBroken:
		return unknownf("the driver does not respond")
	}
	enforced := d.env == nil || d.env.CUDA == nil || d.env.CUDA.Severity != diag.Warn
	if t := nvidia.CUDATrouble(n); t != nil {
		return failIf(enforced, t.Hint, "%s", t.Summary)
	}
	if n.CUDA == "" {
		return unknownf("the driver does not report its CUDA version: %s", cmp.Or(n.CUDAReason, "no reason given"))
	}
	if d.env != nil && d.env.CUDA != nil && older(n.CUDA, d.env.CUDA.Minimum) {
		remedy := "update the NVIDIA driver"
		if least := d.minimumDriver(); least != "" {
			remedy = "use a machine with a newer GPU: drivers with CUDA " + d.env.CUDA.Minimum + " do not support this one"
			if versions := nvidia.NewerDriver(n, least); versions != "" {
				remedy = "update the NVIDIA driver to " + versions
			}
		}
		return failIf(enforced, remedy, "%s; environment %s needs %s", n.CUDA, d.env.Name, d.env.CUDA.Minimum)
	}
	return okf("%s", n.CUDA)
}

// toolkit reports the CUDA toolkit, with which programs are compiled.
func (d *diagnosis) toolkit() findings {
	t, ok := facts.Find[facts.Toolkit](d.facts, facts.ToolkitKey)
	switch {
	case !ok:
		return d.notProbed(facts.ToolkitKey)
	case t.Version == "":
		return okf("none; wheels include their own libraries, only compiling needs it")
	}
	return okf("%s (%s)", t.Version, t.Source)
}

// torchCUDA compares the CUDA that the environment's torch was built for, read from its
// files, with the driver.
func (d *diagnosis) torchCUDA() findings {
	if d.generation == "" {
		return skippedf("no environment is built")
	}
	torch, ok, err := pyenv.ReadTorch(d.library)
	n, _ := d.nvidia()
	uses, _ := d.usesGPU()
	runs, full := catalog.Runs(n.CUDA, torch.CUDA)
	const pin = "pin a torch that is built for CUDA"
	switch {
	case err != nil:
		return unknownf("%v", err)
	case !ok:
		return skippedf("environment %s has no torch", d.env.Name)
	case torch.CUDA == "" && torch.ROCm != "" && d.gpu().Vendor == "amd":
		return skippedf("torch %s is built for ROCm %s, and not checked", torch.Version, torch.ROCm)
	case torch.CUDA == "" && torch.ROCm != "":
		return warnf(pin, "torch %s is built for ROCm %s", torch.Version, torch.ROCm)
	case strings.HasSuffix(torch.Version, "+xpu"):
		return skippedf("torch %s is built for Intel GPUs (XPU), and not checked", torch.Version)
	case torch.CUDA == "" && d.gpu().Vendor == "apple":
		return okf("torch %s for macOS has no CUDA", torch.Version)
	case torch.CUDA == "" && (uses || n.State == facts.DriverOK):
		return failf(pin, "torch %s is built for the CPU only", torch.Version)
	case torch.CUDA == "":
		return okf("torch %s is built for the CPU only", torch.Version)
	case !runs && older(n.CUDA, torch.CUDA):
		return failf("update the NVIDIA driver, or "+pin+" "+strings.Split(n.CUDA, ".")[0], "%s (torch %s); the driver supports %s", torch.CUDA, torch.Version, n.CUDA)
	case runs && !full:
		return warnf("update the NVIDIA driver", "%s (torch %s); the driver supports %s: this works, with limits, by minor-version compatibility", torch.CUDA, torch.Version, n.CUDA)
	}
	return okf("%s (torch %s)", torch.CUDA, torch.Version)
}

// newestTorch reports the newest torch on the public index for the driver and the GPUs. It is no
// advice to change a lock.
func (d *diagnosis) newestTorch() findings {
	n, ok := d.nvidia()
	host, _ := facts.Find[facts.Host](d.facts, facts.HostKey)
	m := catalog.TorchMachine{Platform: host.Platform, CUDA: n.CUDA, Compute: nvidia.Compute(nvidia.VisibleUnits(n).Units), Full: true}
	if !ok || n.State != facts.DriverOK || n.CUDA == "" || len(m.Compute) == 0 {
		return nil
	}
	if d.env != nil {
		m.Python = d.env.Python
	}
	if host.Libc.Name == "glibc" {
		m.System = host.Libc.Version
	}
	b, ok := catalog.NewestTorch(m)
	m.Full = false
	limited, okLimited := catalog.NewestTorch(m)
	switch {
	case ok && limited.Torch != b.Torch:
		return okf("%s for CUDA %s; %s for CUDA %s runs with limits", b.Torch, b.CUDA, limited.Torch, limited.CUDA)
	case ok:
		return okf("%s for CUDA %s", b.Torch, b.CUDA)
	case okLimited:
		return okf("%s for CUDA %s, with limits", limited.Torch, limited.CUDA)
	}
	return warnf("use a machine with a newer GPU or driver", "no known torch on the public index runs on compute capability %s with CUDA %s", strings.Join(m.Compute, " and "), n.CUDA)
}

// libraryPath reports CUDA libraries in LD_LIBRARY_PATH, which takes precedence over the
// libraries of torch and of the driver.
func (d *diagnosis) libraryPath() findings {
	value := d.config.Getenv("LD_LIBRARY_PATH")
	if value == "" {
		return okf("not set")
	}
	var found []string
	for _, dir := range filepath.SplitList(value) {
		for _, library := range []string{"libcuda", "libcudart", "libcublas", "libcudnn", "libcusparse", "libnccl", "libnvJitLink"} {
			// The only error is a bad pattern, from a directory with a bracket in its name.
			names, _ := filepath.Glob(filepath.Join(dir, library+".so*"))
			if len(names) > 0 && !slices.Contains(found, names[0]) {
				found = append(found, names[0])
			}
		}
	}
	if len(found) > 0 {
		return warnf("unset it for training: torch includes its own libraries", "these files take precedence over the libraries of torch and of the driver\n%s", strings.Join(found, "\n"))
	}
	return okf("it contains no CUDA library")
}
