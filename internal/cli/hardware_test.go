package cli

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/golden"
)

// A machine is a GPU, or slices of one, with its driver. The values have the form that NVML
// returns; sizes are in MiB.
type machine struct {
	name, platform string
	driver, cuda   string
	gpu, compute   string
	memory         int64
	slices         []facts.Slice
	other          facts.GPU // a GPU of another vendor
}

func sliceOf(name string, mib int64) []facts.Slice {
	return []facts.Slice{{Name: name, UUID: "MIG-1", Memory: mib << 20}}
}

// gpus are the machines on which people train, each with a driver of its time.
func gpus() []machine {
	return []machine{
		{name: "RTX 3090", driver: "550.54.15", cuda: "12.4", gpu: "NVIDIA GeForce RTX 3090", compute: "8.6", memory: 24576},
		{name: "RTX 4090", driver: "565.57.01", cuda: "12.7", gpu: "NVIDIA GeForce RTX 4090", compute: "8.9", memory: 24564},
		{name: "RTX 5090", driver: "580.95.05", cuda: "13.0", gpu: "NVIDIA GeForce RTX 5090", compute: "12.0", memory: 32607},
		{name: "A100", driver: "535.183.01", cuda: "12.2", gpu: "NVIDIA A100-SXM4-80GB", compute: "8.0", memory: 81920},
		{name: "H100", driver: "570.86.15", cuda: "12.8", gpu: "NVIDIA H100 80GB HBM3", compute: "9.0", memory: 81559},
		{name: "H200", driver: "580.95.05", cuda: "13.0", gpu: "NVIDIA H200", compute: "9.0", memory: 143771},
		{name: "B200", driver: "580.95.05", cuda: "13.0", gpu: "NVIDIA B200", compute: "10.0", memory: 183359},
		{name: "GB200", platform: "linux-aarch64", driver: "580.95.05", cuda: "13.0", gpu: "NVIDIA GB200", compute: "10.0", memory: 189471},
		{name: "GH200", platform: "linux-aarch64", driver: "580.95.05", cuda: "13.0", gpu: "NVIDIA GH200 480GB", compute: "9.0", memory: 97871},
		{name: "L40S", driver: "550.54.15", cuda: "12.4", gpu: "NVIDIA L40S", compute: "8.9", memory: 46068},
		{name: "T4", driver: "535.183.01", cuda: "12.2", gpu: "Tesla T4", compute: "7.5", memory: 15360},
		{name: "V100", driver: "580.95.05", cuda: "13.0", gpu: "Tesla V100-SXM2-32GB", compute: "7.0", memory: 32768},
		{name: "P40", driver: "570.86.15", cuda: "12.8", gpu: "Tesla P40", compute: "6.1", memory: 24576},
		{name: "K80", driver: "470.256.02", cuda: "11.4", gpu: "Tesla K80", compute: "3.7", memory: 11441},
		{name: "H100 MIG 3g.40gb", driver: "570.86.15", cuda: "12.8", gpu: "NVIDIA H100 80GB HBM3", compute: "9.0", memory: 81559, slices: sliceOf("3g.40gb", 40448)},
		{name: "A100 MIG 1g.10gb", driver: "570.86.15", cuda: "12.8", gpu: "NVIDIA A100-SXM4-80GB", compute: "8.0", memory: 81920, slices: sliceOf("1g.10gb", 9728)},
		{name: "MI300X", other: facts.GPU{Vendor: "amd", Models: "AMD Instinct MI300X", ROCm: "6.4.1", Others: []facts.OtherGPU{{Vendor: "amd", Name: "AMD Instinct MI300X", Bus: "0000:c1:00.0", Driver: "amdgpu 6.10.5", Target: "gfx942", Memory: 206_141_652_992}}}},
		{name: "Apple M4", platform: "macos-arm64", other: facts.GPU{Vendor: "apple", Models: "Apple M4", Others: []facts.OtherGPU{{Vendor: "apple", Name: "Apple M4", Integrated: true}}}},
	}
}

// drivers are the branches since 470, on a GPU that all of them support.
func drivers() (list []machine) {
	for _, d := range [][2]string{
		{"470.256.02", "11.4"}, {"510.108.03", "11.6"}, {"515.105.01", "11.7"}, {"520.61.05", "11.8"}, {"525.147.05", "12.0"}, {"530.41.03", "12.1"}, {"535.183.01", "12.2"},
		{"545.29.06", "12.3"}, {"550.54.15", "12.4"}, {"555.58.02", "12.5"}, {"560.35.03", "12.6"}, {"570.86.15", "12.8"}, {"575.57.08", "12.9"}, {"580.95.05", "13.0"},
		{"590.44.01", "13.1"}, {"595.45.04", "13.2"}, {"610.43.02", "13.3"},
	} {
		list = append(list, machine{name: d[0] + " (CUDA " + d[1] + ")", driver: d[0], cuda: d[1], gpu: "NVIDIA GeForce RTX 3090", compute: "8.6", memory: 24576})
	}
	return list
}

