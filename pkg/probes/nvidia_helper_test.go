package probes

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"github.com/reconcile-ml/reconcile/internal/facts"
)

// TestMain makes the test binary a helper, as main does.
func TestMain(m *testing.M) {
	if code, ok := RunHelper(os.Args[1:]); ok {
		os.Exit(code)
	}
	code := m.Run()
	os.RemoveAll(fakes.dir)
	os.Exit(code)
}

// fakes are the fake NVML libraries, each compiled once.
var fakes struct {
	sync.Mutex
	dir string
}

// nvml installs a fake NVML library, compiled from a variant of testdata/nvml/fake.c.
func (m *fakeMachine) nvml(variant string) {
	m.t.Helper()
	if !HasNVML {
		m.t.Skip("this build has no cgo and cannot call NVML")
	}
	cc, err := exec.LookPath("cc")
	if err != nil {
		m.t.Skip("no C compiler for the fake NVML")
	}
	fakes.Lock()
	defer fakes.Unlock()
	if fakes.dir == "" {
		if fakes.dir, err = os.MkdirTemp("", "nvml"); err != nil {
			m.t.Fatal(err)
		}
	}
	lib := filepath.Join(fakes.dir, variant+".so")
	if !exists(lib) {
		out, err := exec.Command(cc, "-shared", "-fPIC", "-w", "-D"+variant, "-o", lib, "testdata/nvml/fake.c").CombinedOutput()
		if err != nil {
			m.t.Fatalf("%v: %s", err, out)
		}
	}
	b, err := os.ReadFile(lib)
	if err != nil {
		m.t.Fatal(err)
	}
	m.put(m.sys+"/usr/local/nvidia/lib64/libnvidia-ml.so.535.183.01", string(b))
	m.link("libnvidia-ml.so.535.183.01", m.sys+"/usr/local/nvidia/lib64/"+libraryName)
}

// proberWithHelper returns a prober with this test binary as its helper and a mode for the
// fake library.
func (m *fakeMachine) proberWithHelper(mode string) *Prober {
	m.t.Helper()
	p := m.prober()
	p.Helper, p.driverExtra = os.Args[0], []string{"FAKE_NVML=" + mode}
	return p
}

