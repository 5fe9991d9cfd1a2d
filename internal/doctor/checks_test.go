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

// expect holds one finding to a state and words of it.
func expect(t *testing.T, what string, got []report.Finding, state report.CheckState, words string) {
	t.Helper()
	if len(got) != 1 || got[0].State != state || !strings.Contains(got[0].Found, words) {
		t.Errorf("%s: %+v, want %s and %q", what, got, state, words)
		return
	}
	if (state == report.Fail || state == report.Warn) && got[0].Remedy == "" {
		t.Errorf("%s: no remedy for %+v", what, got[0])
	}
}

func TestIndexAnswers(t *testing.T) {
	for code, want := range map[int]report.CheckState{
		200: report.OK, 405: report.OK, 404: report.Warn, 401: report.Fail, 403: report.Fail, 407: report.Fail, 503: report.Fail,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }))
		expect(t, http.StatusText(code), answers(t.Context(), server.Client(), server.URL+"/simple/"), want, "answers ")
		server.Close()
	}
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer silent.Close()
	ctx, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	got := answers(ctx, silent.Client(), strings.Replace(silent.URL, "://", "://user:secret@", 1))
	expect(t, "silence", got, report.Fail, "no answer in 5s")
	if strings.Contains(got[0].Found+got[0].Remedy, "secret") {
		t.Errorf("a password is shown: %+v", got)
	}
}

// TestTorchAgainstDriver reads a torch from files and compares it with a driver.
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
		"newer major":   {"'12.1'", with("11.8"), report.Fail, "the driver offers 11.8"},
		"CPU on a GPU":  {"None", with("12.1"), report.Fail, "for the CPU alone"},
		"CPU without":   {"None", facts.Nvidia{State: facts.NoDriver}, report.OK, "for the CPU alone"},
		"broken driver": {"'12.1'", facts.Nvidia{State: facts.DriverBroken}, report.OK, "12.1"},
	} {
		library := t.TempDir()
		if err := os.Mkdir(filepath.Join(library, "torch"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(library, "torch", "version.py"), []byte("__version__ = '2.1.2'\ncuda = "+tt.torch+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		p := &patient{facts: facts.Of(tt.driver), prober: &probes.Prober{}, generation: "/g", library: library, env: &manifest.Environment{Name: "remote"}}
		expect(t, name, p.torchCUDA(), tt.state, tt.words)
		if s := p.proofStep(); s.CUDA != (len(tt.driver.Devices) > 0) {
			t.Errorf("%s: with torch and a GPU CUDA is proved: %+v", name, s)
		}
	}
}

// Without a GPU it matters whether the environment refuses to do without, or only
// proves what it can.
func TestNoDriver(t *testing.T) {
	for name, tt := range map[string]struct {
		env   *manifest.Environment
		state report.CheckState
	}{
		"no manifest": {nil, report.OK},
		"asks none":   {&manifest.Environment{}, report.OK},
		"proves":      {&manifest.Environment{SmokeTest: generation.SmokeTest{TestCUDA: true}}, report.Warn},
		"warns":       {&manifest.Environment{CUDA: &manifest.CUDA{Severity: diag.Warn}}, report.Warn},
		"needs":       {&manifest.Environment{GPU: &manifest.GPU{}}, report.Fail},
	} {
		p := &patient{facts: facts.Of(facts.Nvidia{State: facts.NoDriver}, facts.GPU{Vendor: "none"}), env: tt.env}
		expect(t, name, p.driver(), tt.state, "no")
	}
	// A card without a driver is another answer, and so is a driver nobody asked.
	p := &patient{facts: facts.Of(facts.Nvidia{State: facts.NoDriver}, facts.GPU{Vendor: "nvidia", Source: "/sys/bus/pci"})}
	expect(t, "card alone", p.driver(), report.Fail, "and no driver")
	p.facts = facts.Of(facts.GPU{Vendor: "nvidia", Source: "/sys/bus/pci"})
	p.facts.Fail(facts.NvidiaKey, "no answer in 10s")
	expect(t, "not asked", p.driver(), report.Unknown, "was not asked: no answer in 10s")
}

// A CUDA that is not told is not known; only one that is told to be lacking fails.
func TestCUDAOfTheDriver(t *testing.T) {
	for name, tt := range map[string]struct {
		n     facts.Nvidia
		state report.CheckState
		words string
	}{
		"not said":   {facts.Nvidia{CUDAReason: "nvidia-smi did not report it"}, report.Unknown, "nvidia-smi did not report it"},
		"no reason":  {facts.Nvidia{}, report.Unknown, "no reason given"},
		"no libcuda": {facts.Nvidia{CUDAReason: "libcuda.so.1 was not found", NoLibcuda: true}, report.Fail, "libcuda.so.1 is missing"},
		"said":       {facts.Nvidia{CUDA: "12.4"}, report.OK, "12.4"},
	} {
		tt.n.State = facts.DriverOK
		expect(t, name, (&patient{facts: facts.Of(tt.n)}).driverCUDA(), tt.state, tt.words)
	}
}

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
		p := &patient{facts: facts.Of(facts.Nvidia{State: facts.DriverOK, Devices: devices, Visible: &set, VisibleOrder: "PCI_BUS_ID"})}
		expect(t, set, p.visible(), want.state, want.words)
	}
	// It fails where apply would refuse, and no sooner.
	for set, state := range map[string]report.CheckState{"0": report.Fail, "0,7": report.Fail, "": report.Fail, "0,GPU-bb": report.Fail} {
		n := facts.Nvidia{State: facts.DriverOK, Devices: devices, Visible: &set}
		p := &patient{facts: facts.Of(n), env: &manifest.Environment{GPU: &manifest.GPU{Count: 2}}}
		expect(t, "two of "+set, p.visible(), state, "CUDA_VISIBLE_DEVICES")
		p.env.GPU.Severity = diag.Warn
		expect(t, "two of "+set+", a warning", p.visible(), report.Warn, "CUDA_VISIBLE_DEVICES")
	}
}

