// Package nvidia interprets facts about NVIDIA drivers: why CUDA cannot be used, which
// devices a program sees, and which driver a CUDA version needs.
package nvidia

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/catalog"
	"github.com/reconcile-ml/reconcile/internal/facts"
)

// Trouble is a reason why a driver, CUDA or a device cannot be used.
type Trouble struct {
	Code    string // "no-driver", "no-nvidia", "broken", "unusable", "denied", "missing", "mig", "lost"
	Summary string
	Found   string
	Hint    string
}

// driverTrouble returns why the driver does not respond, or nil if it does. minimum is
// the driver version to install if there is none; "" for any.
func driverTrouble(n facts.Nvidia, minimum string) *Trouble {
	switch n.State {
	case facts.DriverOK:
		return nil
	case facts.NoDriver:
		driver := "the NVIDIA driver"
		if minimum != "" {
			driver += " (" + minimum + " or newer)"
		}
		return &Trouble{
			Code: "no-driver", Summary: "there is no NVIDIA driver on this machine",
			Found: "programs that need CUDA find no GPU",
			Hint:  fmt.Sprintf("install %s from your distribution (reconcile never installs drivers). Start a container with `--gpus all` on a host that has the driver", driver),
		}
	}
	reason := cmp.Or(n.Reason, "no reason given")
	t := &Trouble{Code: "broken", Summary: "the NVIDIA driver does not answer: " + reason}
	switch code(n) {
	case facts.NVMLMismatch:
		t.Summary = "the NVIDIA driver was updated while the old kernel module is still loaded: " + reason
		t.Found = strings.Join(versions(n), ", ")
		t.Hint = "reboot this machine; or stop every process that uses a GPU and reload the module: `sudo rmmod nvidia_uvm nvidia_drm nvidia_modeset nvidia`, `sudo modprobe nvidia`. Restart a container: it has the libraries of a driver that its host no longer runs"
	case facts.NVMLNotLoaded:
		t.Summary = "the kernel module of the NVIDIA driver is not loaded: " + reason
		t.Hint = "run `sudo modprobe nvidia`. If it fails, `sudo dmesg | grep -i nvidia` shows why: a kernel update requires a rebuilt module, and secure boot a signed one. Start a container with `--gpus all`"
	case facts.NVMLNoLibrary:
		t.Summary = "a library of the NVIDIA driver is missing: " + reason
		t.Hint = "install the driver's libraries of the same version as its kernel module; in a container, start it with `--gpus all` and NVIDIA_DRIVER_CAPABILITIES=compute,utility"
	case facts.NVMLNoPermission:
		t.Summary = "this user may not access the NVIDIA driver: " + reason
		t.Hint = hintOpenNodes
	case facts.NVMLBlocked:
		t.Summary = "the operating system denies this process access to the GPUs: " + reason
		t.Hint = hintRequest
	case facts.NVMLLost:
		t.Summary = "a GPU has fallen off the bus: " + reason
		t.Hint = hintReboot
	case facts.NVMLReset:
		t.Summary = "a GPU has to be reset: " + reason
		t.Hint = hintReset
	default:
		t.Hint = "run `nvidia-smi` and fix the reported error; reboot after a driver update"
	}
	return t
}

// DriverTroubleOn returns why the driver does not respond on a machine with the GPUs of gpu, or nil
// if it does. If there is neither a driver nor an NVIDIA GPU, it names the GPU that there is
// ("no-nvidia"), and proposes no driver. minimum is the driver version to install for an NVIDIA GPU
// that has none; "" for any.
func DriverTroubleOn(gpu facts.GPU, n facts.Nvidia, minimum string) *Trouble {
	if n.State != facts.NoDriver || gpu.Vendor == "nvidia" || gpu.Vendor == "" {
		return driverTrouble(n, minimum)
	}
	t := &Trouble{
		Code: "no-nvidia", Summary: "there is no NVIDIA GPU on this machine", Found: "programs that need CUDA find no GPU",
		Hint: "use a machine with an NVIDIA GPU, or choose another environment with --env NAME",
	}
	if gpu.Vendor == "none" {
		t.Hint += ". Start a container with `--gpus all` on a host that has one"
		return t
	}
	models := cmp.Or(gpu.Models, "a GPU of "+gpu.Vendor)
	t.Summary = "this machine has " + models + " and no NVIDIA GPU"
	t.Found = "builds of torch for CUDA use NVIDIA GPUs only"
	t.Hint += map[string]string{
		"amd":   "; builds of torch for ROCm are only in PyTorch's own index, which an environment can name in `indexes`",
		"intel": "; builds of torch for XPU are only in PyTorch's own index, which an environment can name in `indexes`",
		"apple": "; torch for macOS computes on this GPU as device mps",
	}[gpu.Vendor]
	return t
}

// code returns the NVML return code, derived from the text of nvidia-smi if the facts
// have none.
func code(n facts.Nvidia) int {
	switch {
	case n.Code != 0:
		return n.Code
	case strings.Contains(n.Reason, "version mismatch"):
		return facts.NVMLMismatch
	case strings.Contains(n.Reason, "couldn't communicate with the NVIDIA driver"), strings.Contains(n.Reason, "Driver Not Loaded"):
		return facts.NVMLNotLoaded
	}
	return 0
}

