// Package nvidia knows what the answers of an NVIDIA driver mean, for the kinds
// that judge them: why CUDA cannot be used, which devices CUDA will show to a
// program, and which driver a CUDA needs. It looks at facts, not at the machine.
package nvidia

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/facts"
)

// Trouble is why a driver, or CUDA, cannot be used at all.
type Trouble struct {
	Code    string // "no-driver", "broken", "unusable", "denied", "missing", "mig", "lost"
	Summary string
	Found   string
	Hint    string
}

// DriverTrouble says why the driver cannot be asked, nil if it can. least is the driver
// to install where there is none; "" for any.
func DriverTrouble(n facts.Nvidia, least string) *Trouble {
	switch n.State {
	case facts.DriverOK:
		return nil
	case facts.NoDriver:
		driver := "the NVIDIA driver"
		if least != "" {
			driver += " (" + least + " or newer)"
		}
		return &Trouble{
			Code: "no-driver", Summary: "there is no NVIDIA driver on this machine",
			Found: "what needs CUDA finds no GPU",
			Hint:  fmt.Sprintf("install %s as your distribution offers it: reconcile never installs drivers. In a container, start it with `--gpus all` on a host that has the driver", driver),
		}
	}
	reason := cmp.Or(n.Reason, "no reason given")
	t := &Trouble{Code: "broken", Summary: "the NVIDIA driver does not answer: " + reason}
	switch code(n) {
	case facts.NVMLMismatch:
		t.Summary = "the NVIDIA driver was updated while the old kernel module is still loaded: " + reason
		t.Found = strings.Join(versions(n), ", ")
		t.Hint = "reboot this machine; or stop all that uses a GPU and reload the module: `sudo rmmod nvidia_uvm nvidia_drm nvidia_modeset nvidia`, `sudo modprobe nvidia`. A container is started anew, since it has the libraries of a driver that its host no longer runs"
	case facts.NVMLNotLoaded:
		t.Summary = "the kernel module of the NVIDIA driver is not loaded: " + reason
		t.Hint = "run `sudo modprobe nvidia`. If it refuses, `sudo dmesg | grep -i nvidia` says why: after an update of the kernel the module has to be built again, and secure boot takes only a signed one. A container is started with `--gpus all`"
	case facts.NVMLNoLibrary:
		t.Summary = "a library of the NVIDIA driver is missing: " + reason
		t.Hint = "install the driver's libraries of the same version as its kernel module; in a container, start it with `--gpus all` and NVIDIA_DRIVER_CAPABILITIES=compute,utility"
	case facts.NVMLNoPermission:
		t.Summary = "this user may not ask the NVIDIA driver: " + reason
		t.Hint = openNodes
	case facts.NVMLBlocked:
		t.Summary = "the system keeps this process from the GPUs: " + reason
		t.Hint = askForGPU
	case facts.NVMLLost:
		t.Summary = "a GPU has fallen off the bus: " + reason
		t.Hint = rebootIt
	case facts.NVMLReset:
		t.Summary = "a GPU has to be reset: " + reason
		t.Hint = resetIt
	default:
		t.Hint = "run `nvidia-smi` and mend what it names; a reboot helps after an update of the driver"
	}
	return t
}

// code is what NVML returned. Where nvidia-smi told instead, its words are those of
// NVML or its own.
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

// versions lists what is known of a driver: "libraries 535.183.06, kernel module 535.161.08".
func versions(n facts.Nvidia) (list []string) {
	if n.Driver != "" {
		list = append(list, "libraries of driver "+n.Driver)
	}
	if n.Kernel != "" {
		list = append(list, "kernel module "+n.Kernel)
	}
	return list
}

// CUDATrouble says why the GPUs of a driver that answers cannot be used by CUDA, nil
// if they can or it is not known.
func CUDATrouble(n facts.Nvidia) *Trouble {
	if n.CUDA != "" || !n.NoLibcuda {
		return nil
	}
	return &Trouble{
		Code: "unusable", Summary: "the driver shows its GPUs, and CUDA cannot use them: libcuda.so.1 is missing",
		Found: n.CUDAReason,
		Hint:  "in a container, start it with NVIDIA_DRIVER_CAPABILITIES=compute,utility: `docker run --gpus all -e NVIDIA_DRIVER_CAPABILITIES=compute,utility …`; elsewhere install the part of the driver that holds it (libcuda1 on Debian, libnvidia-compute on Ubuntu)",
	}
}

// NodeTrouble says what the device files stop, nil if all are there and may be opened. One
// that this user may not open stops CUDA ("denied"); one that is missing may be made
// when the first program asks ("missing").
func NodeTrouble(n facts.Nvidia) *Trouble {
	if len(n.Nodes) == 0 {
		return nil
	}
	lines := make([]string, len(n.Nodes))
	for i, node := range n.Nodes {
		lines[i] = node.String()
	}
	t := &Trouble{
		Code: "missing", Summary: "CUDA may not start: device files of the driver are missing", Found: strings.Join(lines, "\n"),
		Hint: "`sudo nvidia-modprobe -u -c 0` makes them, and CUDA does so itself where that program is installed; in a container, start it with `--gpus all`",
	}
	if slices.ContainsFunc(n.Nodes, func(node facts.Node) bool { return node.Denied }) {
		t.Code, t.Summary = "denied", "CUDA cannot start: this user may not open the device files of the driver"
		t.Hint = openNodes
	}
	return t
}

// Trouble says why a device cannot be used, nil if it can: MIG cuts it into nothing
// ("mig"), it is not for this process ("denied"), or it does not answer ("lost").
func (u Unit) Trouble() *Trouble {
	if u.Problem == "" {
		return nil
	}
	t := &Trouble{Code: "lost", Summary: u.Name + " cannot be used: " + u.Problem}
	if u.Problem == NoSlices {
		t.Code = "mig"
		t.Hint = "make a slice (`sudo nvidia-smi mig -lgip` lists what there can be), or turn MIG off with `sudo nvidia-smi -mig 0`"
		return t
	}
	switch u.Code {
	case facts.NVMLNoPermission:
		t.Code, t.Hint = "denied", "if it is another user's, leave it out of CUDA_VISIBLE_DEVICES; if it should be yours, "+openNodes
	case facts.NVMLBlocked:
		t.Code, t.Hint = "denied", askForGPU
	case facts.NVMLNoPower:
		t.Hint = "look at its power cables: the driver does not start a GPU that lacks one"
	case facts.NVMLInfoROM:
		t.Hint = "the memory on the board that describes it is damaged: only its maker mends that. A rented machine is best replaced"
	case facts.NVMLReset:
		t.Hint = resetIt
	case facts.NVMLLost:
		t.Hint = rebootIt
	default:
		t.Hint = "look at `nvidia-smi` and `sudo dmesg | grep -i -e nvrm -e xid`, which tell what the driver reported"
	}
	return t
}

// DeviceTrouble says why a GPU, whole or cut, cannot be used, nil if it can.
func DeviceTrouble(d facts.Device) *Trouble { return units(d)[0].Trouble() }

// What is to be done for more than one reason.
const (
	askForGPU = "ask for a GPU where this process is started: `--gpus all` for a container, or the job's request for GPUs in a scheduler"
	rebootIt  = "reboot this machine; if it comes back, `sudo dmesg | grep -i xid` tells what the hardware reported. A rented machine is best replaced"
	resetIt   = "end all that uses it and run `sudo nvidia-smi --gpu-reset -i` with its index, or reboot this machine"
	openNodes = "look at `ls -l /dev/nvidia*` and add this user to the group that may open them (often video or render), then log in again"
)