// A GPU that cannot be used fails where apply would refuse for want of it.
func TestAilingDevices(t *testing.T) {
	well, lost := facts.Device{Index: 0, Name: "H100"}, facts.Device{Index: 1, Name: "H100", Problem: "Insufficient Permissions", Code: facts.NVMLNoPermission}
	for name, tt := range map[string]struct {
		count int64
		state report.CheckState
	}{"enough": {1, report.Warn}, "too few": {2, report.Fail}} {
		n := facts.Nvidia{State: facts.DriverOK, Devices: []facts.Device{well, lost}}
		p := &patient{facts: facts.Of(n), env: &manifest.Environment{GPU: &manifest.GPU{Count: tt.count}}}
		list := p.devices()
		expect(t, name, list[:1], report.OK, "H100")
		expect(t, name, list[1:], tt.state, "Insufficient Permissions")
		if strings.Contains(list[1].Remedy, "reboot") {
			t.Errorf("%s: %s", name, list[1].Remedy)
		}
	}
}

func TestShadows(t *testing.T) {
	dir := t.TempDir()
	p := &patient{config: &session.Config{Environ: []string{"LD_LIBRARY_PATH=/nowhere:" + dir}}, prober: &probes.Prober{}}
	expect(t, "empty", p.shadows(), report.OK, "no library of CUDA")
	if err := os.WriteFile(filepath.Join(dir, "libcudnn.so.9"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	expect(t, "shadow", p.shadows(), report.Warn, filepath.Join(dir, "libcudnn.so.9"))
}

func TestProofFindings(t *testing.T) {
	for outcome, want := range map[apply.SmokeTestOutcome]report.CheckState{
		apply.SmokeTestPassed: report.OK, apply.SmokeTestSkipped: report.Skipped, apply.SmokeTestUnknown: report.Unknown, apply.SmokeTestFailed: report.Fail,
	} {
		f := proofFinding(apply.SmokeTestPart{Name: "cuda", Outcome: outcome, Detail: "so it is"})
		expect(t, string(outcome), []report.Finding{f}, want, "so it is")
		if f.Code != "proof.cuda" {
			t.Errorf("code %q", f.Code)
		}
	}
	f := proofFinding(apply.SmokeTestPart{Name: "cuda", Outcome: apply.SmokeTestPassed, Detail: "fine", Note: "with limits"})
	expect(t, "remark", []report.Finding{f}, report.Warn, "fine\nwith limits")
}
