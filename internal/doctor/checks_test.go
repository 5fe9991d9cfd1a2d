package doctor

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/reconcile-ml/reconcile/internal/apply"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/generation"
	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/session"
	"github.com/reconcile-ml/reconcile/pkg/probes"
)

// checkFinding checks that there is one finding, with a state and a text that contains words. A
// failure or a warning needs a remedy.
func checkFinding(t *testing.T, what string, got []report.Finding, state report.CheckState, words string) {
	t.Helper()
	if len(got) != 1 || got[0].State != state || !strings.Contains(got[0].Found, words) {
		t.Errorf("%s: %+v, want %s and %q", what, got, state, words)
		return
	}
	if (state == report.Fail || state == report.Warn) && got[0].Remedy == "" {
		t.Errorf("%s: no remedy for %+v", what, got[0])
	}
}

// TestIndexRequest checks the finding for each HTTP status, and for an index that does not
// respond.
func TestIndexRequest(t *testing.T) {
	for code, want := range map[int]report.CheckState{
		200: report.OK, 405: report.OK, 404: report.Warn, 401: report.Fail, 403: report.Fail, 407: report.Fail, 503: report.Fail,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }))
		checkFinding(t, http.StatusText(code), request(t.Context(), server.Client(), server.URL+"/simple/"), want, "responded ")
		server.Close()
	}
	hanging := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer hanging.Close()
	ctx, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	got := request(ctx, hanging.Client(), strings.Replace(hanging.URL, "://", "://user:secret@", 1))
	checkFinding(t, "no response", got, report.Fail, "no response in 5s")
	if strings.Contains(got[0].Found+got[0].Remedy, "secret") {
		t.Errorf("a password is printed: %+v", got)
	}
}

