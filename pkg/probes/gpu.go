package probes

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/facts"
)

// gpu says whether there is an NVIDIA GPU, by what its driver, the PCI bus and
// WSL show in files. Memory and CUDA are another question, which needs NVML.
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
	for _, marks := range [][]string{{"/dev/nvidia0"}, {"/dev/dxg", "/usr/lib/wsl/lib/libcuda.so.1"}} {
		if p.allThere(marks) {
			return facts.GPU{Vendor: "nvidia", Source: marks[0]}, nil
		}
	}
	return none, nil
}

// nvidiaOnBus returns the file of the first display device of vendor 0x10de: a
// card is there even if no driver is.
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
		vendor, err := readHead(p.sys(filepath.Join(bus, d.Name(), "vendor")), buf)
		if err != nil || string(bytes.TrimSpace(vendor)) != "0x10de" {
			continue
		}
		// 0x03 is a display controller; the card's sound device has 0x04.
		class, err := readHead(p.sys(filepath.Join(bus, d.Name(), "class")), buf)
		if err == nil && bytes.HasPrefix(class, []byte("0x03")) {
			return filepath.Join(bus, d.Name(), "vendor"), nil
		}
	}
	return "", nil
}

func (p *Prober) allThere(names []string) bool {
	for _, n := range names {
		if _, err := os.Stat(p.sys(n)); err != nil {
			return false
		}
	}
	return true
}

// parseNVRM returns the driver's version: "580.65.06" of "NVRM version: NVIDIA
// UNIX Open Kernel Module for x86_64  580.65.06  Release Build …".
func parseNVRM(b []byte) string {
	line, _, _ := bytes.Cut(b, []byte("\n"))
	for _, word := range strings.Fields(string(line)) {
		if v := leadingVersion([]byte(word)); v == word && strings.Contains(v, ".") {
			return v
		}
	}
	return ""
}
