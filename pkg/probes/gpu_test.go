package probes

import (
	"reflect"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/facts"
)

// pci adds a device to the PCI bus, with the files as the kernel writes them.
func (m *fakeMachine) pci(address, class, vendor, device string, more ...string) {
	m.t.Helper()
	files := append([]string{"class", class, "vendor", vendor, "device", device}, more...)
	for i := 0; i < len(files); i += 2 {
		m.put(m.sys+pciBus+"/"+address+"/"+files[i], files[i+1]+"\n")
	}
}

// bind binds a kernel driver to a device.
func (m *fakeMachine) bind(address, name string) {
	m.t.Helper()
	m.link("../../../../bus/pci/drivers/"+name, m.sys+pciBus+"/"+address+"/driver")
}

// kfd adds a node of the compute driver of AMD.
func (m *fakeMachine) kfd(node, properties string) {
	m.t.Helper()
	m.put(m.sys+kfdNodes+"/"+node+"/properties", properties)
}

const processorNode = "cpu_cores_count 96\nsimd_count 0\ngfx_target_version 0\nvendor_id 0\ndevice_id 0\nlocation_id 0\ndomain 0\n"

// TestOtherGPUs checks which devices of other vendors than NVIDIA are GPUs, and what is known
// about them.
func TestOtherGPUs(t *testing.T) {
	mi300x := facts.OtherGPU{Vendor: "amd", Name: "AMD Instinct MI300X OAM", Bus: "0000:05:00.0", Driver: "amdgpu 6.10.5", Target: "gfx942", Memory: 206141652992}
	second := mi300x
	second.Bus = "0001:26:00.0"
	b580 := facts.OtherGPU{Vendor: "intel", Name: "Intel Arc B580", Bus: "0000:03:00.0", Driver: "xe"}
	board := facts.OtherGPU{Vendor: "intel", Name: "Intel GPU 8086:a780", Bus: "0000:00:02.0", Driver: "i915", Integrated: true}
	radeon := facts.OtherGPU{Vendor: "amd", Name: "AMD Radeon RX 7900 XT/7900 XTX/7900 GRE/7900M", Bus: "0000:03:00.0", Driver: "amdgpu", Target: "gfx1100", Memory: 25753026560}
	m4 := facts.OtherGPU{Vendor: "apple", Name: "Apple M4", Memory: 16 << 30, Integrated: true}
	withBoard := func(m *fakeMachine) {
		m.pci("0000:00:02.0", "0x030000", "0x8086", "0xa780")
		m.bind("0000:00:02.0", "i915")
	}
	for name, tt := range map[string]struct {
		do   func(m *fakeMachine)
		want facts.GPU
	}{
		"two MI300X beside the adapter of the management controller": {func(m *fakeMachine) {
			m.pci("0000:05:00.0", "0x120000", "0x1002", "0x74a1", "product_name", "AMD Instinct MI300X OAM", "mem_info_vram_total", "206141652992")
			m.pci("0001:26:00.0", "0x120000", "0x1002", "0x74a1", "product_name", "AMD Instinct MI300X OAM", "mem_info_vram_total", "206141652992")
			m.pci("0000:c2:00.0", "0x030000", "0x1a03", "0x2000")
			m.bind("0000:05:00.0", "amdgpu")
			m.bind("0001:26:00.0", "amdgpu")
			m.put(m.sys+"/sys/module/amdgpu/version", "6.10.5\n")
			m.put(m.sys+"/opt/rocm-6.4.1/.info/version", "6.4.1-83\n")
			m.kfd("0", processorNode)
			m.kfd("2", "cpu_cores_count 0\nsimd_count 1216\ngfx_target_version 90402\nvendor_id 4098\ndevice_id 29857\nlocation_id 1280\ndomain 0\n")
			m.kfd("3", "cpu_cores_count 0\nsimd_count 1216\ngfx_target_version 90402\nvendor_id 4098\ndevice_id 29857\nlocation_id 9728\ndomain 1\n")
		}, facts.GPU{
			Vendor: "amd", Source: "/sys/bus/pci/devices/0000:05:00.0/vendor", Models: "2 x AMD Instinct MI300X OAM",
			Others: []facts.OtherGPU{mi300x, second}, ROCm: "6.4.1",
		}},
		"an Arc beside the graphics of the processor": {func(m *fakeMachine) {
			withBoard(m)
			m.pci("0000:03:00.0", "0x030000", "0x8086", "0xe20b")
			m.bind("0000:03:00.0", "xe")
		}, facts.GPU{Vendor: "intel", Source: "/sys/bus/pci/devices/0000:03:00.0/vendor", Models: "Intel Arc B580", Others: []facts.OtherGPU{b580, board}}},
		"a Radeon with the driver of the kernel, after the graphics of the processor": {func(m *fakeMachine) {
			withBoard(m)
			m.pci("0000:03:00.0", "0x030000", "0x1002", "0x744c", "product_name", "", "mem_info_vram_total", "25753026560")
			m.pci("0000:03:00.1", "0x040300", "0x1002", "0xab30")
			m.bind("0000:03:00.0", "amdgpu")
			m.kfd("1", "simd_count 192\ngfx_target_version 110000\nlocation_id 768\ndomain 0\n")
			m.put(m.sys+"/opt/rocm-6.3.0/.info/version", "6.3.0-39\n")
			m.put(m.sys+"/opt/rocm-7.0.2/.info/version", "7.0.2-56\n")
		}, facts.GPU{
			Vendor: "amd", Source: "/sys/bus/pci/devices/0000:03:00.0/vendor", Models: radeon.Name, Others: []facts.OtherGPU{radeon, board}, ROCm: "7.0.2",
		}},
		"a virtual function without its GPU, without a driver": {func(m *fakeMachine) {
			m.pci("0000:08:00.0", "0x120000", "0x1002", "0x74b5")
		}, facts.GPU{
			Vendor: "amd", Source: "/sys/bus/pci/devices/0000:08:00.0/vendor", Models: "AMD Instinct MI300X VF",
			Others: []facts.OtherGPU{{Vendor: "amd", Name: "AMD Instinct MI300X VF", Bus: "0000:08:00.0"}},
		}},
		"a virtual function beside its GPU": {func(m *fakeMachine) {
			m.pci("0000:03:00.0", "0x030000", "0x8086", "0xe20b")
			m.bind("0000:03:00.0", "xe")
			m.pci("0000:03:00.1", "0x030000", "0x8086", "0xe20b")
			m.link("../0000:03:00.0", m.sys+pciBus+"/0000:03:00.1/physfn")
		}, facts.GPU{Vendor: "intel", Source: "/sys/bus/pci/devices/0000:03:00.0/vendor", Models: "Intel Arc B580", Others: []facts.OtherGPU{b580}}},
		"the graphics of the processor beside an NVIDIA card": {func(m *fakeMachine) {
			withBoard(m)
			m.pci("0000:01:00.0", "0x030000", "0x10de", "0x2684")
		}, facts.GPU{Vendor: "nvidia", Source: "/sys/bus/pci/devices/0000:01:00.0/vendor", Others: []facts.OtherGPU{board}}},
		"the graphics of the processor alone": {withBoard, facts.GPU{
			Vendor: "intel", Source: "/sys/bus/pci/devices/0000:00:02.0/vendor", Models: board.Name, Others: []facts.OtherGPU{board},
		}},
		"adapters that are no GPU": {func(m *fakeMachine) {
			for i, id := range []string{"0x1a03 0x2000", "0x102b 0x0538", "0x1af4 0x1050", "0x1b36 0x0100", "0x1234 0x1111", "0x15ad 0x0405", "0x1002 0x515e", "0x8086", "0x1002 zero"} {
				vendor, device, _ := strings.Cut(id, " ")
				m.pci("0000:0"+string(rune('0'+i))+":00.0", "0x030000", vendor, device)
			}
			m.pci("0000:00:0b.0", "0x120000", "0x8086", "0x7d1d") // for inference, in the processor
			m.pci("0000:c1:00.0", "0x120000", "0x1da3", "0x1060") // Gaudi
		}, facts.GPU{Vendor: "none"}},
		"a Mac": {func(m *fakeMachine) {
			m.os, m.arch, m.processor, m.memory = "darwin", "arm64", "Apple M4", 16<<30
		}, facts.GPU{Vendor: "apple", Source: "machdep.cpu.brand_string", Models: "Apple M4", Others: []facts.OtherGPU{m4}}},
		"a Mac, under Rosetta": {func(m *fakeMachine) {
			m.os, m.arch, m.processor = "darwin", "arm64", "VirtualApple @ 2.50GHz"
		}, facts.GPU{Vendor: "apple", Source: "machdep.cpu.brand_string", Models: "Apple GPU", Others: []facts.OtherGPU{{Vendor: "apple", Name: "Apple GPU", Integrated: true}}}},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			tt.do(m)
			if got, reason := m.probe(facts.GPUKey); !reflect.DeepEqual(got, facts.Fact(tt.want)) {
				t.Errorf("got %+v (%s), want %+v", got, reason, tt.want)
			}
		})
	}
}