// TestTorchAgainstDriver checks the comparison of the CUDA versions of torch and the driver.
func TestTorchAgainstDriver(t *testing.T) {
	with := func(cuda string) facts.Nvidia {
		return facts.Nvidia{State: facts.DriverOK, CUDA: cuda, Devices: []facts.Device{{}}}
	}
	for name, tt := range map[string]struct {
		torch  string
		driver facts.Nvidia
		state  report.CheckState
		words  string
	}{
		"older":         {"'11.8'", with("12.4"), report.OK, "11.8 (torch 2.1.2)"},
		"same":          {"'12.1'", with("12.1"), report.OK, "12.1 (torch 2.1.2)"},
		"newer minor":   {"'12.4'", with("12.1"), report.Warn, "minor-version compatibility"},
		"newer major":   {"'12.1'", with("11.8"), report.Fail, "the driver supports 11.8"},
		"CPU on a GPU":  {"None", with("12.1"), report.Fail, "for the CPU only"},
		"CPU without":   {"None", facts.Nvidia{State: facts.NoDriver}, report.OK, "for the CPU only"},
		"broken driver": {"'12.1'", facts.Nvidia{State: facts.DriverBroken}, report.OK, "12.1"},
	} {
		library := t.TempDir()
		if err := os.Mkdir(filepath.Join(library, "torch"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(library, "torch", "version.py"), []byte("__version__ = '2.1.2'\ncuda = "+tt.torch+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		d := &diagnosis{facts: facts.Of(tt.driver), prober: &probes.Prober{}, generation: "/g", library: library, env: &manifest.Environment{Name: "remote"}}
		checkFinding(t, name, d.torchCUDA(), tt.state, tt.words)
		if s, want := d.smokeTestStep(), len(tt.driver.Devices) > 0; s.CUDA != want {
			t.Errorf("%s: the smoke test of CUDA is %t, want %t", name, s.CUDA, want)
		}
	}
}

// TestTorchOfOtherVendors checks that a torch for the GPU of another vendor is no failure.
func TestTorchOfOtherVendors(t *testing.T) {
	for name, tt := range map[string]struct {
		version, hip, vendor string
		state                report.CheckState
		words                string
	}{
		"ROCm on AMD":    {"2.9.1+rocm6.4", "'6.4.43482'", "amd", report.Skipped, "built for ROCm 6.4.43482, and not checked"},
		"ROCm on NVIDIA": {"2.9.1+rocm6.4", "'6.4.43482'", "nvidia", report.Warn, "built for ROCm 6.4.43482"},
		"XPU":            {"2.9.1+xpu", "None", "intel", report.Skipped, "Intel GPUs (XPU), and not checked"},
		"a Mac":          {"2.9.1", "None", "apple", report.OK, "torch 2.9.1 for macOS has no CUDA"},
	} {
		library := t.TempDir()
		if err := os.Mkdir(filepath.Join(library, "torch"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(library, "torch", "version.py"), []byte("__version__ = '"+tt.version+"'\ncuda = None\nhip = "+tt.hip+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		env := &manifest.Environment{Name: "e", SmokeTest: generation.SmokeTest{TestMPS: true}}
		d := &diagnosis{facts: facts.Of(facts.Nvidia{State: facts.NoDriver}, facts.GPU{Vendor: tt.vendor}), prober: &probes.Prober{}, generation: "/g", library: library, env: env}
		checkFinding(t, name, d.torchCUDA(), tt.state, tt.words)
	}
}

// TestMissingDriver checks that the state depends on whether the environment requires a GPU.
func TestMissingDriver(t *testing.T) {
	for name, tt := range map[string]struct {
		env   *manifest.Environment
		state report.CheckState
	}{
		"no manifest": {nil, report.OK},
		"no GPU used": {&manifest.Environment{}, report.OK},
		"smoke test":  {&manifest.Environment{SmokeTest: generation.SmokeTest{TestCUDA: true}}, report.Warn},
		"warning":     {&manifest.Environment{CUDA: &manifest.CUDA{Severity: diag.Warn}}, report.Warn},
		"requirement": {&manifest.Environment{GPU: &manifest.GPU{}}, report.Fail},
	} {
		d := &diagnosis{facts: facts.Of(facts.Nvidia{State: facts.NoDriver}, facts.GPU{Vendor: "none"}), env: tt.env}
		checkFinding(t, name, d.driver(), tt.state, "no")
	}
	// A GPU without a driver and a driver that was not probed are different results.
	d := &diagnosis{facts: facts.Of(facts.Nvidia{State: facts.NoDriver}, facts.GPU{Vendor: "nvidia", Source: "/sys/bus/pci"})}
	checkFinding(t, "GPU without a driver", d.driver(), report.Fail, "no driver was found")
	d.facts = facts.Of(facts.GPU{Vendor: "nvidia", Source: "/sys/bus/pci"})
	d.facts.Fail(facts.NvidiaKey, "no answer in 10s")
	checkFinding(t, "not probed", d.driver(), report.Unknown, "was not probed: no answer in 10s")
}

// TestOtherGPUs checks that GPUs of other vendors are named and not checked, and that no driver of
// NVIDIA is proposed for them.
func TestOtherGPUs(t *testing.T) {
	gpu := facts.GPU{Vendor: "amd", Models: "2 x AMD Instinct MI300X", ROCm: "6.4.1", Others: []facts.OtherGPU{
		{Vendor: "amd", Name: "AMD Instinct MI300X", Bus: "0000:05:00.0", Driver: "amdgpu 6.10.5", Target: "gfx942", Memory: 206141652992},
		{Vendor: "amd", Name: "AMD Instinct MI300X", Bus: "0000:26:00.0"},
		{Vendor: "intel", Name: "Intel Arc B580", Bus: "0000:03:00.0", Driver: "xe"},
		{Vendor: "apple", Name: "Apple M4", Memory: 16e9, Integrated: true},
	}}
	d := &diagnosis{facts: facts.Of(facts.Nvidia{State: facts.NoDriver}, gpu), env: &manifest.Environment{Name: "remote", GPU: &manifest.GPU{}}}
	list := d.otherGPUs()
	for i, want := range []string{
		"AMD Instinct MI300X, driver amdgpu 6.10.5, gfx942, 206.1 GB, ROCm 6.4.1 (0000:05:00.0); not checked",
		"AMD Instinct MI300X, no driver, ROCm 6.4.1 (0000:26:00.0); not checked",
		"Intel Arc B580, driver xe (0000:03:00.0); not checked",
		"Apple M4, 16 GB shared with the processor; not checked",
	} {
		checkFinding(t, want, list[i:i+1], report.Skipped, want)
	}
	driver := d.driver()
	checkFinding(t, "driver", driver, report.Fail, "this machine has 2 x AMD Instinct MI300X and no NVIDIA GPU; environment remote needs one")
	if strings.Contains(driver[0].Remedy, "driver") {
		t.Error(driver[0].Remedy)
	}
}

// TestDriverCUDA checks that a CUDA version that the driver does not report is unknown, and that a
// missing libcuda fails.
func TestDriverCUDA(t *testing.T) {
	for name, tt := range map[string]struct {
		n     facts.Nvidia
		state report.CheckState
		words string
	}{
		"not reported": {facts.Nvidia{CUDAReason: "nvidia-smi did not report it"}, report.Unknown, "nvidia-smi did not report it"},
		"no reason":    {facts.Nvidia{}, report.Unknown, "no reason given"},
		"no libcuda":   {facts.Nvidia{CUDAReason: "libcuda.so.1 was not found", NoLibcuda: true}, report.Fail, "libcuda.so.1 is missing"},
		"reported":     {facts.Nvidia{CUDA: "12.4"}, report.OK, "12.4"},
	} {
		tt.n.State = facts.DriverOK
		checkFinding(t, name, (&diagnosis{facts: facts.Of(tt.n)}).driverCUDA(), tt.state, tt.words)
	}
}

// TestNewestTorch checks which torch is named for a machine.
func TestNewestTorch(t *testing.T) {
	host := facts.Host{Platform: "linux-x86_64", Libc: facts.Libc{Name: "glibc", Version: "2.35"}}
	for name, tt := range map[string]struct {
		cuda, compute string
		state         report.CheckState
		words         string
	}{
		"H100, driver 580": {"13.0", "9.0", report.OK, "2.14.1 for CUDA 13.0; 2.15.0 for CUDA 13.2 runs with limits"},
		"H100, driver 595": {"13.2", "9.0", report.OK, "2.15.0 for CUDA 13.2"},
		"H100, driver 525": {"12.0", "9.0", report.OK, "2.10.0 for CUDA 12.8, with limits"},
		"P40":              {"12.8", "6.1", report.OK, "2.7.1 for CUDA 12.6"},
		"K80":              {"11.4", "3.7", report.Warn, "no known torch"},
	} {
		n := facts.Nvidia{State: facts.DriverOK, CUDA: tt.cuda, Devices: []facts.Device{{Name: "GPU", UUID: "GPU-1", Compute: tt.compute}}}
		d := &diagnosis{facts: facts.Of(n, host), env: &manifest.Environment{Python: "3.12"}}
		checkFinding(t, name, d.newestTorch(), tt.state, tt.words)
	}
	if f := (&diagnosis{facts: facts.Of(facts.Nvidia{State: facts.NoDriver}, host)}).newestTorch(); f != nil {
		t.Errorf("without a driver: %v", f)
	}
}

// TestVisibleDevices checks the findings about CUDA_VISIBLE_DEVICES.
func TestVisibleDevices(t *testing.T) {
	devices := []facts.Device{
		{Index: 0, UUID: "GPU-aa11"},
		{Index: 1, UUID: "GPU-bb22", MIG: "enabled", Slices: []facts.Slice{{Name: "3g.40gb", UUID: "MIG-cc33"}}},
	}
	for set, want := range map[string]struct {
		state report.CheckState
		words string
	}{
		"1":                    {report.OK, "GPU 1 MIG 3g.40gb of 2"},
		"GPU-aa":               {report.OK, "GPU 0 of 2"},
		"0,0":                  {report.Warn, "repeats a GPU, and CUDA then shows none"},
		"0,7":                  {report.Warn, "GPU 0 of 2: CUDA_VISIBLE_DEVICES=\"0,7\""},
		"MIG-cc33":             {report.OK, "GPU 1 MIG 3g.40gb of 2"},
		" 0 , GPU-bb":          {report.OK, "GPU 1 MIG 3g.40gb of 2"},
		"0,-1,9":               {report.OK, "GPU 0 of 2"},
		"":                     {report.Warn, "hides every GPU"},
		"-1":                   {report.Warn, "hides every GPU"},
		"2":                    {report.Warn, "no GPU \"2\""},
		"0,GPU-zz":             {report.Warn, "no GPU \"GPU-zz\""},
		"99999999999999999999": {report.Warn, "no GPU"},
	} {
		d := &diagnosis{facts: facts.Of(facts.Nvidia{State: facts.DriverOK, Devices: devices, Visible: &set, VisibleOrder: "PCI_BUS_ID"})}
		checkFinding(t, set, d.visible(), want.state, want.words)
	}
	// The check fails only if apply fails too.
	for _, set := range []string{"0", "0,7", "", "0,GPU-bb"} {
		n := facts.Nvidia{State: facts.DriverOK, Devices: devices, Visible: &set}
		d := &diagnosis{facts: facts.Of(n), env: &manifest.Environment{GPU: &manifest.GPU{Count: 2}}}
		checkFinding(t, "two of "+set, d.visible(), report.Fail, "CUDA_VISIBLE_DEVICES")
		d.env.GPU.Severity = diag.Warn
		checkFinding(t, "two of "+set+", a warning", d.visible(), report.Warn, "CUDA_VISIBLE_DEVICES")
	}
}

// TestUnusableDevices checks that an unusable GPU is a failure only if apply would fail without
// it.
func TestUnusableDevices(t *testing.T) {
	usable, lost := facts.Device{Index: 0, Name: "H100"}, facts.Device{Index: 1, Name: "H100", Problem: "Insufficient Permissions", Code: facts.NVMLNoPermission}
	for name, tt := range map[string]struct {
		count int64
		state report.CheckState
	}{"enough": {1, report.Warn}, "too few": {2, report.Fail}} {
		n := facts.Nvidia{State: facts.DriverOK, Devices: []facts.Device{usable, lost}}
		d := &diagnosis{facts: facts.Of(n), env: &manifest.Environment{GPU: &manifest.GPU{Count: tt.count}}}
		list := d.devices()
		checkFinding(t, name, list[:1], report.OK, "H100")
		checkFinding(t, name, list[1:], tt.state, "Insufficient Permissions")
		if strings.Contains(list[1].Remedy, "reboot") {
			t.Errorf("%s: %s", name, list[1].Remedy)
		}
	}
}

// TestLibraryPath checks the warning about CUDA libraries in LD_LIBRARY_PATH.
func TestLibraryPath(t *testing.T) {
	dir := t.TempDir()
	d := &diagnosis{config: &session.Config{Environ: []string{"LD_LIBRARY_PATH=/nowhere:" + dir}}, prober: &probes.Prober{}}
	checkFinding(t, "empty", d.libraryPath(), report.OK, "no CUDA library")
	if err := os.WriteFile(filepath.Join(dir, "libcudnn.so.9"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	checkFinding(t, "library", d.libraryPath(), report.Warn, filepath.Join(dir, "libcudnn.so.9"))
}

// TestSmokeTestFindings checks the state of each outcome of a smoke test.
func TestSmokeTestFindings(t *testing.T) {
	for outcome, want := range map[apply.SmokeTestOutcome]report.CheckState{
		apply.SmokeTestPassed: report.OK, apply.SmokeTestSkipped: report.Skipped, apply.SmokeTestUnknown: report.Unknown, apply.SmokeTestFailed: report.Fail,
	} {
		f := smokeTestFinding(apply.SmokeTestPart{Name: "cuda", Outcome: outcome, Detail: "detail"})
		checkFinding(t, string(outcome), []report.Finding{f}, want, "detail")
		if f.Code != "proof.cuda" {
			t.Errorf("code %q", f.Code)
		}
	}
	f := smokeTestFinding(apply.SmokeTestPart{Name: "cuda", Outcome: apply.SmokeTestPassed, Detail: "fine", Note: "with limits"})
	checkFinding(t, "note", []report.Finding{f}, report.Warn, "fine\nwith limits")
}

// TestDisk checks the limits of free space, with and without a manifest.
func TestDisk(t *testing.T) {
	const gb = 1_000_000_000
	storage := &manifest.Manifest{Storage: &manifest.Storage{Path: ".", WarnBelow: 30 * gb, FailBelow: 20 * gb}}
	for name, tt := range map[string]struct {
		free  int64
		m     *manifest.Manifest
		state report.CheckState
		words string
	}{
		"little without a manifest": {10 * gb, nil, report.Warn, "torch and one model need about 28 GB"},
		"enough without a manifest": {30 * gb, nil, report.OK, "30 GB free"},
		"no storage":                {10 * gb, &manifest.Manifest{}, report.OK, "10 GB free"},
		"below warn_below":          {25 * gb, storage, report.Warn, "warns below 30 GB"},
		"below fail_below":          {10 * gb, storage, report.Fail, "requires 20 GB"},
	} {
		d := &diagnosis{root: "/p", manifest: tt.m, facts: facts.Of(facts.Disk{Path: ".", Total: 500 * gb, Free: tt.free, FreeInodes: -1, Writable: true})}
		checkFinding(t, name, d.disk("."), tt.state, tt.words)
	}
}
