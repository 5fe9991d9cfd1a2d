package cli

import (
	"cmp"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// fakeTorch is the part of torch that scripts/gpu_diagnostics.py uses.
const fakeTorch = `
__version__ = "2.1.2+fake"
class version:
    cuda = %CUDA%
    hip = None
class backends:
    class cudnn:
        version = staticmethod(lambda: 8902)
class properties:
    name, major, minor, total_memory = "fake GPU\x1b[2J", %CAPABILITY%, 80 << 30
class cuda:
    is_available = staticmethod(lambda: %COUNT% > 0)
    device_count = staticmethod(lambda: %COUNT%)
    get_arch_list = staticmethod(lambda: ["sm_80", "sm_86", "sm_90"])
    get_device_properties = staticmethod(lambda i: properties)
    @staticmethod
    def init():
        raise RuntimeError("The NVIDIA driver on your system is too old\nand more")
    @staticmethod
    def mem_get_info(i):
        %MEMORY%
`

// TestGPUDiagnostics runs the script with fake versions of torch and without torch.
func TestGPUDiagnostics(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 on this machine")
	}
	script := must(filepath.Abs("../../scripts/gpu_diagnostics.py"))
	torch := func(cuda, capability, count, memory string) string {
		return strings.NewReplacer("%CUDA%", cuda, "%CAPABILITY%", capability, "%COUNT%", count, "%MEMORY%", memory).Replace(fakeTorch)
	}
	const free = "return 70 << 30, 80 << 30"
	for name, tt := range map[string]struct {
		torch string // "" for none
		smi   string // a shell script as nvidia-smi
		env   string
		code  int
		want  []string
	}{
		"no torch": {"", "", "", 1, []string{"torch fail it is not installed", "driver unknown nvidia-smi is not on PATH", "visible ok all", "bitsandbytes skipped"}},
		"works": {torch(`"12.1"`, "9, 0", "2", free), "echo 0, fake, 550.54.15, 81559 MiB, 4 MiB", "CUDA_VISIBLE_DEVICES=0,1", 0, []string{
			"torch ok 2.1.2+fake", "torch.cuda ok 12.1", "available ok True, 2 GPUs", "device.0 ok compute capability 9.0, 80.0 GiB, 70.0 GiB free, bfloat16", "device.1 ok",
			"cudnn ok 8902", "driver ok 550.54.15", "visible ok CUDA_VISIBLE_DEVICES=0,1", "libraries ok",
		}},
		"CPU build":     {torch("None", "9, 0", "0", free), "", "", 1, []string{"torch.cuda fail the CPU only"}},
		"not available": {torch(`"12.1"`, "9, 0", "0", free), "echo 'Failed to initialize NVML: Driver/library version mismatch'; exit 18", "", 1, []string{"available fail False: The NVIDIA driver on your system is too old", "driver fail version mismatch"}},
		"hidden":        {torch(`"12.1"`, "9, 0", "0", free), "", "CUDA_VISIBLE_DEVICES=", 1, []string{"visible warn hides every GPU"}},
		"busy":          {torch(`"12.1"`, "9, 0", "1", `raise RuntimeError("CUDA error: out of memory")`), "", "", 0, []string{"device.0 unknown out of memory"}},
		"full":          {torch(`"12.1"`, "8, 9", "1", "return 1 << 20, 80 << 30"), "", "", 0, []string{"device.0 warn 0.0 GiB free"}},
		"old GPU":       {torch(`"12.1"`, "7, 0", "1", free), "", "", 1, []string{"device.0 fail torch has kernels for sm_80 sm_86 sm_90"}},
		"new GPU":       {torch(`"12.1"`, "12, 0", "1", free), "", "", 1, []string{"device.0 fail torch has kernels for"}},
		"broken torch":  {"raise ImportError('libcudnn.so.8: cannot open shared object file')", "", "", 1, []string{"torch fail it cannot be imported: libcudnn.so.8"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if tt.torch != "" {
				writeFile(t, filepath.Join(dir, "lib", "torch.py"), tt.torch)
			}
			if tt.smi != "" {
				writeProgram(t, filepath.Join(dir, "bin"), "nvidia-smi", "#!/bin/sh\n"+tt.smi+"\n")
			}
			command := func(words ...string) (string, int) {
				c := exec.Command(python, append([]string{"-B", "-s", script}, words...)...)
				c.Env = []string{"PATH=" + filepath.Join(dir, "bin") + ":/usr/bin:/bin", "PYTHONPATH=" + filepath.Join(dir, "lib"), "HOME=" + dir, "PYENV_ROOT=" + pyenvRoot(), tt.env}
				out, err := c.Output()
				if c.ProcessState == nil {
					t.Fatal(err)
				}
				return string(out), c.ProcessState.ExitCode()
			}
			text, code := command()
			if code != tt.code || strings.Contains(text, "\x1b") {
				t.Errorf("exit status %d, want %d\n%s", code, tt.code, text)
			}
			out, _ := command("--json")
			var doc struct {
				Lines []struct{ Code, State, Found, Remedy string }
			}
			if err := json.Unmarshal([]byte(out), &doc); err != nil {
				t.Fatalf("%v in %s", err, out)
			}
			for _, want := range tt.want {
				words := strings.SplitN(want, " ", 3)
				found := false
				for _, l := range doc.Lines {
					if l.Code == words[0] && l.State == words[1] && (len(words) == 2 || strings.Contains(l.Found, words[2])) {
						found = true
					}
					if l.State == "fail" && l.Remedy == "" {
						t.Errorf("%s fails without a remedy", l.Code)
					}
				}
				if !found {
					t.Errorf("no line contains %q in\n%s", want, text)
				}
			}
		})
	}
}

