package probes

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/catalog"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

const (
	pciBus   = "/sys/bus/pci/devices"
	kfdNodes = "/sys/class/kfd/kfd/topology/nodes"
)

// gpu returns the GPUs of this machine, from files alone, and on macOS from the kernel.
func (p *Prober) gpu() (facts.GPU, error) {
	switch p.system.os {
	case "linux":
		return p.linuxGPU()
	case "darwin":
		return appleGPU(p.system), nil
	}
	return facts.GPU{Vendor: "none"}, nil
}

// appleGPU returns the GPU of Apple silicon, which is part of the processor. The GPUs of other
// Macs are not in the values of the kernel that are read.
func appleGPU(s system) facts.GPU {
	if s.arch != "arm64" {
		return facts.GPU{Vendor: "none"}
	}
	name := printable(s.processor)
	if !strings.HasPrefix(name, "Apple ") { // "VirtualApple @ 2.50GHz processor" under Rosetta
		name = "Apple GPU"
	}
	g := facts.OtherGPU{Vendor: "apple", Name: name, Memory: s.memory, Integrated: true}
	return facts.GPU{Vendor: g.Vendor, Source: "machdep.cpu.brand_string", Models: g.Name, Others: []facts.OtherGPU{g}}
}

// linuxGPU returns the NVIDIA GPU that the driver or the PCI bus shows, and the GPUs of other
// vendors on the bus.
func (p *Prober) linuxGPU() (facts.GPU, error) {
	bus, unread := p.gpusOnBus()
	found, err := p.nvidiaGPU(bus)
	if err != nil {
		return found, err
	}
	found.Others = p.otherGPUs(bus)
	if slices.ContainsFunc(found.Others, func(g facts.OtherGPU) bool { return g.Vendor == "amd" }) {
		found.ROCm = p.rocm()
	}
	switch {
	case found.Vendor != "":
		return found, nil
	case len(found.Others) == 0:
		return facts.GPU{Vendor: "none"}, unread
	}
	found.Vendor, found.Source = found.Others[0].Vendor, path.Join(pciBus, found.Others[0].Bus, "vendor")
	var names []string
	for _, g := range found.Others { // the graphics of a processor do not matter beside a card
		if g.Vendor == found.Vendor && g.Integrated == found.Others[0].Integrated {
			names = append(names, g.Name)
		}
	}
	found.Models = models(names)
	return found, nil
}

// nvidiaGPU returns the NVIDIA GPU, without Vendor if there is none.
func (p *Prober) nvidiaGPU(bus []pciGPU) (facts.GPU, error) {
	seen, err := p.readDriverFiles()
	if err != nil {
		return facts.GPU{}, err
	}
	found := facts.GPU{Vendor: "nvidia", Driver: seen.kernel}
	card := nvidiaCard(bus)
	switch {
	case seen.module:
		found.Source = procNvidia + "/version"
		var names []string
		for _, d := range p.procDevices() {
			names = append(names, d.Name)
		}
		found.Models = models(names)
	case seen.wsl:
		found.Source = "/dev/dxg"
	case exists(p.sys("/dev/nvidia0")):
		found.Source = "/dev/nvidia0"
	case card != "": // a container may have the control node without the first GPU
		found.Source = card + "/vendor"
	default:
		return facts.GPU{}, nil
	}
	return found, nil
}

// nvidiaCard returns the directory of the first NVIDIA GPU on the PCI bus, which exists without a
// driver too, or "".
func nvidiaCard(bus []pciGPU) string {
	if i := slices.IndexFunc(bus, func(g pciGPU) bool { return g.vendor == "nvidia" }); i >= 0 {
		return path.Join(pciBus, bus[i].address)
	}
	return ""
}

// A pciGPU is a GPU on the PCI bus.
type pciGPU struct {
	address string // "0000:c1:00.0"
	vendor  string // "nvidia", "amd", "intel"
	id      string // "1002:74a1"
}

// gpusOnBus returns the GPUs on the PCI bus, by address. Virtual functions are part of the GPU
// that has them; in a virtual machine that GPU is not visible, and they count.
func (p *Prober) gpusOnBus() ([]pciGPU, error) {
	devices, err := os.ReadDir(p.sys(pciBus))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var found []pciGPU
	buf := make([]byte, 48)
	read := func(dir, name string, buf []byte) []byte {
		b, _ := rawfile.Head(p.sys(path.Join(pciBus, dir, name)), buf) // a device that is removed has no files
		return b
	}
	for _, d := range devices {
		class := read(d.Name(), "class", buf[:16])
		if !isGPUClass(class) {
			continue
		}
		g, ok := parsePCI(class, read(d.Name(), "vendor", buf[16:32]), read(d.Name(), "device", buf[32:]))
		if ok && !exists(p.sys(path.Join(pciBus, d.Name(), "physfn"))) {
			g.address = d.Name()
			found = append(found, g)
		}
	}
	return found, err
}

// isGPUClass reports whether a PCI class may be that of a GPU: 0x03 is a display controller, 0x12 a
// processing accelerator, such as an AMD Instinct MI300X; 0x04 is the audio device of a card.
func isGPUClass(class []byte) bool {
	return bytes.HasPrefix(class, []byte("0x03")) || bytes.HasPrefix(class, []byte("0x12"))
}

