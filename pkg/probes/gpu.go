package probes

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// gpu reports whether there is an NVIDIA GPU, from the files of its driver, the PCI bus and
// WSL.
func (p *Prober) gpu() (facts.GPU, error) {
	none := facts.GPU{Vendor: "none"}
	if p.system.os != "linux" {
		return none, nil
	}
	const version = "/proc/driver/nvidia/version"
	b, err := os.ReadFile(p.sys(version))
	if err == nil {
		return facts.GPU{Vendor: "nvidia", Driver: parseNVRM(b), Source: version}, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return none, err
	}
	if source, err := p.nvidiaOnBus(); err != nil || source != "" {
		return facts.GPU{Vendor: "nvidia", Source: source}, err
	}
	switch {
	case exists(p.sys("/dev/nvidia0")):
		return facts.GPU{Vendor: "nvidia", Source: "/dev/nvidia0"}, nil
	case exists(p.sys("/dev/dxg")) && exists(p.sys("/usr/lib/wsl/lib/libcuda.so.1")):
		return facts.GPU{Vendor: "nvidia", Source: "/dev/dxg"}, nil
	}
	return none, nil
}

// nvidiaOnBus returns the vendor file of the first NVIDIA display device on the PCI bus,
// which exists without a driver too, or "".
func (p *Prober) nvidiaOnBus() (string, error) {
	const bus = "/sys/bus/pci/devices"
	devices, err := os.ReadDir(p.sys(bus))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	buf := make([]byte, 16) // "0x10de\n", "0x030000\n"
	for _, d := range devices {
		vendor, err := rawfile.Head(p.sys(filepath.Join(bus, d.Name(), "vendor")), buf)
		if err != nil || string(bytes.TrimSpace(vendor)) != "0x10de" {
			continue
		}
		// 0x03 is a display controller, 0x04 the audio device of a card.
		class, err := rawfile.Head(p.sys(filepath.Join(bus, d.Name(), "class")), buf)
		if err == nil && bytes.HasPrefix(class, []byte("0x03")) {
			return filepath.Join(bus, d.Name(), "vendor"), nil
		}
	}
	return "", nil
}

// parseNVRM returns the driver version in /proc/driver/nvidia/version: "580.65.06" from
// "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build …".
func parseNVRM(b []byte) string {
	line, _, _ := bytes.Cut(b, []byte("\n"))
	for _, word := range strings.Fields(string(line)) {
		if v := leadingVersion([]byte(word)); v == word && strings.Contains(v, ".") {
			return v
		}
	}
	return ""
}