// fakeModules are the parts of other builds of torch that the script uses.
var fakeModules = map[string]string{
	"rocm": `
__version__ = "2.9.1+rocm6.4"
class version:
    cuda, hip = None, "6.4.43482-0f2d60242"
class backends:
    class cudnn:
        version = staticmethod(lambda: 3004000)
class properties:
    name, major, minor, total_memory, gcnArchName = "AMD Instinct MI300X", 9, 4, 192 << 30, "gfx942:sramecc+:xnack-"
class cuda:
    is_available = staticmethod(lambda: COUNT > 0)
    device_count = staticmethod(lambda: COUNT)
    get_arch_list = staticmethod(lambda: ARCHES)
    get_device_properties = staticmethod(lambda i: properties)
    @staticmethod
    def init():
        raise RuntimeError("No HIP GPUs are available")
`,
	"xpu": `
__version__ = "2.9.1+xpu"
class version:
    cuda = hip = None
class backends:
    class cudnn:
        version = staticmethod(lambda: None)
class xpu:
    is_available = staticmethod(lambda: COUNT > 0)
    device_count = staticmethod(lambda: COUNT)
    get_device_name = staticmethod(lambda i: "Intel(R) Arc(TM) B580 Graphics")
`,
	"mac": `
__version__ = "2.9.1"
class version:
    cuda = hip = None
class backends:
    class cudnn:
        version = staticmethod(lambda: None)
    class mps:
        is_built = staticmethod(lambda: True)
        is_available = staticmethod(lambda: COUNT > 0)
`,
}