func TestNVML(t *testing.T) {
	h100 := func(i int) facts.Device {
		return facts.Device{
			Index: i, Name: "NVIDIA H100 80GB HBM3", UUID: fmt.Sprint("GPU-", i+1), Bus: fmt.Sprintf("00000000:%02X:00.0", 0x19+i),
			Memory: 81559 << 20, Used: 4 << 20, Compute: "9.0", Processes: 3, MIG: "disabled",
		}
	}
	with := func(d facts.Device, change func(*facts.Device)) facts.Device {
		change(&d)
		return d
	}
	good := func(devices ...facts.Device) facts.Nvidia {
		return facts.Nvidia{State: facts.DriverOK, Source: "nvml", Driver: "535.183.01", Kernel: "535.183.01", CUDA: "12.2", Devices: devices}
	}
	refused := func(code int, reason string) facts.Nvidia {
		return facts.Nvidia{State: facts.DriverBroken, Source: "nvml", Driver: "535.183.01", Kernel: "535.183.01", Code: code, Reason: reason}
	}
	eight := good()
	for i := range 8 {
		eight.Devices = append(eight.Devices, with(h100(i), func(d *facts.Device) { d.MIG = "" }))
	}
	noCUDA := good(h100(0))
	noCUDA.CUDA, noCUDA.CUDAReason, noCUDA.NoLibcuda = "", "libcuda.so.1 was not found: a container needs the capability compute", true
	old := good(facts.Device{Name: "NVIDIA H100 80GB HBM3", Memory: 81559 << 20, Used: 559 << 20, Processes: -1})
	old.CUDA, old.CUDAReason = "", "this driver is too old to report it"
	tests := []struct {
		mode, variant string
		want          facts.Nvidia
	}{
		{"one", "NEW", good(h100(0))},
		{"eight", "NEW", eight},
		{"none", "NEW", good()},
		{"mig", "NEW", good(with(h100(0), func(d *facts.Device) {
			d.Memory, d.Used, d.Processes, d.MIG = 0, 0, -1, "enabled"
			d.Slices = []facts.Slice{
				{Name: "3g.40gb", UUID: "MIG-100", Memory: 40320 << 20, Used: 4 << 20},
				{Name: "1g.10gb", UUID: "MIG-101", Memory: 9728 << 20},
			}
		}))},
		{"integrated", "NEW", good(with(h100(0), func(d *facts.Device) { d.Memory, d.Used = 0, 0 }))},
		{"nolibcuda", "NEW", noCUDA},
		{"lost", "NEW", good(h100(0), facts.Device{Index: 1, Processes: -1, Problem: "GPU is lost", Code: 15},
			with(h100(2), func(d *facts.Device) { d.Memory, d.Used, d.Problem, d.Code = 0, 0, "GPU is lost", 15 }))},
		// A failed query affects only its own value.
		{"unsure", "NEW", good(with(h100(0), func(d *facts.Device) { d.Processes, d.MIG = -1, "" }))},
		{"reset", "NEW", good(with(h100(0), func(d *facts.Device) { d.Processes, d.Problem, d.Code = -1, "GPU requires reset", 16 }))},
		{"foreign", "NEW", good(facts.Device{Processes: -1, Problem: "Insufficient Permissions", Code: 4})},
		{"garbage", "NEW", good(with(h100(0), func(d *facts.Device) {
			d.Name, d.UUID, d.Bus, d.Memory, d.Used = "GeF[31morce", strings.Repeat("x", 96), "", 0, 0
		}))},
		{"chatter", "NEW", good(h100(0))},
		{"one", "OLD", old},
		{"one", "BARE", refused(13, "libnvidia-ml.so.1 has no function nvmlInit_v2")},
		{"init 9", "NEW", refused(9, "Driver Not Loaded")},
		{"init 18", "NEW", refused(18, "Driver/library version mismatch")},
		{"init 999", "NEW", refused(999, "Unknown Error")},
		{"init 77", "NEW", refused(77, "NVML error 77")},
	}
	for _, tt := range tests {
		t.Run(tt.mode+" "+tt.variant, func(t *testing.T) {
			m := newMachine(t)
			m.driver()
			m.nvml(tt.variant)
			m.smi("touch " + m.sys + "/started\n")
			got, reason := m.nvidia(m.proberWithHelper(tt.mode))
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got  %+v (%s)\nwant %+v", got, reason, tt.want)
			}
			if exists(m.sys + "/started") {
				t.Error("nvidia-smi was started too")
			}
			noChildren(t)
		})
	}
}

// TestHostileNVML has the library crash, end or block its process. nvidia-smi is then used,
// unless the library hangs: nvidia-smi would hang too.
func TestHostileNVML(t *testing.T) {
	a, err := txtar.ParseFile("testdata/nvidia/rtx3090.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ mode, reason string }{
		{"segfault", "query of libnvidia-ml.so.1: exit status 2: SIGSEGV: segmentation violation"},
		{"exit", "query of libnvidia-ml.so.1 returned invalid output"},
		{"sleep", ""},
		{"flood", ""},
	} {
		t.Run(tt.mode, func(t *testing.T) {
			m := newMachine(t)
			m.driver()
			m.nvml("NEW")
			p := m.proberWithHelper(tt.mode)
			if tt.reason == "" {
				p.deadline = time.Second
			}
			start := time.Now()
			n, reason := m.nvidia(p)
			if took := time.Since(start); took > p.deadline+2*time.Second {
				t.Errorf("took %v", took)
			}
			noChildren(t)
			if tt.reason == "" {
				if reason != "the NVIDIA driver did not answer in 800ms" {
					t.Errorf("got %+v, %q", n, reason)
				}
				return
			}
			if n.State != facts.DriverBroken || n.Reason != tt.reason || len(n.Devices) != 1 {
				t.Errorf("got %+v, %q", n, reason)
			}
			m.replaySMI(a)
			if n, reason := m.nvidia(p); n.State != facts.DriverOK || n.Source != "nvidia-smi" || n.CUDA != "12.2" {
				t.Errorf("with nvidia-smi: %+v, %q", n, reason)
			}
			noChildren(t)
		})
	}
}