// versions lists the known versions of the driver and its kernel module.
func versions(n facts.Nvidia) (list []string) {
	if n.Driver != "" {
		list = append(list, "libraries of driver "+n.Driver)
	}
	if n.Kernel != "" {
		list = append(list, "kernel module "+n.Kernel)
	}
	return list
}

// CUDATrouble returns why CUDA cannot use the GPUs of a working driver, or nil if it can
// or that is not known.
func CUDATrouble(n facts.Nvidia) *Trouble {
	if n.CUDA != "" || !n.NoLibcuda {
		return nil
	}
	return &Trouble{
		Code: "unusable", Summary: "the driver lists GPUs that CUDA cannot use: libcuda.so.1 is missing",
		Found: n.CUDAReason,
		Hint:  "in a container, start it with NVIDIA_DRIVER_CAPABILITIES=compute,utility: `docker run --gpus all -e NVIDIA_DRIVER_CAPABILITIES=compute,utility …`; otherwise install the driver package that contains it (libcuda1 on Debian, libnvidia-compute on Ubuntu)",
	}
}

// NodeTrouble returns the problem with the device files, or nil if all can be opened. A
// file that this user may not open prevents CUDA from starting ("denied"); a missing file
// may be created when the first program starts ("missing").
func NodeTrouble(n facts.Nvidia) *Trouble {
	if len(n.Nodes) == 0 {
		return nil
	}
	lines := make([]string, len(n.Nodes))
	for i, node := range n.Nodes {
		lines[i] = node.String()
	}
	t := &Trouble{
		Code: "missing", Summary: "CUDA may fail to start: device files of the driver are missing", Found: strings.Join(lines, "\n"),
		Hint: "run `sudo nvidia-modprobe -u -c 0`, which creates them (CUDA runs it itself if it is installed); start a container with `--gpus all`",
	}
	if slices.ContainsFunc(n.Nodes, func(node facts.Node) bool { return node.Denied }) {
		t.Code, t.Summary = "denied", "CUDA cannot start: this user may not open the device files of the driver"
		t.Hint = hintOpenNodes
	}
	return t
}

// Trouble returns why a device cannot be used, or nil if it can: MIG is enabled without
// slices ("mig"), access is denied ("denied"), or it does not respond ("lost").
func (u Unit) Trouble() *Trouble {
	if u.Problem == "" {
		return nil
	}
	t := &Trouble{Code: "lost", Summary: u.Name + " cannot be used: " + u.Problem}
	if u.Problem == NoSlices {
		t.Code = "mig"
		t.Hint = "create a slice (`sudo nvidia-smi mig -lgip` lists the profiles), or disable MIG with `sudo nvidia-smi -mig 0`"
		return t
	}
	switch u.Code {
	case facts.NVMLNoPermission:
		t.Code, t.Hint = "denied", "if it belongs to another user, remove it from CUDA_VISIBLE_DEVICES; otherwise "+hintOpenNodes
	case facts.NVMLBlocked:
		t.Code, t.Hint = "denied", hintRequest
	case facts.NVMLNoPower:
		t.Hint = "check its power cables: the driver does not start a GPU that lacks power"
	case facts.NVMLInfoROM:
		t.Hint = "its infoROM is corrupted, which only the manufacturer can repair. Replace a rented machine"
	case facts.NVMLReset:
		t.Hint = hintReset
	case facts.NVMLLost:
		t.Hint = hintReboot
	default:
		t.Hint = "run `nvidia-smi` and `sudo dmesg | grep -i -e nvrm -e xid` to see the errors of the driver"
	}
	return t
}

// NewerDriver returns the drivers from least on that support the visible GPUs: "580.65.06 or
// newer", for old GPUs with the last branch that does. It returns "" if there is none.
func NewerDriver(n facts.Nvidia, least string) string {
	last, gpu := "", ""
	for _, u := range VisibleUnits(n).Units {
		if !catalog.Drives(least, u.Compute) {
			return ""
		}
		branch := catalog.LastDriver(u.Compute)
		if order, ok := catalog.Compare(branch, last); branch != "" && (!ok || order < 0) {
			last, gpu = branch, u.Name
		}
	}
	if last != "" {
		return fmt.Sprintf("%s or newer, at most branch %s, the last for %s", least, last, gpu)
	}
	return least + " or newer"
}

// DeviceTrouble returns why a GPU or its slices cannot be used, or nil if they can.
func DeviceTrouble(d facts.Device) *Trouble { return units(d)[0].Trouble() }

// Hints that several problems share.
const (
	hintRequest   = "request a GPU when you start this process: `--gpus all` for a container, or the GPU request of the job in a scheduler"
	hintReboot    = "reboot this machine; if it happens again, `sudo dmesg | grep -i xid` shows the hardware error. Replace a rented machine"
	hintReset     = "stop every process that uses it and run `sudo nvidia-smi --gpu-reset -i INDEX`, or reboot this machine"
	hintOpenNodes = "run `ls -l /dev/nvidia*`, add this user to the group that may open them (often video or render), and log in again"
)