// TestGPUDiagnosticsOfOtherVendors runs the script with fake builds of torch for other GPUs, and with
// the files of a PCI bus.
func TestGPUDiagnosticsOfOtherVendors(t *testing.T) {
	torch := func(name, count, arches string) string {
		return strings.NewReplacer("COUNT", count, "ARCHES", arches).Replace(fakeModules[name])
	}
	mi300x := [4]string{"0000:05:00.0", "0x120000", "0x1002", "0x74a1"}
	arc := [4]string{"0000:03:00.0", "0x030000", "0x8086", "0xe20b"}
	board := [4]string{"0000:00:02.0", "0x030000", "0x8086", "0xa780"}
	bmc := [4]string{"0000:c2:00.0", "0x030000", "0x1a03", "0x2000"}
	es1000 := [4]string{"0000:01:03.0", "0x030000", "0x1002", "0x515e"}
	cpu := strings.NewReplacer("%CUDA%", "None", "%CAPABILITY%", "9, 0", "%COUNT%", "0", "%MEMORY%", "pass").Replace(fakeTorch)
	cu121 := strings.NewReplacer("%CUDA%", `"12.1"`, "%CAPABILITY%", "9, 0", "%COUNT%", "0", "%MEMORY%", "pass").Replace(fakeTorch)
	for name, c := range map[string]diagnosed{
		"ROCm": {torch: torch("rocm", "2", `["gfx90a", "gfx942"]`), bus: [][4]string{mi300x, bmc}, want: []string{
			"torch.cuda ok built for ROCm 6.4.43482", "available ok True, 2 GPUs", "device.0 ok AMD Instinct MI300X, gfx942, 192.0 GiB; not checked further", "device.1 ok",
			"driver skipped no NVIDIA GPU", "other.0 skipped AMD GPU 1002:74a1 (0000:05:00.0), driver amdgpu: not checked", "cudnn ok 3004000",
		}},
		"ROCm without kernels": {torch: torch("rocm", "1", `["gfx90a"]`), want: []string{"device.0 warn torch has kernels for gfx90a"}},
		"ROCm without a GPU":   {torch: torch("rocm", "0", "[]"), code: 1, want: []string{"available fail False: No HIP GPUs are available"}, remedy: "/dev/kfd"},
		"hidden from ROCm":     {torch: torch("rocm", "1", "[]"), env: "ROCR_VISIBLE_DEVICES=1", want: []string{"visible.ROCR_VISIBLE_DEVICES skipped 1: not checked"}},
		"CUDA build on AMD":    {torch: cu121, bus: [][4]string{mi300x}, code: 1, want: []string{"available fail False"}, remedy: "no NVIDIA GPU, but one of AMD"},
		"CPU build on AMD":     {torch: cpu, bus: [][4]string{mi300x}, code: 1, want: []string{"torch.cuda fail built for the CPU only"}, remedy: "torch for ROCm"},
		"CPU build on Intel":   {torch: cpu, bus: [][4]string{arc}, code: 1, want: []string{"torch.cuda fail built for the CPU only"}, remedy: "torch for XPU"},
		"CPU build on a server": {torch: cpu, bus: [][4]string{board, es1000, bmc}, code: 1, want: []string{
			"torch.cuda fail built for the CPU only", "other.0 skipped Intel GPU 8086:a780", "driver unknown",
		}, remedy: "built for CUDA"},
		"XPU":               {torch: torch("xpu", "1", ""), bus: [][4]string{arc}, want: []string{"torch.xpu ok True: Intel(R) Arc(TM) B580 Graphics; not checked further", "torch.cuda skipped", "cudnn skipped"}},
		"XPU without a GPU": {torch: torch("xpu", "0", ""), code: 1, want: []string{"torch.xpu fail False"}},
		"a Mac":             {torch: torch("mac", "1", ""), mac: true, want: []string{"torch.mps ok available: device mps", "torch.cuda skipped", "driver skipped none for macOS"}},
		"a virtual Mac":     {torch: torch("mac", "0", ""), mac: true, want: []string{"torch.mps warn is_available() is False"}},
	} {
		t.Run(name, func(t *testing.T) { c.run(t) })
	}
}

// TestBitsandbytesLibrary checks which library of bitsandbytes is found for a build of torch, by the
// rule of its version.
func TestBitsandbytesLibrary(t *testing.T) {
	torch := func(cuda string) string {
		return strings.NewReplacer("%CUDA%", strconv.Quote(cuda), "%CAPABILITY%", "9, 0", "%COUNT%", "1", "%MEMORY%", "return 70 << 30, 80 << 30").Replace(fakeTorch)
	}
	rocm := func(hip string) string {
		return strings.NewReplacer("COUNT", "1", "ARCHES", `["gfx942"]`, "6.4.43482-0f2d60242", hip).Replace(fakeModules["rocm"])
	}
	const libraries = "cuda118 cuda121 cuda124 cuda126 cuda128 cuda130 cuda132 rocm64 rocm70 rocm714 cpu xpu2025"
	for name, c := range map[string]diagnosed{
		"exact":                           {torch: torch("12.1"), bnb: "0.43.3", libraries: libraries, want: []string{"bitsandbytes ok 0.43.3, libbitsandbytes_cuda121.so"}},
		"not exact":                       {torch: torch("12.9"), bnb: "0.49.2", libraries: libraries, code: 1, want: []string{"bitsandbytes fail 0.49.2 has no library for CUDA 12.9"}},
		"the nearest older":               {torch: torch("12.9"), bnb: "0.50.2", libraries: libraries, want: []string{"bitsandbytes ok 0.50.2, libbitsandbytes_cuda128.so, the nearest to CUDA 12.9"}},
		"the nearest newer":               {torch: torch("12.0"), bnb: "0.50.2", libraries: libraries, want: []string{"bitsandbytes ok libbitsandbytes_cuda121.so, the nearest"}},
		"another major version":           {torch: torch("14.0"), bnb: "0.50.2", libraries: libraries, code: 1, want: []string{"bitsandbytes fail has no library for CUDA 14.0"}},
		"a variable":                      {torch: torch("12.9"), bnb: "0.49.2", libraries: libraries, env: "BNB_CUDA_VERSION=128", want: []string{"bitsandbytes ok libbitsandbytes_cuda128.so"}},
		"a variable without a library":    {torch: torch("12.1"), bnb: "0.50.2", libraries: libraries, env: "BNB_CUDA_VERSION=129", code: 1, want: []string{"bitsandbytes fail has no libbitsandbytes_cuda129.so"}, remedy: "unset BNB_CUDA_VERSION"},
		"an empty variable":               {torch: torch("12.1"), bnb: "0.49.2", libraries: libraries, env: "BNB_CUDA_VERSION=", want: []string{"bitsandbytes ok libbitsandbytes_cuda121.so"}},
		"an empty variable since 0.50":    {torch: torch("12.1"), bnb: "0.50.0", libraries: libraries, env: "BNB_CUDA_VERSION=", code: 1, want: []string{"bitsandbytes fail"}, remedy: "unset BNB_CUDA_VERSION"},
		"ROCm":                            {torch: rocm("6.4.43482"), bnb: "0.49.2", libraries: libraries, want: []string{"bitsandbytes ok 0.49.2, libbitsandbytes_rocm64.so"}},
		"ROCm with a minor of two digits": {torch: rocm("7.14.1"), bnb: "0.50.2", libraries: libraries, want: []string{"bitsandbytes ok libbitsandbytes_rocm714.so"}},
		"nearest ROCm":                    {torch: rocm("7.9.0"), bnb: "0.50.2", libraries: libraries, want: []string{"bitsandbytes ok libbitsandbytes_rocm70.so, the nearest to ROCm 7.9"}},
		"a Mac":                           {torch: strings.ReplaceAll(fakeModules["mac"], "COUNT", "1"), mac: true, bnb: "0.50.2", libraries: "cpu", want: []string{"bitsandbytes skipped 0.50.2: not checked"}},
	} {
		t.Run(name, func(t *testing.T) { c.run(t) })
	}
}