// record writes the facts of a machine, and returns the name of the file.
func (m machine) record(t *testing.T) string {
	t.Helper()
	base := "linux-h100.json"
	if m.platform == "macos-arm64" {
		base = "mac-m4-full.json"
	}
	content, err := os.ReadFile(filepath.Join("..", "..", "testdata", "facts", base))
	check(t, err)
	var doc struct {
		Version int                                   `json:"version"`
		Facts   map[string]map[string]json.RawMessage `json:"facts"`
	}
	check(t, json.Unmarshal(content, &doc))
	set := func(kind string, value any) {
		raw, err := json.Marshal(value)
		check(t, err)
		doc.Facts[kind] = map[string]json.RawMessage{"": raw}
	}
	if m.platform == "linux-aarch64" {
		set("host", facts.Host{OS: "linux", Arch: "aarch64", Platform: m.platform, Hostname: "gpu1", OSVersion: "Ubuntu 24.04", Libc: facts.Libc{Name: "glibc", Version: "2.39"}})
	}
	if m.other.Vendor != "" {
		set("gpu", m.other)
		set("nvidia", facts.Nvidia{State: facts.NoDriver})
	} else {
		set("gpu", facts.GPU{Vendor: "nvidia", Driver: m.driver, Source: "/proc/driver/nvidia/version"})
		device := facts.Device{Name: m.gpu, UUID: "GPU-1", Bus: "00000000:01:00.0", Memory: m.memory << 20, Compute: m.compute, MIG: "disabled", Slices: m.slices}
		if m.slices != nil {
			device.MIG = "enabled"
		}
		set("nvidia", facts.Nvidia{State: facts.DriverOK, Source: "nvml", Driver: m.driver, Kernel: m.driver, CUDA: m.cuda, Devices: []facts.Device{device}})
	}
	name := filepath.Join(t.TempDir(), "facts.json")
	content, err = json.Marshal(doc)
	check(t, err)
	check(t, os.WriteFile(name, content, 0o600))
	return name
}

// verdict plans an environment for recorded facts. It returns the exit code, and the checks of
// the driver, the GPUs and the packages that are not ok, with their hints.
func verdict(t *testing.T, root, factsFile, env string) string {
	t.Helper()
	var out, messages bytes.Buffer
	code := Main([]string{"-C", root, "plan", "--facts", factsFile, "--env", env, "--json"}, Streams{nil, &out, &messages}, nil)
	var plan struct {
		Items []struct {
			Addr   string
			Change struct {
				Action  string
				Problem *struct{ Code, Summary, Hint string }
			}
		}
	}
	text := fmt.Sprintf("exit %d", code)
	if err := json.Unmarshal(out.Bytes(), &plan); err != nil {
		first, _, _ := strings.Cut(messages.String(), "\n")
		return text + "\n    " + first + "\n"
	}
	var lines []string
	for _, item := range plan.Items {
		kind, _, _ := strings.Cut(item.Addr, ".")
		if p := item.Change.Problem; p != nil && slices.Contains([]string{"cuda", "gpu", "compat", "venv", "conda"}, kind) {
			lines = append(lines, fmt.Sprintf("    %s %s: %s\n      hint: %s", cmp.Or(item.Change.Action, "warning"), p.Code, p.Summary, p.Hint))
		}
	}
	if len(lines) == 0 {
		return text + ": ok\n"
	}
	return text + "\n" + strings.Join(lines, "\n") + "\n"
}

// TestHardware compares the environments of this project with GPUs and with drivers. -update
// rewrites the tables.
func TestHardware(t *testing.T) {
	root, err := filepath.Abs("../..")
	check(t, err)
	for name, machines := range map[string][]machine{"gpus": gpus(), "drivers": drivers()} {
		t.Run(name, func(t *testing.T) {
			var table strings.Builder
			for _, m := range machines {
				file := m.record(t)
				fmt.Fprintf(&table, "%s\n", m.name)
				for _, env := range []string{"remote-legacy", "remote", "remote-current"} {
					fmt.Fprintf(&table, "  %s: %s", env, verdict(t, root, file, env))
				}
			}
			golden.Check(t, filepath.Join("testdata", "hardware", name+".txt"), []byte(table.String()))
		})
	}
}