// TestHostileHelper checks that nvidia-smi is used whatever the helper does.
func TestHostileHelper(t *testing.T) {
	a, err := txtar.ParseFile("testdata/nvidia/rtx3090.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for name, script := range map[string]string{
		"lacks a symbol":          "echo 'reconcile: symbol lookup error: undefined symbol: nvmlInit_v2' >&2; exit 127",
		"finds no library":        `echo '{"state":"broken","code":12,"source":"nvml","reason":"cannot open shared object file"}'`,
		"prints nothing":          "",
		"prints an invalid state": `echo '{"state":"none","source":"nvml"}'`,
		"prints it twice":         `echo '{"state":"ok","source":"nvml"}{"state":"ok","source":"nvml"}'`,
		"is killed":               "kill -9 $$",
		"floods":                  "yes | head -c 10000000",
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			m.driver()
			m.replaySMI(a)
			m.put(m.sys+"/helper", "#!/bin/sh\n"+script+"\n")
			p := m.prober()
			p.Helper = m.sys + "/helper"
			if n, reason := m.nvidia(p); n.State != facts.DriverOK || n.Source != "nvidia-smi" || n.CUDA != "12.2" {
				t.Errorf("got %+v, %q", n, reason)
			}
			noChildren(t)
		})
	}
}

// TestNoLibrary distinguishes a missing library from one that does not respond.
func TestNoLibrary(t *testing.T) {
	if !HasNVML {
		t.Skip("this build has no cgo and cannot call NVML")
	}
	m := newMachine(t)
	m.driver()
	n, reason := m.nvidia(m.proberWithHelper(""))
	if n.Source == sourceNVML {
		t.Skip("this machine has an NVIDIA driver")
	}
	if n.State != facts.DriverBroken || !strings.HasPrefix(n.Reason, "its libraries are not installed") || n.Source != "/proc/driver/nvidia" {
		t.Errorf("got %+v, %q", n, reason)
	}
}

// TestStuckDriver checks that a driver which hangs is not queried again.
func TestStuckDriver(t *testing.T) {
	m := newMachine(t)
	m.driver()
	m.smi("touch " + m.sys + "/started\n")
	p := m.prober()
	p.driverStuck.Store(true)
	if n, reason := m.nvidia(p); n.State != "" || !strings.Contains(reason, "cannot be ended") || exists(m.sys+"/started") {
		t.Errorf("got %+v, %q", n, reason)
	}
}

func TestRunHelperArguments(t *testing.T) {
	for _, args := range [][]string{nil, {"plan"}, {helperWord, "plan"}, {"--json", helperWord}} {
		if _, ok := RunHelper(args); ok {
			t.Errorf("%q runs the helper", args)
		}
	}
}

func FuzzParseHelper(f *testing.F) {
	f.Add([]byte(`{"state":"ok","source":"nvml","devices":[{"index":0,"name":"X","memory":-1,"slices":[{"name":"\u001b"}]}]}`))
	f.Add([]byte(`{"state":"none","source":"nvml"}`))
	f.Add([]byte("null"))
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := parseHelper(b)
		if sanitize(&n); err == nil && n.State != facts.DriverOK && n.State != facts.DriverBroken {
			t.Errorf("%+v", n)
		}
	})
}

// BenchmarkNVML measures the cost of the helper process.
func BenchmarkNVML(b *testing.B) {
	m := newMachine(b)
	m.driver()
	m.nvml("NEW")
	p := m.proberWithHelper("eight")
	for b.Loop() {
		if n, err := p.nvidia(b.Context()); err != nil || len(n.Devices) != 8 {
			b.Fatal(n, err)
		}
	}
}