// diagnosed is a machine, and what the script reports of it.
type diagnosed struct {
	torch     string
	bus       [][4]string // address, class, vendor and device; all with the driver amdgpu
	mac       bool
	bnb       string // version of bitsandbytes; "" for none
	libraries string // of bitsandbytes
	env       string
	code      int
	want      []string // code, state and a part of what is found
	remedy    string   // a part of the remedy of the line that fails
}

func (d diagnosed) run(t *testing.T) {
	t.Parallel()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 on this machine")
	}
	dir := t.TempDir()
	lib, bus := filepath.Join(dir, "lib"), filepath.Join(dir, "bus")
	writeFile(t, filepath.Join(lib, "torch.py"), d.torch)
	if d.mac {
		writeFile(t, filepath.Join(lib, "sitecustomize.py"), "import sys\nsys.platform = 'darwin'\n")
	}
	for _, device := range d.bus {
		for i, file := range []string{"class", "vendor", "device"} {
			writeFile(t, filepath.Join(bus, device[0], file), device[i+1]+"\n")
		}
		check(t, os.Symlink("../../../../bus/pci/drivers/amdgpu", filepath.Join(bus, device[0], "driver")))
	}
	if d.bnb != "" {
		writeFile(t, filepath.Join(lib, "bitsandbytes", "__init__.py"), "raise ImportError\n")
		writeFile(t, filepath.Join(lib, "bitsandbytes-"+d.bnb+".dist-info", "METADATA"), "Metadata-Version: 2.1\nName: bitsandbytes\nVersion: "+d.bnb+"\n")
		for name := range strings.FieldsSeq(d.libraries) {
			writeFile(t, filepath.Join(lib, "bitsandbytes", "libbitsandbytes_"+name+".so"), "")
		}
	}
	source := string(must(os.ReadFile("../../scripts/gpu_diagnostics.py")))
	script := filepath.Join(dir, "gpu_diagnostics.py")
	writeFile(t, script, strings.Replace(source, `PCI = "/sys/bus/pci/devices"`, "PCI = "+strconv.Quote(bus), 1))
	c := exec.Command(python, "-B", "-s", script, "--json")
	c.Env = []string{"PATH=/usr/bin:/bin", "PYTHONPATH=" + lib, "HOME=" + dir, "PYENV_ROOT=" + pyenvRoot(), d.env}
	out, err := c.Output()
	var doc struct {
		Lines []struct{ Code, State, Found, Remedy string }
	}
	if c.ProcessState == nil || json.Unmarshal(out, &doc) != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if code := c.ProcessState.ExitCode(); code != d.code {
		t.Errorf("exit status %d, want %d\n%s", code, d.code, out)
	}
	for _, want := range d.want {
		words := strings.SplitN(want, " ", 3)
		found := false
		for _, l := range doc.Lines {
			if l.Code == words[0] && l.State == words[1] && (len(words) == 2 || strings.Contains(l.Found, words[2])) {
				found = true
			}
			if l.State == "fail" && !strings.Contains(l.Remedy, cmp.Or(d.remedy, " ")) {
				t.Errorf("the remedy of %s is %q, want %q", l.Code, l.Remedy, d.remedy)
			}
		}
		if !found {
			t.Errorf("no line contains %q in\n%s", want, out)
		}
	}
}
