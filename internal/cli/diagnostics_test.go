package cli

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
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