func TestParseKFD(t *testing.T) {
	for properties, want := range map[string][2]string{
		"gfx_target_version 90010\nlocation_id 49408\ndomain 0\n":      {"0000:c1:00.0", "gfx90a"},
		"gfx_target_version 120001\nlocation_id 33027\ndomain 65536\n": {"10000:81:00.3", "gfx1201"},
		processorNode:                       {"0000:00:00.0", ""},
		"":                                  {"0000:00:00.0", ""},
		"gfx_target_version 99999999999999": {"0000:00:00.0", ""},
	} {
		if address, target := parseKFD([]byte(properties)); address != want[0] || target != want[1] {
			t.Errorf("%q: %s %s, want %s", properties, address, target, want)
		}
	}
}

func FuzzParseKFD(f *testing.F) {
	f.Add([]byte(processorNode))
	f.Add([]byte("gfx_target_version 90402\nlocation_id 1280\ndomain 0\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		address, target := parseKFD(b)
		if printable(address) != address || target != "" && !strings.HasPrefix(target, "gfx") {
			t.Errorf("%q: %q %q", b, address, target)
		}
	})
}

func FuzzParsePCI(f *testing.F) {
	f.Add([]byte("0x120000\n"), []byte("0x1002\n"), []byte("0x74a1\n"))
	f.Add([]byte("0x030000\n"), []byte("0x8086\n"), []byte(""))
	f.Fuzz(func(t *testing.T, class, vendor, device []byte) {
		if g, ok := parsePCI(class, vendor, device); ok && (g.vendor == "" || len(g.id) != len("1002:74a1") || printable(g.id) != g.id) {
			t.Errorf("%q %q %q: %+v", class, vendor, device, g)
		}
	})
}