// parsePCI reads the files class, vendor and device of a PCI device, and returns false if it is no
// GPU. Among the processing accelerators only those of AMD are GPUs; Intel's are for inference.
// 515e (ES1000) and 4752 (Rage XL) are display adapters of servers.
func parsePCI(class, vendor, device []byte) (g pciGPU, ok bool) {
	number := func(b []byte) string {
		digits, _ := strings.CutPrefix(string(bytes.TrimSpace(b)), "0x")
		if n, err := strconv.ParseUint(digits, 16, 16); err == nil {
			return fmt.Sprintf("%04x", n)
		}
		return ""
	}
	maker, model := number(vendor), number(device)
	g.vendor = map[string]string{"10de": "nvidia", "1002": "amd", "8086": "intel"}[maker]
	g.id = maker + ":" + model
	accelerator := bytes.HasPrefix(class, []byte("0x12"))
	return g, isGPUClass(class) && g.vendor != "" && model != "" && (!accelerator || g.vendor == "amd") && g.id != "1002:515e" && g.id != "1002:4752"
}

// otherGPUs returns the GPUs of other vendors than NVIDIA, those that are part of the processor last.
func (p *Prober) otherGPUs(bus []pciGPU) (list []facts.OtherGPU) {
	for _, g := range bus {
		if g.vendor != "nvidia" {
			list = append(list, p.otherGPU(g))
		}
	}
	if list == nil {
		return nil
	}
	targets := p.kfdTargets()
	for i := range list {
		list[i].Target = targets[list[i].Bus]
	}
	slices.SortStableFunc(list, func(a, b facts.OtherGPU) int {
		return cmp.Compare(integrated(a), integrated(b))
	})
	return list
}

func integrated(g facts.OtherGPU) int {
	if g.Integrated {
		return 1
	}
	return 0
}

// otherGPU reads the files of one GPU. Intel's graphics of the processor are always at the same
// address.
func (p *Prober) otherGPU(g pciGPU) facts.OtherGPU {
	dir := p.sys(path.Join(pciBus, g.address))
	_, device, _ := strings.Cut(g.id, ":")
	known, _ := catalog.FindGPU(g.vendor, device)
	found := facts.OtherGPU{
		Vendor: g.vendor, Bus: g.address, Driver: p.kernelDriver(dir),
		Integrated: known.Integrated || g.vendor == "intel" && g.address == "0000:00:02.0",
	}
	maker := map[string]string{"amd": "AMD", "intel": "Intel"}[g.vendor]
	product, _ := readSmall(filepath.Join(dir, "product_name")) // by amdgpu, from the card: "AMD Instinct MI300X OAM"
	found.Name = cmp.Or(printable(string(product)), known.Name, maker+" GPU "+g.id)
	if !strings.HasPrefix(found.Name, maker) {
		found.Name = maker + " " + found.Name
	}
	memory, _ := readSmall(filepath.Join(dir, "mem_info_vram_total")) // by amdgpu
	if n, err := strconv.ParseInt(string(bytes.TrimSpace(memory)), 10, 64); err == nil && n > 0 {
		found.Memory = n
	}
	return found
}

// kernelDriver returns the driver that is bound to a device, with its version if it has one: those
// of the kernel itself have none.
func (p *Prober) kernelDriver(dir string) string {
	target, err := os.Readlink(filepath.Join(dir, "driver"))
	if err != nil {
		return ""
	}
	name := filepath.Base(target)
	version, _ := readSmall(p.sys("/sys/module/" + name + "/version"))
	return printable(strings.TrimSpace(name + " " + leadingVersion(version)))
}

// kfdTargets returns the targets of AMD GPUs by PCI address, as the compute driver lists them.
func (p *Prober) kfdTargets() map[string]string {
	nodes, _ := os.ReadDir(p.sys(kfdNodes)) // without the driver there are none
	targets := map[string]string{}
	for _, node := range nodes {
		b, err := readSmall(p.sys(path.Join(kfdNodes, node.Name(), "properties")))
		if err != nil {
			continue // without permission
		}
		if address, target := parseKFD(b); target != "" {
			targets[address] = target
		}
	}
	return targets
}

// parseKFD returns the PCI address and the target in the properties of a node: "gfx942" for
// gfx_target_version 90402. A processor has no target.
func parseKFD(b []byte) (address, target string) {
	values := map[string]uint64{}
	for line := range bytes.Lines(b) {
		name, value, _ := strings.Cut(strings.TrimSpace(string(line)), " ")
		if n, err := strconv.ParseUint(value, 10, 32); err == nil {
			values[name] = n
		}
	}
	location, version := values["location_id"], values["gfx_target_version"]
	address = fmt.Sprintf("%04x:%02x:%02x.%x", values["domain"], location>>8&0xff, location>>3&0x1f, location&7)
	if version == 0 {
		return address, ""
	}
	return address, fmt.Sprintf("gfx%d%x%x", version/10000, version/100%100, version%100)
}

// rocm returns the version of ROCm in /opt, "" for none.
func (p *Prober) rocm() string {
	dirs, _ := filepath.Glob(p.sys("/opt/rocm-*")) // the last one is the newest
	slices.Reverse(dirs)
	for _, dir := range append([]string{p.sys("/opt/rocm")}, dirs...) {
		if b, err := readSmall(filepath.Join(dir, ".info/version")); err == nil {
			if v := leadingVersion(bytes.TrimSpace(b)); v != "" {
				return v
			}
		}
	}
	return ""
}
